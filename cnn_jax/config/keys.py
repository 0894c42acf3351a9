"""The table of configuration keys: default, unit, meaning, range, and what each one changes.

The default of a key that is added later means: as before. Runs saved without it are completed so.
"""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from cnn_jax.config.training_keys import OPTIM, SCHEDULE, TRAIN, Section
from cnn_jax.config.values import MATHS, RUN, Key, OpenDict

Config = FrozenConfigDict | ConfigDict  # holds a value for each of these keys

# jax.random.key takes no more bits of a seed, and the state of a run holds no more.
SEED: dict[str, Any] = {"low": 0, "high": 2**32 - 1, "why": "a seed is a uint32 in a run"}
LONGEST: dict[str, Any] = {"high": 1e6, "why": "that is eleven days"}

SCHEMA: dict[str, Section] = {
    "seed": {
        "init": Key(0, MATHS, "seed of the initial parameters", traced=True, **SEED),
        "data": Key(0, MATHS, "seed of the data order and of augmentation", traced=True, **SEED),
        "dropout": Key(0, MATHS, "seed of the dropout masks", traced=True, **SEED),
    },
    "data": {
        "source": Key("digits", MATHS, "name of the source"),
        "kwargs": OpenDict(MATHS, "arguments of the source"),
        "directory": Key(
            None, RUN, "where the data lies, for all sources but digits and synthetic", optional=str
        ),
        "holds": Key(
            None,
            RUN,
            "which set the images of a folder or store are, by its name in TFDS; what is published "
            "for it is then compared by experiments.reproduce",
            choices=(
                *("cifar10", "cifar100", "fashion_mnist", "imagenet2012", "kmnist", "mnist"),
                "svhn_cropped",
            ),
            optional=str,
        ),
        "validation_folds": Key(
            10, MATHS, "one part in so many of train is held out as validation; 0: none", low=0
        ),
        "validation_fold": Key(0, MATHS, "which part is held out, from 0", low=0),
        "validation_rule": Key(
            "interleaved",
            MATHS,
            "fold k holds every n-th example, or the k-th contiguous block",
            choices=("interleaved", "contiguous"),
        ),
        "train_examples": Key(
            None, MATHS, "train on the first n examples only", low=1, optional=int
        ),
        "resident_megabytes": Key(
            2000.0,
            MATHS,
            "a split read from files is decoded once and kept if it is no larger, and its crop is "
            "not random; 0: never",
            low=0.0,
        ),
        "unreadable": Key(
            "fail",
            RUN,  # a run that an image has ended may go on by skipping it
            "an image that cannot be read ends the run, or is replaced by the next one in "
            "training and left out of the count in evaluation",
            choices=("fail", "skip"),
        ),
        "workers": Key(
            None,
            RUN,
            "threads that read, decode and crop; 0: none beside the loop; all cores when unset",
            low=0,
            high=4096,
            why="every one is a thread of the machine",
            optional=int,
        ),
        "prefetch_batches": Key(2, RUN, "batches made ahead of the one in use", low=1),
        "resize": Key(
            "bilinear",
            MATHS,
            "filter of a resize: bilinear as here before (OpenCV's, over means of whole blocks); "
            "OpenCV's area; or Pillow's antialiased ones, which torchvision uses",
            choices=("bilinear", "area", "antialiased_bilinear", "antialiased_bicubic"),
        ),
        "normalisation": Key(
            "standardise",
            MATHS,
            "uint8 to float: x/255; mean/std per channel of train; LeCun's [-0.1, 1.175]; "
            "x/255-1/2; [-1, 1]; x less the channel's, or the pixel's, mean; ImageNet's mean/std",
            choices=(
                *("unit", "standardise", "lecun_1998", "centred", "signed", "channel_mean"),
                *("mean_image", "imagenet"),
            ),
        ),
        "shift_pixels": Key(0.0, MATHS, "random shift, largest, pixels", low=0.0),
        "shift_form": Key(
            "continuous",
            MATHS,
            "a shift by any length, interpolated; or by whole pixels: pad and crop",
            choices=("continuous", "whole"),
        ),
        "scale": Key(0.0, MATHS, "random zoom, largest, as a fraction", low=0.0, high=0.9),
        "squeeze": Key(
            0.0,
            MATHS,
            "random squeeze: up to 1 + this times as high and as much less wide, or the reverse",
            low=0.0,
            high=1.0,
        ),
        "shear": Key(0.0, MATHS, "random horizontal shear, largest, pixels a row", low=0.0),
        "rotation_degrees": Key(0.0, MATHS, "random rotation, largest, degrees", low=0.0),
        "elastic_alpha": Key(0.0, MATHS, "elastic distortion: multiplier of its field", low=0.0),
        "elastic_sigma": Key(4.0, MATHS, "std of the Gaussian that smooths it, pixels", low=0.01),
        "border": Key(
            "edge",
            MATHS,
            "what a shift brings in: the outermost pixels again, black, or the mean that the "
            "normalisation subtracts: zero for the network",
            choices=("edge", "zero", "mean"),
        ),
        "flip": Key(False, MATHS, "mirror left-right with probability 1/2"),
    },
    "train_crop": {
        "name": Key("whole", MATHS, "name of the crop in training; whole: the image as it is"),
        "kwargs": OpenDict(MATHS, "arguments of the crop"),
    },
    "test_crop": {
        "name": Key("whole", MATHS, "name of the crop in evaluation"),
        "kwargs": OpenDict(MATHS, "arguments of the crop"),
    },
    "colour": {
        "name": Key("none", MATHS, "name of the random change of colours in training"),
        "components": Key(
            "imagenet",
            MATHS,
            "principal components of RGB: ImageNet's, or computed from train",
            choices=("imagenet", "train"),
        ),
        "kwargs": OpenDict(MATHS, "arguments of the change of colours"),
    },
    "model": {
        "name": Key("lenet5", MATHS, "name of the network"),
        "kwargs": OpenDict(
            MATHS, "arguments of the network", traced=("kernel_init", "bias_init", "dropout_rate")
        ),
    },
    "data_dependent_init": {
        "name": Key(
            "none", MATHS, "name of what sets the first weights by a batch of train", traced=True
        ),
        "examples": Key(
            128, MATHS, "examples in that batch: the first of the data order", low=2, traced=True
        ),
        "kwargs": OpenDict(
            MATHS,
            "arguments of it",
            traced=("variant", "tolerance", "divisions", "pre_init", "bias"),
        ),
    },
    "init_from": {
        "workdir": Key(
            None,
            MATHS,
            "begin with the parameters of this run; a resumed run does not",
            optional=str,
        ),
        "checkpoint": Key("latest", MATHS, "of that run: latest, best (on validation) or a step"),
        "weights": Key(
            None,
            MATHS,
            "or with those of a file: of `experiments.checkpoint export`, or a state dict",
            optional=str,
        ),
        "layers": Key(
            "",
            MATHS,
            "patterns of parameters to take, comma-separated, each of which must be there; empty: "
            "all that have the same name and shape",
        ),
    },
    "optim": OPTIM,
    "schedule": SCHEDULE,
    "train": TRAIN,
    "parallel": {
        "mode": Key(
            "jit",
            RUN,
            "jit: one program over a mesh; pmap: one program a device, averaged over the axis",
            choices=("jit", "pmap"),
        ),
        "devices": Key(None, RUN, "use the first n devices; all when unset", low=1, optional=int),
        "shard_parameters": Key(
            False, RUN, "jit: spread large parameters and their optimizer state over the devices"
        ),
    },
    "distributed": {
        "coordinator": Key(None, RUN, "host:port of process 0", optional=str),
        "processes": Key(None, RUN, "how many processes", low=1, optional=int),
        "process_id": Key(None, RUN, "which one this is, from 0", low=0, optional=int),
        "detect": Key(False, RUN, "let jax find the above: Cloud TPU, Kubernetes, Slurm, Open MPI"),
        "timeout_seconds": Key(
            120.0, RUN, "longest wait for all processes to come", positive=True, **LONGEST
        ),
        "heartbeat_seconds": Key(
            30.0,
            RUN,
            "a process not heard of for so long is lost, and ends the others",
            low=10.0,
            **LONGEST,
        ),
    },
    "precision": {
        "compute": Key(
            "float32",
            MATHS,
            "dtype of activations; parameters are float32 or float64",
            choices=("float32", "bfloat16", "float64"),
        ),
        "matmul": Key(
            "highest",
            MATHS,
            "float32 products: highest is float32; TPU and GPU are faster and coarser with default",
            choices=("default", "high", "highest"),
        ),
    },
    "evaluation": {
        "batch_size": Key(256, RUN, "examples in one evaluation step, over all devices", low=1),
        "every_epochs": Key(
            1.0, RUN, "validation is evaluated every so many epochs", positive=True
        ),
    },
    "checkpoint": {
        "every_epochs": Key(1.0, RUN, "a checkpoint every so many epochs", positive=True),
        "keep": Key(3, RUN, "newest checkpoints kept for resume, beside the best one", low=1),
        "grace_seconds": Key(
            20.0,
            RUN,
            "after SIGTERM: longest wait for the running step or compilation",
            low=0.0,
            **LONGEST,
        ),
    },
    "guard": {
        "explosion_factor": Key(
            3.0, RUN, "stop at a loss above factor x max(first loss, ln classes); 0: never", low=0.0
        ),
        "look_back": Key(
            True, RUN, "then make the steps since the checkpoint again, to say which layer broke"
        ),
        "rollbacks": Key(
            0, RUN, "so often go back to the checkpoint instead, and on past the batches", low=0
        ),
        "skip_steps": Key(
            2, RUN, "batches left out after a rollback, that of the failed step the last", low=1
        ),
    },
    "log": {
        "every_steps": Key(10, RUN, "a line in metrics.jsonl every so many steps", low=1),
        "signal_statistics_every_steps": Key(
            0, RUN, "activations and gradients of every layer, every so many steps; 0: never", low=0
        ),
        "pictures_every_epochs": Key(
            0.0,
            RUN,
            "filters and explanations of fixed images, to TensorBoard and pictures/, every so many "
            "epochs and at the end; 0: never",
            low=0.0,
        ),
        "example_ids": Key(False, RUN, "the ids of the batch in every logged line"),
        "tensorboard": Key(True, RUN, "write TensorBoard events"),
        "progress_bar": Key(True, RUN, "a progress bar on a terminal; plain lines elsewhere"),
    },
}
