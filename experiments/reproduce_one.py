"""A run of its own for `experiments.reproduce`: what was measured, and the verdict.

Not a binary of its own.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.validate import validate
from cnn_jax.storage.run_directory import RunDirectory, origin
from experiments import command_line
from experiments.command_line import Config


def evaluated(
    config: Config, workdir: Path | None, checkpoint: str, weights: str | None
) -> tuple[Any, dict[str, Any], Any]:
    """Returns config, result and network of a checkpoint, or of weights out of a file.

    Args:
        config: of the command line, validated.
        workdir: the run; beside weights, that which begins with them, if there is one.
        checkpoint: `latest`, `best` or a step; empty for weights.
        weights: a file; None: the checkpoint is meant.
    """
    from cnn_jax.diagnostics.measurement import measure
    from cnn_jax.inference.trained_network import WeightsUse, trained_network

    use = WeightsUse(None, None, config.data.directory, True, command_line.say)
    restored = trained_network(workdir, checkpoint, weights, config, use)
    return restored.config, measure(restored, config.evaluation.batch_size), restored


def report(
    file: str, config: Config, result: dict[str, Any], restored: Any, workdir: Path, lead: bool
) -> int:
    """Evaluates by further protocols, prints the verdict and writes it into the run directory.

    Of several processes all evaluate, which no protocol divides; the leading one writes.
    """
    from cnn_jax.diagnostics import measurement, recognised_data, reproduction

    as_in_file = validate(fill_defaults(command_line.load_config_file(file)))
    known = recognised_data.recognised(config)
    others = measurement.measure_others(file, config, workdir, restored, known.name)
    verdict = reproduction.judge(file, as_in_file, config, result, others, known)
    print(f"\n{verdict.markdown()}\nkept in {workdir}: reproduction.md and .json", flush=True)
    if not lead:
        return 0
    with closing(RunDirectory(workdir)) as directory:
        directory.write_text("reproduction.md", verdict.markdown())
        directory.write("reproduction.json", verdict.to_tree() | origin())
    return 0
