"""A run directory at a store survives what a store does not have, and a kill at any moment."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnn_jax import files
from cnn_jax.ablation.shares import Share
from cnn_jax.config import addresses
from cnn_jax.config.problems import InputError
from cnn_jax.storage import lease, working_copy
from cnn_jax.storage.checkpoint_digest import Digests, seal
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.object_store import ObjectStore
from cnn_jax.storage.working_copy import WorkingCopy, directory
from tests.storage import fake_store
from tests.storage.fake_store import FakeStore

RUN = "fake://bucket/runs/one"
STEPS = (10, 20, 30, 40)


class Killed(BaseException):
    """The process is gone: nothing that would follow happens."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for module, name in ((working_copy, "SECONDS_BETWEEN"), (lease, "LASTS")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(addresses, "KINDS", dict(addresses.KINDS))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fake_store.register(tmp_path / "root", seconds_between=100.0, lasts=0.2)
    yield tmp_path / "root"
    FakeStore.before = staticmethod(lambda operation, path: None)
    gone()


def gone() -> None:
    """As if this process had ended: nothing is sent, and nothing given back."""
    for copy in working_copy._open:
        copy._ended.set()
        copy._lock.close()
        if copy._lease is not None:
            copy._lease._end()
    working_copy._open.clear()


def opened(address: str = RUN) -> WorkingCopy:
    place = directory("--workdir", address)
    copy = working_copy.copy_of(place / "anything")
    assert copy is not None
    return copy


def a_run(place: Path) -> Iterator[int]:
    """Writes what a run writes, in its order; yields the step of its newest checkpoint."""
    for moment, step in enumerate(written(place), start=1):
        for file in place.rglob("*"):  # all of it is written faster than the clock of files goes
            if file.stat().st_mtime > len(STEPS) ** 4:
                os.utime(file, (moment, moment))
        yield step


def written(place: Path) -> Iterator[int]:
    files.write_json(place / "config.json", {"config": 1})
    yield 0
    (place / "checkpoints").mkdir(exist_ok=True)
    for step in STEPS:
        with (place / "metrics.jsonl").open("a") as log:
            for line in range(step - 9, step + 1):
                log.write(json.dumps({"kind": "train", "step": line}) + "\n")
        yield step - 10
        half = place / "checkpoints" / f"{step}.orbax-checkpoint-tmp"
        (half / "state").mkdir(parents=True)
        for name in ("state/a", "state/b", "record"):
            (half / name).write_text(f"{name} of {step}")
        seal(half)
        (half / "commit_success.txt").touch()
        half.rename(half.with_name(str(step)))
        yield step
        if step > 20:
            shutil.rmtree(place / "checkpoints" / str(step - 20))
            yield step
    files.write_json(place / "result.json", {"step": STEPS[-1]})
    yield STEPS[-1]


def check_sound(place: Path, at_least: int) -> None:
    """A run that finds this goes on: nothing lacks what it depends on."""
    steps = sorted(int(p.name) for p in (place / "checkpoints").glob("*"))
    digests = Digests(place / "checkpoints", place / "checkpoint_digests")
    assert all(digests.known(step) and not digests.damage(step) for step in steps)
    assert max(steps, default=0) >= at_least
    if steps:
        assert (place / "config.json").exists()
        assert len(read_metrics(place / "metrics.jsonl")) >= steps[-1]
    if (place / "result.json").exists():
        assert steps[-1] == STEPS[-1]


@given(st.integers(0, 60), st.lists(st.booleans(), min_size=16, max_size=16))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_kill_at_any_operation_leaves_a_run(root: Path, kill_at: int, sent: list[bool]) -> None:
    """Whatever is written between two times that it is sent."""
    check_killed_and_resumed(root, kill_at, sent)


@pytest.mark.parametrize("kill_at", range(0, 14))
def test_a_kill_while_all_of_it_is_sent_leaves_a_run(root: Path, kill_at: int) -> None:
    check_killed_and_resumed(root, kill_at, [False] * 16)


def check_killed_and_resumed(root: Path, kill_at: int, sent: list[bool]) -> None:
    """What is found after a kill is sound, and with the rest made again all of it arrives."""
    lease.LASTS = 0.02
    shutil.rmtree(root / "bucket", ignore_errors=True)
    copy, made, complete = opened(), 0, 0
    copy.claim()

    def die(operation: str, path: str) -> None:
        nonlocal made
        if path.endswith(lease.NAME):  # the thread of the lease is not to die with a trace
            return
        made += operation in ("write", "delete")
        if made > kill_at:
            raise Killed

    FakeStore.before = staticmethod(die)
    try:
        for send, step in zip(sent, a_run(copy.path), strict=False):
            if send:
                copy.send()
                complete = step
        copy.close()
    except Killed:
        pass
    FakeStore.before = staticmethod(lambda operation, path: None)
    gone()
    found = opened()
    check_sound(found.path, complete)
    found.claim()
    shutil.rmtree(found.path / "checkpoints", ignore_errors=True)
    (found.path / "metrics.jsonl").unlink(missing_ok=True)
    list(a_run(found.path))
    found.close()
    whole = opened()
    check_sound(whole.path, STEPS[-1])
    assert (whole.path / "result.json").exists()
    whole.close()


def test_what_is_in_a_store_is_what_is_on_the_disk(root: Path) -> None:
    copy = opened()
    copy.claim()
    list(a_run(copy.path))
    (copy.path / ".lock").touch()
    before = tree(copy.path)
    copy.close()
    assert not copy.path.exists()
    assert tree(root / "bucket/runs/one") == before
    again = opened()
    assert tree(again.path) == before
    again.claim()
    (again.path / "result.json").unlink()
    (again.path / "below").mkdir()
    (again.path / "below" / "x").write_bytes(b"")
    again.close()
    del before["result.json"]
    assert tree(root / "bucket/runs/one") == before | {"below/x": b""}


def tree(place: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(place)): p.read_bytes()
        for p in place.rglob("*")
        if p.is_file() and not p.name.startswith(".")
    }


def test_nothing_is_sent_twice_and_nothing_by_who_only_reads(root: Path) -> None:
    copy = opened()
    copy.claim()
    list(a_run(copy.path))
    copy.send()
    written: list[str] = []

    def note(operation: str, path: str) -> None:
        if operation in ("write", "delete") and not path.endswith(lease.NAME):
            written.append(path)

    FakeStore.before = staticmethod(note)
    copy.send()
    with (copy.path / "metrics.jsonl").open("a") as log:
        log.write('{"kind": "test", "step": 40}\n')
    copy.send()
    assert written == ["bucket/runs/one/metrics.jsonl"]
    copy.close()
    reader = working_copy.copy_of(directory("run", RUN, light=True, new=False))
    assert reader is not None and not (reader.path / "checkpoints").exists()
    (reader.path / "metrics.jsonl").unlink()
    reader.close()
    assert len(written) == 1


def test_a_checkpoint_that_was_not_sent_to_its_end_is_left_out(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = root / "bucket/runs/one/checkpoints/50"
    (half / "state").mkdir(parents=True)
    (half / "state" / "a").write_text("half")
    copy = opened()
    assert not (copy.path / "checkpoints").exists()
    assert "checkpoints/50/ was not sent to its end" in capsys.readouterr().err
    copy.claim()
    copy.close()
    assert (half / "state" / "a").exists()  # nobody's file is deleted


def test_a_store_that_is_away_is_waited_for(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_copy, "SECONDS_BETWEEN", 0.02)
    copy = opened()
    copy.claim()
    there = threading.Event()

    def away(operation: str, path: str) -> None:
        if operation == "write" and not there.is_set():
            raise TimeoutError("no route")

    FakeStore.before = staticmethod(away)
    (copy.path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"cannot be used: TimeoutError: no route"):
        working_copy.settled(copy.path)
    time.sleep(0.1)
    there.set()
    until = time.monotonic() + 5
    while not (root / "bucket/runs/one/config.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    copy.close()
    told = capsys.readouterr().err
    assert told.count("no route") == 1 and "takes what is sent again" in told
    assert tree(root / "bucket/runs/one") == {"config.json": b"{}"}


def test_what_cannot_be_sent_in_the_end_stays_and_is_named(root: Path) -> None:
    copy = opened()
    copy.claim()
    (copy.path / "config.json").write_text("{}")

    def full(operation: str, path: str) -> None:
        if operation == "write":
            raise OSError("quota exceeded")

    FakeStore.before = staticmethod(full)
    with pytest.raises(InputError, match=f"quota exceeded.*lies in {copy.path}"):
        copy.close()
    assert (copy.path / "config.json").exists()
    FakeStore.before = staticmethod(lambda operation, path: None)
    opened().close()
    assert (copy.path / "config.json").exists()


def test_two_processes_do_not_share_a_directory(root: Path) -> None:
    first = opened()
    first.claim()
    second = opened()
    with pytest.raises(InputError, match=rf"--workdir={RUN}: another process trains there"):
        second.claim()
    first.close()
    second.claim()
    second.close()


def test_what_a_killed_process_held_is_free_after_a_while(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = opened()
    first.claim()
    gone()
    second = opened()
    second.claim()
    assert "has not given it back; waiting up to 0.2 s" in capsys.readouterr().err
    second.close()


def test_who_has_lost_a_directory_ends_and_writes_no_more(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: list[int] = []
    monkeypatch.setattr(working_copy.os, "kill", lambda pid, number: signals.append(number))
    first = opened()
    first.claim()
    (first.path / "config.json").write_text("{}")
    taken = json.dumps({"token": "another", "renewals": 1, "host": "h", "pid": 7}).encode()
    first.store.write(lease.NAME, taken)
    until = time.monotonic() + 5
    while not signals and time.monotonic() < until:
        time.sleep(0.02)
    assert signals == [signal.SIGTERM]
    with pytest.raises(InputError, match="another process trains there: process 7 on h"):
        first.send()
    with pytest.raises(InputError):
        first.close()
    assert tree(root / "bucket/runs/one") == {}
    assert first.store.read(lease.NAME) == taken


def test_copies_of_killed_processes_are_removed(root: Path, tmp_path: Path) -> None:
    left = opened()
    gone()
    opened().close()
    assert not left.path.exists()


@pytest.mark.parametrize("operation", ["list", "write"])
def test_without_rights_nothing_begins(root: Path, operation: str) -> None:
    def forbidden(asked: str, path: str) -> None:
        if asked == operation:
            raise PermissionError("Anonymous caller does not have storage.objects.list access")

    FakeStore.before = staticmethod(forbidden)
    with pytest.raises(InputError, match=r"Anonymous caller.*Rights come from: nobody"):
        directory("--workdir", RUN)


def test_a_missing_package_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "fake")
    fsspec.register_implementation("fake", "cnn_jax_no_such_package.FakeStore", clobber=True)
    with pytest.raises(InputError, match=r"pip install -e '.\[fake\]'"):
        ObjectStore("--workdir", RUN)


def test_calls_that_share_members_do_not_meet_in_a_store(root: Path) -> None:
    meeting = Share(1, 4).alone_in(directory("--workdir", RUN))
    with pytest.raises(InputError, match="--share=1/4: .* on a disk that all of them see"), meeting:
        pass


def test_a_path_stays_a_path() -> None:
    assert directory("--workdir", "runs/a") == Path("runs/a")
    assert working_copy.copy_of("runs/a") is None
    working_copy.settled("runs/a")


def test_words_name_the_address(root: Path) -> None:
    copy = opened()
    text = f"everything lies in {copy.path}/"
    assert working_copy.in_words(text) == f"everything lies in {RUN}/"
    copy.close()
    assert working_copy.in_words(text) == f"everything lies in {RUN}/"
