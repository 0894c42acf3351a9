import errno
import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.storage.metrics_log import MetricsLog, read_metrics


def test_lines_after_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    for step in range(1, 6):
        log.write("train", step, step / 10, {"loss": 1.0 / step})
    log.write("validation", 4, 0.4, {"loss": 0.5})
    log.close()
    resumed = MetricsLog(tmp_path, 3, tensorboard=False)
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2, 3]
    assert not resumed.has_evaluation(4)
    resumed.close()


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    whole = json.dumps({"kind": "validation", "step": 1, "epoch": 0.1, "loss": 2.0})
    (tmp_path / "metrics.jsonl").write_text(whole + "\n" + whole[:20])
    log = MetricsLog(tmp_path, 5, tensorboard=False)
    assert log.has_evaluation(1)
    log.close()
    assert (tmp_path / "metrics.jsonl").read_text() == whole + "\n"


def test_the_last_of_a_kind_is_known_after_a_resume(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    assert log.last("validation") is None
    for step in (4, 8, 12):
        log.write("validation", step, step / 10, {"top1_error": 1 / step})
    assert log.last("validation") == {"top1_error": 1 / 12}
    log.close()
    resumed = MetricsLog(tmp_path, 9, tensorboard=False)
    assert resumed.last("validation") == {"top1_error": 1 / 8}, "the last was of a later step"
    resumed.close()


def test_tensorboard_events_are_written(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, tensorboard=True)
    log.write("train", 1, 0.1, {"loss": 2.0})
    log.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"train/loss" in events.read_bytes()


def lines_of(count: int) -> list[bytes]:
    tree = [{"kind": "train", "step": s, "epoch": s / 10, "loss": 1.0 / s} for s in range(1, count)]
    tree.append({"kind": "test", "step": count - 1, "epoch": 1.0, "loss": 0.5})
    return [json.dumps(line).encode() for line in tree]


def damaged(line: bytes, kind: str, at: int) -> bytes:
    at %= len(line)
    return {
        "cut": line[:at],
        "zeros": bytes(len(line)),
        "not UTF-8": line[:at] + b"\xff" + line[at:],
        "no object": b"[1, 2]",
        "no step": b'{"kind": "train"}',
        "a word for a step": b'{"kind": "train", "step": "one"}',
        "empty": b"",
        "deep": b"[" * 3000,
    }[kind]


KINDS = st.sampled_from(
    ["cut", "zeros", "not UTF-8", "no object", "no step", "a word for a step", "empty", "deep"]
)


@given(st.integers(2, 8), KINDS, st.integers(0, 100), st.data(), st.booleans())
def test_damage_at_the_end_is_dropped_and_before_it_is_named(
    count: int, kind: str, at: int, data: st.DataObject, ended: bool
) -> None:
    lines = lines_of(count)
    where = data.draw(st.integers(0, count - 1))
    lines[where] = damaged(lines[where], kind, at)
    content = b"\n".join(lines) + b"\n" * ended
    last = where == count - 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        path.write_bytes(content)
        if last:
            read = read_metrics(path)
            assert [line["step"] for line in read] == list(range(1, count))
            MetricsLog(Path(folder), count, tensorboard=False).close()
            assert path.read_bytes() == b"".join(line + b"\n" for line in lines[:-1])
            return
        for read_again in (lambda: read_metrics(path), lambda: MetricsLog(path.parent, 9, False)):
            with pytest.raises(InputError) as caught:
                read_again()
            said = str(caught.value)
            assert f"{path}, line {where + 1} of {count} is damaged" in said
            assert f"sed -i {where + 1}d {path}" in said
        assert path.read_bytes() == content


def test_what_is_not_finite_is_null_in_the_file_and_nan_for_the_reader(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    log.write("train", 1, 0.1, {"loss": math.nan, "error": math.inf})
    log.write_signals(1, 0.1, {"C1": {"zero": math.nan, "std": 1.0}})
    log.close()
    assert '"loss": null, "error": null' in (tmp_path / "metrics.jsonl").read_text()
    (line,) = read_metrics(tmp_path / "metrics.jsonl")
    assert math.isnan(line["loss"]) and math.isnan(line["error"])
    (line,) = read_metrics(tmp_path / "signals.jsonl")
    assert math.isnan(line["layers"]["C1"]["zero"]) and line["layers"]["C1"]["std"] == 1.0


def test_a_log_of_an_earlier_version_with_nan_is_read_and_made_strict(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"kind": "train", "step": 1, "epoch": 0.1, "loss": NaN, "g": Infinity}\n')
    assert math.isnan(read_metrics(path)[0]["loss"])
    MetricsLog(tmp_path, 1, tensorboard=False).close()
    assert path.read_text() == (
        '{"kind": "train", "step": 1, "epoch": 0.1, "loss": null, "g": null}\n'
    )


def test_a_line_is_written_once(tmp_path: Path) -> None:
    """A kill between the test line and the result: the next call comes to the same end."""
    for _ in range(3):
        log = MetricsLog(tmp_path, 8, tensorboard=False)
        log.write("test", 8, 1.0, {"loss": 0.5, "n": 3})
        assert log.values("test", 8) == {"loss": 0.5, "n": 3}
        log.close()
    (line,) = read_metrics(tmp_path / "metrics.jsonl")
    assert line["kind"] == "test"


def test_lines_that_an_earlier_version_wrote_twice_are_kept_once(tmp_path: Path) -> None:
    line = '{"kind": "test", "step": 8, "epoch": 1.0, "loss": 0.5}\n'
    (tmp_path / "metrics.jsonl").write_text(3 * line)
    MetricsLog(tmp_path, 8, tensorboard=False).close()
    assert (tmp_path / "metrics.jsonl").read_text() == line


def test_events_on_a_full_disk_are_a_sentence_and_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MetricsLog(tmp_path, 0, tensorboard=True)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert log._events is not None
    monkeypatch.setattr(log._events._writer, "write_event", full)
    for step in range(30):  # more than any queue holds
        with pytest.raises(InputError, match="tensorboard cannot be written: No space left"):
            log.write("train", step, 0.0, {"loss": 1.0})
    monkeypatch.undo()
    log.close()
