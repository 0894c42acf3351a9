import json
from pathlib import Path

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


def test_tensorboard_events_are_written(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, tensorboard=True)
    log.write("train", 1, 0.1, {"loss": 2.0})
    log.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"train/loss" in events.read_bytes()
