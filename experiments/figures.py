"""Draw a figure of a paper: what is in it is trained, and measured while it trains.

  python -m experiments.figures --figure=batch_norm_2015 --data_directory=DATA

batch_norm_2015: Figure 1 of Ioffe & Szegedy 2015, from configs/mnist/batch_norm_2015.py: the test
accuracy by step without and with batch norm, and the 15th, 50th and 85th percentiles of the input
of one sigmoid of the last hidden layer. --epochs makes it shorter.

Leaves a file of the measurements for each network, and the picture as PNG and PDF. The same command
again trains only what is not there yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from cnn_jax import files
from cnn_jax.config.addresses import refuse_addresses
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.changes import changed
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import hint
from cnn_jax.config.validate import validate
from experiments import command_line

# Figure -> config file, its words with what the picture calls them, layer, title.
FIGURES = {
    "batch_norm_2015": (
        "configs/mnist/batch_norm_2015.py",
        {"without": "without batch norm", "with": "with batch norm"},
        "fc3",
        "Three sigmoid layers of 100 on MNIST: Ioffe & Szegedy 2015, Figure 1",
    )
}
FIGURE = flags.DEFINE_string("figure", "batch_norm_2015", "which one")
DATA = flags.DEFINE_string("data_directory", None, "with the official files of the data")
WORKDIR = flags.DEFINE_string("workdir", None, "of what is left; default: runs/figure-<figure>")
EPOCHS = flags.DEFINE_float("epochs", None, "in place of the config's", lower_bound=0.01)


def main(argv: list[str]) -> int:
    """Parses, trains and measures what is not there yet, and draws."""
    if command_line.parse(argv, __doc__ or ""):
        raise command_line.InputError("figures takes flags only")
    if FIGURE.value not in FIGURES:
        raise command_line.InputError(
            f"--figure={FIGURE.value}: unknown{hint(FIGURE.value, FIGURES)}"
        )
    if DATA.value is None:
        raise command_line.InputError("--data_directory is missing: the folder of the data's files")
    file, words, layer, title = FIGURES[FIGURE.value]
    refuse_addresses([("--workdir", WORKDIR.value)])
    workdir = Path(WORKDIR.value or f"runs/figure-{FIGURE.value}")
    configs = {word: config_of(f"{file}:{word}") for word in words}
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.diagnostics.unit_inputs import follow
    from cnn_jax.diagnostics.unit_inputs_picture import draw_unit_inputs

    followed = {}
    for word, config in configs.items():
        path, wanted = workdir / f"{word}.json", config_hash(to_tree(config))
        if (files.read_json(path) or {}).get("config_hash") != wanted:
            print(f"{words[word]}: training {config.train.epochs:g} epochs", flush=True)
            measured = follow(config, layer)
            workdir.mkdir(parents=True, exist_ok=True)
            files.write_json(path, measured, indent=None)
        one = followed[words[word]] = files.read_json(path)
        print(f"{words[word]}: test error {100 * one['test_error'][-1]:.2f} %, n={one['n']}")
    draw_unit_inputs(followed, title, workdir / f"{FIGURE.value}.png")
    print(f"drawn into {workdir}/{FIGURE.value}.png, as PNG and as PDF")
    return 0


def config_of(file: str) -> command_line.Config:
    """Returns the config of a file and word, with what the flags say."""
    changes: dict[str, Any] = {"data.directory": DATA.value}
    if EPOCHS.value is not None:
        changes["train.epochs"] = EPOCHS.value
    return validate(changed(fill_defaults(command_line.load_config_file(file)), changes))


if __name__ == "__main__":
    command_line.run(main)
