"""What the compiler is told on each platform; measured, and for the version it was measured on."""

from __future__ import annotations

from typing import Any

import jax

JAX = jax.__version_info__[:2]
# LeNet-5 is compiled in 2.4 s, not 4.2. YNNPACK runs most convolutions on one core: AlexNet 1.4x.
CPU_OPTIONS = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_backend_optimization_level": 1,
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}
COMPILER_OPTIONS = {("cpu", (0, 10)): CPU_OPTIONS}


def compiler_options(platform: str) -> dict[str, Any] | None:
    """Returns the options of compilations for a platform, None where it has none of its own."""
    return COMPILER_OPTIONS.get((platform, JAX))
