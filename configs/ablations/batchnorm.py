r"""Batch norm: fewer steps, larger rates, less depends on initialisation. LeNet-5 on digits.

python -m experiments.ablate --config=configs/ablations/batchnorm.py

S. Ioffe & C. Szegedy 2015, arXiv:1502.03167, section 4.2: with batch normalisation the same network
comes to the same error in fewer steps, and trains with 5 and with 30 times the learning rate, at
which it does not train without; and initialisation matters less. Here: norm x rate (1, 5 and 30
times 0.01) x initialisation, 5 seeds, 90 members; a third of train is held out as validation. Some
five CPU minutes. Results: docs/results/batchnorm.md.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/lenet5.py"
    kernel, norm, rate = "model.kwargs.kernel_init", "model.kwargs.norm", "optim.learning_rate"
    ablation.changes = {
        "data.validation_folds": 3,
        "data.validation_fold": 2,
        "data.shift_pixels": 0.0,
        "data.scale": 0.0,
        "data.rotation_degrees": 0.0,
        "model.kwargs.dropout_rate": 0.0,
        "schedule.name": "constant",
        "train.epochs": 15.0,
        "train.batch_size": 32,
        "evaluation.every_epochs": 0.5,
    }
    ablation.factors = {
        "norm": {"none": {norm: "none"}, "batch": {norm: "batch"}},
        "rate": {"0.01": {rate: 0.01}, "0.05": {rate: 0.05}, "0.3": {rate: 0.3}},
        "init": {
            "he": {kernel: "he_normal"},
            "glorot": {kernel: "glorot_uniform"},
            "gaussian_0.01": {kernel: "gaussian(std=0.01)"},
        },
    }
    ablation.seeds = 5
    return ablation
