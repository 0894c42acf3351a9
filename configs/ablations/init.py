r"""Which initialisation trains a deep plain network, with tanh and with ReLU?

python -m experiments.ablate --config=configs/ablations/init.py

Glorot & Bengio 2010 (AISTATS) derive the scale that keeps the variance of signals through layers
that are linear about zero; He et al. 2015, arXiv:1502.01852, section 2.2, that of rectifiers, twice
as large. Ten hidden layers of 64 units on digits: Gaussian of deviation 0.01, LeCun, Glorot, He and
orthogonal weights, each below tanh and below ReLU. 5 seeds, 50 members; about a minute on two CPU
cores.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/mlp.py"
    ablation.changes = {
        "model.kwargs.layers": (64,) * 10,
        "optim.learning_rate": 0.01,
        "train.epochs": 15.0,
        "evaluation.batch_size": 64,
    }
    schemes = {
        "he": "he_normal",
        "glorot": "glorot_normal",
        "lecun": "lecun_normal",
        "orthogonal": "orthogonal",
        "gaussian_0.01": "gaussian(std=0.01)",
    }
    ablation.factors = {
        "activation": {name: {"model.kwargs.activation": name} for name in ("relu", "tanh")},
        "init": {name: {"model.kwargs.kernel_init": scheme} for name, scheme in schemes.items()},
    }
    ablation.seeds = 5
    return ablation
