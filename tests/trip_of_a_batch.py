"""Prints the files that a batch opens on its trip, as docs/architecture.md has them.

python -m tests.trip_of_a_batch

The trip is everything that runs while the engine makes the steps of `make train`'s network: from
the order of the data, over the compilation of the step, to the line in the log. A file counts as
opened when one of its functions runs. Initialisers are left out: linen asks them for the shapes of
parameters that are there already.
"""

import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.validate import validate
from cnn_jax.training import progress, session
from cnn_jax.training.engine import Engine
from cnn_jax.training.preemption import Preemption

ROOT = Path(__file__).parent.parent
CONFIG = "configs/digits/lenet5.py"
PACKAGE = str(ROOT / "cnn_jax")
LEFT_OUT = str(ROOT / "cnn_jax" / "initializers")


def files_opened() -> dict[str, list[str]]:
    """Returns file -> functions that ran, both in the order of their first call."""
    opened: dict[str, list[str]] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        file = code.co_filename
        if event == "call" and file.startswith(PACKAGE) and not file.startswith(LEFT_OUT):
            functions = opened.setdefault(str(Path(file).relative_to(ROOT)), [])
            if code.co_name not in functions and not code.co_name.startswith("<"):
                functions.append(code.co_name)

    config = runpy.run_path(str(ROOT / CONFIG))["get_config"]()
    config.train.epochs = 1.0
    make_steps: Callable[[Engine, int], None] = Engine._make_steps

    def watched(self: Engine, steps: int) -> None:
        sys.setprofile(note)
        try:
            make_steps(self, steps)
        finally:
            sys.setprofile(None)

    Engine._make_steps = watched  # type: ignore[method-assign]
    between = progress.SECONDS_BETWEEN_LINES
    progress.SECONDS_BETWEEN_LINES = 0.0  # a line each time, whatever the clock says
    try:
        with tempfile.TemporaryDirectory() as workdir, Preemption() as preemption:
            session.train(validate(fill_defaults(config)), workdir, preemption, time.time())
    finally:
        progress.SECONDS_BETWEEN_LINES = between
        Engine._make_steps = make_steps  # type: ignore[method-assign]
    return opened


def as_markdown(opened: dict[str, list[str]]) -> str:
    """Returns the table."""
    rows = [
        f"| {number} | `{file.removeprefix('cnn_jax/')}` | {', '.join(functions[:4])} |"
        for number, (file, functions) in enumerate(opened.items(), start=1)
    ]
    return "\n".join(["| | file | what runs in it first |", "|---:|---|---|", *rows])


if __name__ == "__main__":
    print(as_markdown(files_opened()))
