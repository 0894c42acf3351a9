#!/bin/bash
#SBATCH --job-name=configs-smoke
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gres=gpu:4
#SBATCH --cpus-per-task=6
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=configs-smoke-%j.out
#SBATCH --partition=gpu
set -e
module load python
export GREETING='it is'
code=0
# All tasks save together and end with 75: none is killed because another has ended first.
srun --label --kill-on-bad-exit=0 --wait=300 --cpus-per-task=6 python -m experiments.train --config=configs/smoke.py '--workdir=/runs/it'"'"'s "$(touch made)" `touch made`; $HOME & #x $$(A) \n *' --config.distributed.detect=True || code=$?
if [ "$code" -ne 75 ]; then
  exit "$code"
fi
# Preempted with a checkpoint. What was cancelled, or requeued by Slurm itself, is not RUNNING now.
state=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T || true)
case "$state" in
  "" | RUNNING) ;;
  *)
    echo "preempted with a checkpoint; the job is $state, and not queued again from here"
    exit 75
    ;;
esac
if ! command -v scontrol > /dev/null; then
  echo "preempted with a checkpoint; scontrol is not found here, so queue the job again from" \
    "outside: scontrol requeue $SLURM_JOB_ID" >&2
  exit 75
fi
echo "preempted with a checkpoint: queued again"
scontrol requeue "$SLURM_JOB_ID"
