"""Eight simulated devices for every test, and small configs that run in seconds."""

import contextlib
import gc
import os
import platform
import shutil
import signal
from importlib.metadata import version

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
if version("jax").startswith("0.10."):
    # Most of the time goes into compiling what runs once. The steps of a run have options of their
    # own, which stand above these: cnn_jax/devices/parallel.py.
    os.environ["XLA_FLAGS"] += (
        " --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    )
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # they are for debuggers

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

# Ignored under nohup, or where a shell has put an `&`: what the tests start must hear them.
for number, handler in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

ROOT = Path(__file__).parent.parent
LARGEST_CACHE = 2 * 10**9  # bytes
BEGIN_FIRST = ("test_pages.py", "test_distributed.py")


def pytest_configure(config: pytest.Config) -> None:
    """Tests compile the same programs again and again: they are kept, for other sessions, too.

    A program is found by its text, the flags, the version of jaxlib and the kind of device; another
    machine has a directory of its own. The first process names it; the workers of xdist and the
    processes that tests start inherit it.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    programs = config.rootpath / ".pytest_cache" / f"programs-{platform.node()}"
    programs.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):  # another session writes there
        if sum(entry.stat().st_size for entry in os.scandir(programs)) > LARGEST_CACHE:
            shutil.rmtree(programs)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(programs)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay on one worker, where what they share is made once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
    # What takes minutes begins first, and nothing waits for it in the end.
    items.sort(key=lambda item: item.path.name not in BEGIN_FIRST)


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: to look for garbage among them again takes minutes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module")
def no_pictures() -> Iterator[None]:
    """A run in a test draws no curves, which take a second: they have tests of their own."""
    with mock.patch("cnn_jax.training.session.draw"):
        yield


@pytest.fixture
def root() -> Path:
    return ROOT
