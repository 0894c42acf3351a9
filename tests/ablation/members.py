"""Members of an ablation as `ablation.json` holds them, made up."""

from typing import Any


def member(
    levels: dict[str, str],
    seed: int,
    test_error: float | None,
    train_error: float = 0.0,
    curve: dict[str, list[float]] | None = None,
    validation_error: float | None = None,
) -> dict[str, Any]:
    """One member; without a test error it diverged; validation is as test, if it is left out."""
    done = test_error is not None
    final = {"train_error": train_error, "train_loss": 0.1, "test_error": test_error, "n": 1000}
    held_out = test_error if validation_error is None else validation_error
    final |= {"validation_error": held_out, "validation_loss": 0.2, "test_loss": 0.2}
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


def curve(start: float, end: float, epochs: int = 10, steps: int = 14) -> dict[str, list[float]]:
    """Learning curves that fall in a line: train at every step, validation after an epoch."""
    total = epochs * steps
    train = [start + (end - start) * step / total for step in range(1, total + 1)]
    return {
        "step": list(range(1, total + 1)),
        "epoch": [step / steps for step in range(1, total + 1)],
        "train_error": train,
        "train_data_loss": train,
        "validation_step": [steps * epoch for epoch in range(1, epochs + 1)],
        "validation_error": [train[steps * epoch - 1] for epoch in range(1, epochs + 1)],
        "validation_loss": [train[steps * epoch - 1] for epoch in range(1, epochs + 1)],
    }


def ablation(members: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole `ablation.json`; the first labels that occur are the baseline."""
    labels: dict[str, list[str]] = {}
    for found in members:
        for factor, label in found["factors"].items():
            if label not in labels.setdefault(factor, []):
                labels[factor].append(label)
    factors = {
        factor: [{"label": label, "overrides": {}} for label in names]
        for factor, names in labels.items()
    }
    return {
        "name": "made_up",
        "config_hash": "0123456789ab",
        "factors": factors,
        "seeds": sorted({found["seed"] for found in members}),
        "strategy": "sequential",
        "members": [{"index": i, **found} for i, found in enumerate(members)],
    }
