#!/bin/bash
failures=0
fresh=yes
errors=$(mktemp)

tpus() { gcloud compute tpus queued-resources "$@" --zone=us-central2-b --quiet < /dev/null; }
# Without --batch-size=all gcloud begins on 64 hosts, and the others after these have ended.
on_all() { tpus ssh configs-smoke --node=all --worker=all --batch-size=all --command="$1"; }
say() { echo "configs-smoke: $1" >&2; }

state() { # nothing where it cannot be seen, as without a network
  tpus describe configs-smoke --format='value(state.state)' 2> "$errors" ||
    if grep -q NOT_FOUND "$errors"; then echo ABSENT; fi
}

create() {
  say "asked for"
  fresh=yes
  tpus create configs-smoke --accelerator-type=v4-32 --runtime-version=tpu-ubuntu2204-base --node-id=configs-smoke --spot
}

delete() { tpus delete configs-smoke --force; }

finish() {
  delete
  exit "$1"
}

failed() {
  failures=$((failures + 1))
  say "$1: failure $failures; 3 are tried again"
  if [ "$failures" -gt 3 ]; then finish "$2"; fi
  sleep 0
}

wait_until_active() {
  local now before=""
  while :; do
    now=$(state)
    if [ "$now" != "$before" ]; then say "${now:-cannot be seen from here}"; fi
    before=$now
    case "$now" in
      ACTIVE) return ;;
      SUSPENDED) delete; create || failed "cannot be asked for" 1 ;;
      FAILED) failed "the request has failed" 1; delete; create || failed "cannot be asked for" 1 ;;
      ABSENT) failed "somebody has deleted it" 1; create || failed "cannot be asked for" 1 ;;
      *) sleep 0 ;;
    esac
  done
}

trap 'say "no longer looked after; it costs money until: gcloud compute tpus queued-resources delete configs-smoke --force --zone=us-central2-b"; exit 130' INT TERM HUP
case "$(state)" in
  ABSENT) create || exit 2 ;;
  "") cat "$errors" >&2; exit 2 ;;
esac
while :; do
  wait_until_active
  if [ "$fresh" = yes ]; then
    say "is set up"; on_all 'set -e
module load python
export GREETING='"'"'it is'"'"'' || { failed "the setup" 1; continue; }
    fresh=no
  fi
  say "runs"
  on_all 'cd cnn_jax && exec flock .configs-smoke.lock python -m experiments.train --config=configs/smoke.py '"'"'--workdir=/runs/it'"'"'"'"'"'"'"'"'s "$(touch made)" `touch made`; $HOME & #x $$(A) \n *'"'"' --config.distributed.detect=True'
  code=$?
  case "$code" in
    0 | 3) finish "$code" ;; # done, or stopped by the guard: again would be the same
  esac
  sleep 0
  if [ "$(state)" = ACTIVE ]; then
    if [ "$code" = 75 ]; then say "preempted with a checkpoint: again"
    else failed "the run has ended with code $code" "$code"; fi
  fi
done
