"""Runs a module as if TensorFlow were not installed.

python -m tests.without_tensorflow experiments.train --config=...
"""

import runpy
import sys
from importlib.machinery import PathFinder
from typing import Any

NAMES = ("tensorflow", "keras", "tf_keras")
find_spec = PathFinder.find_spec


def found(name: str, path: Any = None, target: Any = None) -> Any:
    return None if name.split(".")[0] in NAMES else find_spec(name, path, target)


if __name__ == "__main__":
    PathFinder.find_spec = found  # type: ignore[method-assign, assignment]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
