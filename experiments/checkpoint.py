"""Look into the checkpoints of a run, or take the weights out of one.

  python -m experiments.checkpoint show --workdir=runs/digits-lenet5
  python -m experiments.checkpoint export --workdir=runs/digits-lenet5 --output=weights.npz

`show` lists the steps kept, and of one checkpoint the config, the library versions and the arrays.
`export` writes the parameters and running statistics into a file: those of the last step, or with
--averaged their running averages. `.npz` and `.safetensors` hold plain arrays, named as in
`params/C1/kernel`. `.pth` (--format=torch) is a state dict that `load_state_dict(strict=True)` of
the PyTorch model takes, under the names of torchvision, timm or the widely used code for CIFAR;
where PyTorch has no such network, it has the layers here, in PyTorch's layouts: docs/weights.md.
Both run on one CPU, whatever wrote the checkpoint.
"""

from __future__ import annotations

from absl import flags

from cnn_jax.config.addresses import is_address
from cnn_jax.storage.working_copy import directory
from experiments import command_line

WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
OUTPUT = flags.DEFINE_string(
    "output", None, "export: file to write; default: weights.npz of the run"
)
FORMAT = flags.DEFINE_string(
    "format", None, "export: npz, safetensors or torch; default: as the suffix of --output says"
)
FORCE = flags.DEFINE_bool("force", False, "export: replace the file if it exists")
AVERAGED = flags.DEFINE_bool("averaged", False, "export: take the averaged parameters")
COMMANDS = ("show", "export")


def main(argv: list[str]) -> int:
    """Parses and does what the command says."""
    command = chosen_command(command_line.parse(argv, __doc__ or ""))
    if WORKDIR.value is None:
        raise command_line.InputError("--workdir is missing, as in --workdir=runs/digits-lenet5")
    if command == "export" and is_address(WORKDIR.value) and not OUTPUT.value:
        raise command_line.InputError(f"--output is missing: nothing is put into {WORKDIR.value}")
    workdir = directory("--workdir", WORKDIR.value, new=False)
    if not workdir.is_dir():
        raise command_line.InputError(f"--workdir={WORKDIR.value}: it holds no checkpoints")
    suffix = ".pth" if FORMAT.value == "torch" else f".{FORMAT.value or 'npz'}"
    name = "averaged_weights" if AVERAGED.value else "weights"
    output = OUTPUT.value or str(workdir / (name + suffix))
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    import jax

    jax.config.update("jax_platforms", "cpu")
    from cnn_jax.inference.torch_export import export_weights
    from cnn_jax.storage.checkpoint_summary import summarise

    if command == "show":
        print(summarise(workdir, CHECKPOINT.value))
    else:
        arrays, names = export_weights(
            workdir, CHECKPOINT.value, output, FORCE.value, AVERAGED.value, FORMAT.value
        )
        numbers = sum(array.size for array in arrays.values())
        print(f"{output}: {len(arrays)} arrays, {numbers:,} numbers{names}")
    return 0


def chosen_command(words: list[str]) -> str:
    """Returns the command among the arguments that are no flags.

    Raises:
        InputError: there is none, more than one, or one that does not exist.
    """
    command = command_line.command_of(words, COMMANDS)
    if words[1:]:
        raise command_line.InputError(f"unexpected arguments: {' '.join(words[1:])}")
    return command


if __name__ == "__main__":
    command_line.run(main)
