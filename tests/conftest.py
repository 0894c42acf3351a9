"""Eight simulated devices for every test, and small configs that run in seconds."""

import os
import tempfile

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Tests compile the same programs again and again: they are kept for the time of a session.

    The first process makes the directory; the workers of xdist and the processes that tests start
    inherit it.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        programs = tempfile.TemporaryDirectory(prefix="cnn_jax_tests_", ignore_cleanup_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = programs.name
        config.add_cleanup(programs.cleanup)


@pytest.fixture
def root() -> Path:
    return ROOT
