"""Members of an ablation as `ablation.json` holds them, made up."""

from typing import Any


def member(
    levels: dict[str, str],
    seed: int,
    test_error: float | None,
    train_error: float = 0.0,
    curve: dict[str, list[float]] | None = None,
) -> dict[str, Any]:
    """One member; without a test error it diverged."""
    done = test_error is not None
    final = {"train_error": train_error, "train_loss": 0.1, "test_error": test_error, "n": 1000}
    final |= {"validation_error": test_error, "validation_loss": 0.2, "test_loss": 0.2}
    return {
        "factors": levels,
        "seed": seed,
        "state": "done" if done else "diverged",
        "stopped_step": None if done else 7,
        "final": final if done else {},
        "curve": curve or {},
    }


def grid(errors: dict[tuple[str, str], list[float | None]]) -> list[dict[str, Any]]:
    """A grid of two factors, `init` and `norm`: errors of seeds 0, 1, ... in each cell."""
    return [
        member({"init": init, "norm": norm}, seed, error)
        for (init, norm), values in errors.items()
        for seed, error in enumerate(values)
    ]
