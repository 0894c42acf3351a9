"""The keys of how a run is trained: sections `optim`, `schedule` and `train` of a config.

They stand in the table of `keys`.
"""

from __future__ import annotations

from cnn_jax.config.values import MATHS, RUN, Key, NumberMap, OpenDict

Section = dict[str, Key | OpenDict | NumberMap]

OPTIM: Section = {
    "name": Key("momentum", MATHS, "name of the optimizer"),
    "learning_rate": Key(
        0.1, MATHS, "base learning rate, before the schedule", low=0.0, traced=True
    ),
    "momentum": Key(
        0.9, MATHS, "momentum (beta_1 of adam and adamw)", low=0.0, high=1.0, traced=True
    ),
    "weight_decay": Key(0.0, MATHS, "lambda of the weight decay", low=0.0, traced=True),
    "weight_decay_form": Key(
        "l2",
        MATHS,
        "l2: lambda/2 * sum of squares in the loss; l2_per_batch: the same with lambda divided by "
        "the batch size (ConvNetJS); decoupled: beside the gradient, as adamw always has it",
        choices=("l2", "l2_per_batch", "decoupled"),
    ),
    "decay_bias": Key(0.0, MATHS, "multiplier of the decay of biases; kernels have 1", low=0.0),
    "decay_batch_norm": Key(
        0.0, MATHS, "multiplier of the decay of scale and shift of batch norm", low=0.0
    ),
    "decay_slope": Key(0.0, MATHS, "multiplier of the decay of PReLU's slopes", low=0.0),
    "rate_multipliers": NumberMap(
        MATHS, "multipliers of the learning rate, by pattern: {'*/bias': 2.0} is Caffe's lr_mult"
    ),
    "decay_multipliers": NumberMap(
        MATHS, "further multipliers of the decay, by pattern: Caffe's decay_mult"
    ),
    "frozen": Key("", MATHS, "patterns of parameters that keep their values, comma-separated"),
    "clip_norm": Key(
        0.0,
        MATHS,
        "the gradient is scaled to this norm, over all, if above it; 0: never",
        low=0.0,
        traced=True,
    ),
    "filter_rms_limit": Key(
        0.0,
        MATHS,
        "convolution filters are scaled to this RMS after a step, if above it (ZFNet); 0: never",
        low=0.0,
        traced=True,
    ),
    "max_norm": Key(
        0.0,
        MATHS,
        "the incoming weights of each unit of dense and convolutional layers are scaled to this "
        "norm after a step, if above it (Srivastava et al. 2014); 0: never",
        low=0.0,
        traced=True,
    ),
    "averaging": Key(
        "none",
        MATHS,
        "a running average of the parameters, evaluated beside them: exponential, or of all steps",
        choices=("none", "ema", "polyak"),
    ),
    "averaging_decay": Key(
        0.9999,
        MATHS,
        "of ema; min(this, (1 + t) / (10 + t)) at step t",
        low=0.0,
        high=1.0,
        traced=True,
    ),
    "averaging_start_epochs": Key(
        0.0, MATHS, "when averaging begins, epochs", low=0.0, traced=True
    ),
    "kwargs": OpenDict(MATHS, "further arguments of the optimizer"),
}

SCHEDULE: Section = {
    "name": Key("constant", MATHS, "name of the schedule"),
    "warmup_epochs": Key(0.0, MATHS, "length of the warm-up, epochs", low=0.0, traced=True),
    "warmup_form": Key(
        "linear",
        MATHS,
        "the rate in the warm-up: a ramp to the schedule's, or a fixed fraction of it",
        choices=("linear", "constant"),
    ),
    "warmup_factor": Key(0.1, MATHS, "that fraction, of a constant warm-up", low=0.0),
    "kwargs": OpenDict(MATHS, "arguments of the schedule"),
}

TRAIN: Section = {
    "epochs": Key(
        10.0,
        MATHS,
        "length of the run, passes over train",
        positive=True,
        high=1e6,
        why="no run comes near it",
    ),
    "batch_size": Key(128, MATHS, "examples in one step, over all devices", low=1),
    "accumulation_steps": Key(
        1,
        MATHS,
        "the batch goes through the network in so many parts, one after another; statistics of "
        "batch norm are then those of each part",
        low=1,
    ),
    "loss": Key(
        "softmax",
        MATHS,
        "cross-entropy of the logits, or with LeCun's extra logit for none of the classes; or half "
        "the squared distance of the outputs to +1 for the label and -1 for the others",
        choices=("softmax", "lecun_1998", "mean_squared_error"),
    ),
    "label_smoothing": Key(
        0.0, MATHS, "mass moved from the label to all", low=0.0, high=1.0, traced=True
    ),
    "auxiliary_weight": Key(
        0.0,
        MATHS,
        "weight of the loss of each auxiliary head; 0: none is trained",
        low=0.0,
        traced=True,
    ),
    "auxiliary_weights": NumberMap(
        MATHS, "the same by name of the head, in its place", traced=True
    ),
    "remat": Key(
        "none",
        MATHS,
        "to save memory, the backward pass computes again all but convolutions and products, or "
        "the inside of every part (residual block, Inception module)",
        choices=("none", "pointwise", "parts"),
    ),
    "dispatch": Key(
        "chunk",
        MATHS,
        "chunk: many steps in one compiled loop; step: one dispatch a step",
        choices=("chunk", "step"),
    ),
    "chunk_steps": Key(100, RUN, "most steps in one compiled loop", low=1),
    "batch_norm_scope": Key(
        "global",
        MATHS,
        "examples that share batch-norm statistics",
        choices=("global", "per_device", "virtual"),
    ),
    "batch_norm_virtual_batch": Key(32, MATHS, "examples in a virtual batch", low=1),
}
