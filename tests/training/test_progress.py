"""What takes long is named meanwhile, on a terminal and elsewhere; what does not is not."""

import io
import re
import time
from collections.abc import Callable

import pytest

from cnn_jax.training import progress
from cnn_jax.training.progress import LastWord, ProgressReport, Screen, Waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twentieth of the patience."""
    for name in ("ON_A_TERMINAL", "ELSEWHERE"):
        monkeypatch.setattr(progress, name, 0.1)
    LastWord.said()


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert happened()


@pytest.mark.usefixtures("quickly")
def test_a_terminal_has_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", terminal := Terminal())
    with Waiting("reading IMAGES") as waiting:
        waiting.done(3, 4000)
        until(terminal.getvalue)
    written = terminal.getvalue()
    assert written.startswith("\r\x1b[Kreading IMAGES 3/4,000: 0 s")
    assert written.endswith("\r\x1b[K") and "\n" not in written


@pytest.mark.usefixtures("quickly")
def test_elsewhere_whole_lines_come_that_get_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", log := io.StringIO())
    with Waiting("compiling the step"):
        until(lambda: log.getvalue().count("\n") == 2)
    lines = log.getvalue().splitlines()
    assert all(line.startswith("compiling the step: ") for line in lines)


def test_what_is_short_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", terminal := Terminal())
    LastWord.said()
    for _ in range(3):
        with Waiting("reading"):
            pass
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("quickly")
def test_many_short_things_in_a_row_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is over before the patience is; all together are not."""
    monkeypatch.setattr(progress, "ON_A_TERMINAL", 1.0)
    monkeypatch.setattr(progress.sys, "stderr", terminal := Terminal())
    deadline = time.monotonic() + 20
    while not terminal.getvalue() and time.monotonic() < deadline:
        with Waiting("reading"):
            time.sleep(0.5)
    assert "reading" in terminal.getvalue()


@pytest.mark.usefixtures("quickly")
def test_where_nobody_reads_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        tried = 0

        def write(self, text: str) -> int:
            self.tried += 1
            raise BrokenPipeError

    monkeypatch.setattr(progress.sys, "stderr", broken := Broken())
    with Waiting("reading"):
        until(lambda: broken.tried > 1)


@pytest.mark.usefixtures("quickly")
def test_a_process_that_does_not_lead_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.sys, "stderr", log := io.StringIO())
    with Screen("step", 10, 0, lead=False).waiting("evaluating"):
        time.sleep(0.5)
    assert log.getvalue() == "" and capsys.readouterr().out == ""


@pytest.mark.parametrize("columns", [80, 100, 130])
def test_count_and_remaining_time_are_seen_on_any_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    report = ProgressReport(1062, 0, bar=True)
    report.update(1000, 75.1, 2.3456, 1.0, 29_162, 75.0, 0.987)
    report.close()
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out).strip().split("\r")[-1]
    assert last.startswith("step 1000/1062 ") and last.endswith("ETA 0:01:15")
    assert len(last) <= columns and ("images/s" in last) == (columns > 80)


@pytest.mark.usefixtures("quickly")
def test_of_several_the_last_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", terminal := Terminal())
    with Waiting("the whole"):
        with Waiting("a part"):
            until(lambda: terminal.getvalue().count("a part") > 1)
            assert "the whole" not in terminal.getvalue()
        until(lambda: "the whole" in terminal.getvalue())
