"""Twenty examples must be learned to nothing, and the images must be what helps.

The network and the optimizer are the config's, without augmentation, dropout, label smoothing and
weight decay. Rates are tried one after another, so that a wrong rate is no bug: the config's
highest first, then its tenths where the loss explodes, its tens where it falls too slowly. The
config's own is judged by itself. It is held from the first step on: examples that a warm-up had
learned by heart would hide a rate that is too high after it. A network that is too large for the
host makes fewer steps, of fewer examples, and is asked that the loss falls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cnn_jax.data.order import Order
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.diagnostics.preflight.finding import Finding
from cnn_jax.diagnostics.preflight.subject import (
    Subject,
    as_examples,
    at_rate,
    read,
    without_chance,
)
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.progress import Waiting

EXAMPLES, FEWER = 20, 8  # the latter where fewer than `ENOUGH` steps would be made
STEPS, ENOUGH, FEWEST = 200, 40, 10  # at each rate
LOWER, HIGHER = (0.1, 0.01, 0.001), (10.0, 100.0, 1000.0)  # times the config's rate
LEARNED: Final = 0.1  # of ln C, or of the first loss: low enough
EXPLODED: Final = 3.0  # times the larger of the first loss and ln C
FALLING: Final = 0.98  # of the first loss: it went the right way
HELPS: Final = 0.9  # of the loss without images


@dataclass(frozen=True)
class Trial:
    """Steps at one rate.

    Attributes:
        rate: learning rate.
        losses: of the data before each step.
        errors: fractions of the examples.
        learned: whether the last error is 0 and the loss low.
        exploded: whether the loss left its range.
    """

    rate: float
    losses: list[float]
    errors: list[float]
    learned: bool
    exploded: bool

    def __str__(self) -> str:
        return (
            f"loss {self.losses[0]:.3g} -> {self.losses[-1]:.2g}, error "
            f"{100 * self.errors[-1]:.0f} %, in {len(self.losses) - 1} steps"
        )

    def to_tree(self) -> dict[str, Any]:
        """Returns the trial as JSON holds it."""
        return dict(vars(self))


def learning(subject: Subject) -> list[Finding]:
    """Trains on twenty examples, then on as many without their images."""
    train = subject.run.dataset.train
    count, steps = _size(subject)
    ids = Order(subject.config.seed.data, len(train), count).batch(0)
    batch = as_examples(read(train, ids, train=False))
    trials = Trials(subject, steps)
    own = trials.run(subject.rate, batch)
    made = [own]
    for factor in _others(own)[: None if steps == STEPS else 1]:
        made.append(trials.run(factor * subject.rate, batch))
        if made[-1].learned:
            break
    best = min(made, key=lambda trial: (not trial.learned, _last(trial)))
    black = batch | {"image": np.zeros_like(batch["image"])}
    blind = trials.run(best.rate, black, exactly=len(best.losses) - 1)
    return [
        _overfit(count, steps, made, best),
        _rate(subject, own, best),
        _images(best, blind),
    ]


def _size(subject: Subject) -> tuple[int, int]:
    """How many examples are learned, and in how many steps at most."""
    for count, enough in ((EXAMPLES, ENOUGH), (FEWER, 0)):
        steps = subject.within_budget(subject.step_macs * count, FEWEST, STEPS)
        if steps >= enough:
            break
    return min(count, len(subject.run.dataset.train)), steps


class Trials:
    """Trains from the first weights, again and again, by one compiled step.

    Args:
        subject: of the checks.
        steps: at most.
    """

    def __init__(self, subject: Subject, steps: int):
        self._subject, self._steps = subject, steps
        self._step: Callable[..., Any] = subject.compiled(
            make_train_step(without_chance(subject.recipe))
        )

    def run(self, rate: float, batch: Any, exactly: int | None = None) -> Trial:
        """Makes steps until the examples are learned, the loss explodes, or there were enough.

        Args:
            rate: learning rate.
            batch: the examples, all in each step.
            exactly: so many steps, whatever comes; None: as said.
        """
        subject = self._subject
        state: TrainState = at_rate(subject.state, rate, weight_decay=0.0, label_smoothing=0.0)
        state = state.replace(hyper=state.hyper | {"dropout": {}})
        losses: list[float] = []
        errors: list[float] = []
        usual = math.log(subject.run.dataset.num_classes)
        softmax = subject.config.train.loss == "softmax"
        learned = exploded = False
        most = self._steps if exactly is None else exactly
        with Waiting(
            f"learning {len(batch['label'])} examples at rate {rate:.3g}, step"
        ) as waiting:
            for step in range(most + 1):
                waiting.done(step, most)
                state, metrics = self._step(state, batch)
                losses.append(float(metrics["data_loss"]))
                errors.append(float(metrics["error"]))
                low = LEARNED * (usual if softmax else losses[0])
                learned = errors[-1] == 0 and losses[-1] <= low
                exploded = not losses[-1] <= EXPLODED * max(usual, losses[0])
                if (exactly is None and (learned or exploded)) or not math.isfinite(losses[-1]):
                    break
        return Trial(rate, losses, errors, learned, exploded)


def _others(own: Trial) -> tuple[float, ...]:
    """The factors that are tried after the config's own rate."""
    if own.learned:
        return ()
    falls = not own.exploded and own.losses[-1] < own.losses[0]
    return (*HIGHER, *LOWER[:1]) if falls else (*LOWER, *HIGHER[:1])


def _last(trial: Trial) -> float:
    loss = trial.losses[-1]
    return loss if math.isfinite(loss) else math.inf


def _overfit(count: int, steps: int, made: list[Trial], best: Trial) -> Finding:
    figures = {"trials": [trial.to_tree() for trial in made], "most_steps": steps}
    said = f"{count} examples, rate {best.rate:.3g}: {best}"
    if best.learned:
        return Finding("learns", OK, said, figures=figures)
    if steps < STEPS and _last(best) < FALLING * best.losses[0]:
        said += "; it falls: on this device there is no time for more"
        return Finding("learns", OK, said, figures=figures)
    if steps < STEPS and not all(trial.exploded for trial in made):
        said += "; too few steps to tell, and this device has no time for more"
        return Finding("learns", WARN, said, "see experiments.signals --config=...", figures)
    tried = f"{len(made)} rates from {min(t.rate for t in made):.2g} to "
    said = f"{said}; not learned at {tried}{max(t.rate for t in made):.2g}"
    if _last(best) < FALLING * best.losses[0]:
        remedy = (
            "it falls, but slowly: look at gradient, updates and dead units; a network that begins "
            "too flat wants --config.model.kwargs.kernel_init=he_normal"
        )
        return Finding("learns", WARN, said, remedy, figures)
    remedy = (
        "what cannot learn 20 examples learns nothing: look at gradient, updates and dead units"
    )
    return Finding("learns", FAIL, said, remedy, figures)


def _rate(subject: Subject, own: Trial, best: Trial) -> Finding:
    figures = {"rate": own.rate, "learns_at": best.rate if best.learned else None}
    said = f"the config's highest, {own.rate:.3g}: {own}"
    if own.learned:
        return Finding("rate", OK, said, figures=figures)
    bad = WARN if subject.warms_up else FAIL
    times = best.rate / own.rate
    remedy = f"--config.optim.learning_rate={subject.config.optim.learning_rate * times:.3g}"
    if best.learned and times < 1:
        worse = own.exploded or own.losses[-1] > own.losses[0]
        said += "; the loss explodes" if own.exploded else "; it does not come down"
        said += f", and at {best.rate:.3g} it is learned"
        said += "; the config warms up, which may be enough" * subject.warms_up
        return Finding("rate", bad if worse else WARN, said, remedy, figures)
    if own.exploded:
        return Finding("rate", bad, f"{said}; the loss explodes", "a lower rate", figures)
    if best.learned:
        said += f"; slow: {times:g} times the rate learns them in {len(best.losses) - 1} steps"
        return Finding("rate", OK, said, figures=figures)
    if best is not own:
        said += f"; slow: {times:g} times the rate comes to {best.losses[-1]:.2g}"
    return Finding("rate", OK, said, figures=figures)


def _images(best: Trial, blind: Trial) -> Finding:
    figures = {"loss": _last(best), "loss_without_images": _last(blind), "rate": best.rate}
    said = (
        f"with black images the loss is {blind.losses[-1]:.3g} after as many steps, with the real "
        f"ones {best.losses[-1]:.2g}"
    )
    if len(best.losses) < 2 or not math.isfinite(_last(best)):
        return Finding("images help", OK, f"{said}; not judged", figures=figures)
    if _last(best) < HELPS * _last(blind):
        return Finding("images help", OK, said, figures=figures)
    remedy = "what the network learns is not in the images: does the input come through?"
    level = FAIL if best.learned else WARN
    return Finding("images help", level, said, remedy, figures)
