r"""What a step sends between devices, by how many there are, and what it may cost.

  python -m experiments.scale --config=configs/smoke.py --devices=1,2,4,8
  python -m experiments.scale --config=configs/imagenet/resnet.py:50 --devices=1,8,64,256 \
      --gigabytes_per_second=100 --step_ms=250

The step is compiled for so many simulated devices, and its collectives are counted in the program;
the batch of the config is divided among them. Of ILSVRC, CIFAR and MNIST the data need not be
there. With the bandwidth that leaves a device, the time on a ring; with the milliseconds of a step
on one device (experiments.benchmark, or train --estimate --accelerator for a bound), the share of
the time that computes, where nothing is sent meanwhile. Estimates: nothing is sent, and latency,
which weighs where there are many small collectives, is left out.

Exit codes: 0 done; 2 bad configuration or input.
"""

from __future__ import annotations

from absl import flags

from experiments import command_line
from experiments.processes import refuse

DEVICES = flags.DEFINE_list("devices", ["1", "2", "4", "8"], "how many, by commas")
LINK = flags.DEFINE_float(
    "gigabytes_per_second", None, "that leave a device, for the time", lower_bound=1e-6
)
STEP = flags.DEFINE_float("step_ms", None, "of a step on one device, for the efficiency")


def main(argv: list[str]) -> int:
    """Parses, compiles and reports."""
    _, config = command_line.parse_config(argv, __doc__ or "")
    refuse(config.distributed, "the devices are simulated")
    bad = [text for text in DEVICES.value if not text.isdecimal() or int(text) < 1]
    if bad or not DEVICES.value:
        raise command_line.InputError(f"--devices={','.join(DEVICES.value)}: as in 1,8,64")
    if STEP.value and not LINK.value:
        raise command_line.InputError("--step_ms goes with --gigabytes_per_second")
    counts = sorted({int(text) for text in DEVICES.value})
    # Imported here: jax takes seconds, and a bad config need not wait for it.
    from cnn_jax.benchmark.collectives import as_text, collectives_of
    from cnn_jax.devices.parallel_members import simulate_cpu_devices
    from cnn_jax.training.progress import Waiting

    simulate_cpu_devices(counts[-1])
    with Waiting(f"compiling the step for {', '.join(map(str, counts))} devices"):
        found = collectives_of(config, counts)
    link = None if LINK.value is None else LINK.value * 1e9
    print(as_text(found, link, None if STEP.value is None else STEP.value / 1e3))
    return 0


if __name__ == "__main__":
    command_line.run(main)
