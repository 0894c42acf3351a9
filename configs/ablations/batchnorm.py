r"""Does batch norm train in fewer steps, and at how much higher a learning rate?

python -m experiments.ablate --config=configs/ablations/batchnorm.py

Ioffe & Szegedy 2015, arXiv:1502.03167, section 4.2: with batch normalisation the same network
reaches the baseline's error in a fraction of the steps, and stands a learning rate 5 and 30 times
as high (their BN-x5 and BN-x30). LeNet-5 with sigmoid units, as in their section 4.1, on digits; 5
seeds, 40 members; some two minutes on two CPU cores.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/lenet5.py"
    ablation.changes = {
        "data.shift_pixels": 0.0,
        "data.scale": 0.0,
        "data.rotation_degrees": 0.0,
        "model.kwargs.activation": "sigmoid",
        "model.kwargs.dropout_rate": 0.0,
        "model.kwargs.kernel_init": "glorot_normal",
        "schedule.name": "constant",
        "train.epochs": 20.0,
        "evaluation.batch_size": 64,
    }
    base = 0.02
    rates = {f"x{times:g}": {"optim.learning_rate": base * times} for times in (1, 5, 30, 100)}
    ablation.factors = {
        "norm": {name: {"model.kwargs.norm": name} for name in ("none", "batch")},
        "rate": rates,
    }
    ablation.seeds = 5
    return ablation
