"""The binaries in the process of a test: all that a user gets but the start of Python and jax."""

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import jax
from absl import flags

ROOT = Path(__file__).parent.parent


def run(name: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs `python -m experiments.<name>` in `cwd`: its entry, with flags, exit code and output.

    TensorFlow cannot be imported meanwhile: a line that tries fails the test.
    """
    module = f"experiments.{name}"
    imported, before = sys.modules.pop(module, None), _take_flags()
    tensorflow = {} if "tensorflow" in sys.modules else {"tensorflow": None}
    out, err = io.StringIO(), io.StringIO()
    wide = jax.config.jax_enable_x64
    sys.modules.update(tensorflow)  # type: ignore[arg-type]
    try:
        with (
            mock.patch.object(sys, "argv", [name, *arguments]),
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        code: object = "no exit"
    except SystemExit as ended:
        code = ended.code
    finally:
        for word in tensorflow:
            del sys.modules[word]
        if imported is not None:
            sys.modules[module] = imported
        _take_flags()
        for flag in before:
            flags.FLAGS[flag.name] = flag
        jax.config.update("jax_enable_x64", wide)
    assert code is None or isinstance(code, int), code
    return subprocess.CompletedProcess(
        [name, *arguments], code or 0, out.getvalue(), err.getvalue()
    )


def _take_flags() -> list[flags.Flag]:
    """Removes the flags of all binaries and returns them; those of absl stay."""
    modules = flags.FLAGS.flags_by_module_dict()
    taken = {f.name: f for name, own in modules.items() if "absl" not in name for f in own}
    for name in taken:
        delattr(flags.FLAGS, name)
    return list(taken.values())
