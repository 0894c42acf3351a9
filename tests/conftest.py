"""Eight simulated devices for every test, and small configs that run in seconds."""

import os
import signal
import tempfile

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

from pathlib import Path

import pytest

# Ignored under nohup, or where a shell has put an `&`: what the tests start must hear them.
for number, handler in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

ROOT = Path(__file__).parent.parent
BEGIN_FIRST = ("test_pages.py", "test_distributed.py")


def pytest_configure(config: pytest.Config) -> None:
    """Tests compile the same programs again and again: they are kept for the time of a session.

    The first process makes the directory; the workers of xdist and the processes that tests start
    inherit it.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        programs = tempfile.TemporaryDirectory(prefix="cnn_jax_tests_", ignore_cleanup_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = programs.name
        config.add_cleanup(programs.cleanup)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay on one worker, where what they share is made once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
    # What takes minutes begins first, and nothing waits for it in the end.
    items.sort(key=lambda item: item.path.name not in BEGIN_FIRST)


@pytest.fixture
def root() -> Path:
    return ROOT
