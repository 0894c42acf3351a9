r"""Does batch norm make initialisation and dropout matter less? LeNet-5 on digits, 180 members.

python -m experiments.ablate --config=configs/ablations/init_x_batchnorm_x_dropout.py

Ioffe & Szegedy 2015, arXiv:1502.03167, say of batch normalisation that it "allows us to use much
higher learning rates and be less careful about initialization", and that it can take the place of
dropout. Here: initialisation (Gaussian of deviation 0.01, Glorot & Bengio 2010, He et al. 2015) x
batch norm (without, with) x dropout after C5 and F6 (none, 0.25, 0.5), 10 seeds each, 20 epochs.
Some five minutes on two CPU cores.
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
        "train.epochs": 20.0,
        "evaluation.batch_size": 64,
        "evaluation.every_epochs": 2.0,
        "log.every_steps": 10,
    }
    kernel, norm, rate = (
        f"model.kwargs.{name}" for name in ("kernel_init", "norm", "dropout_rate")
    )
    ablation.factors = {
        "init": {
            "he": {kernel: "he_normal"},
            "glorot": {kernel: "glorot_uniform"},
            "gaussian_0.01": {kernel: "gaussian(std=0.01)"},
        },
        "norm": {"none": {norm: "none"}, "batch": {norm: "batch"}},
        "dropout": {"0": {rate: 0.0}, "0.25": {rate: 0.25}, "0.5": {rate: 0.5}},
    }
    ablation.seeds = 10
    return ablation
