r"""Does a rectifier train faster than a saturating unit?

python -m experiments.ablate --config=configs/ablations/activation.py

Krizhevsky et al. 2012 (NIPS), section 3.1 and Figure 1: a net of ReLUs reaches a training error of
25 % on CIFAR-10 six times as fast as one of tanh units. LeNet-5 on digits with logistic, tanh,
scaled tanh, ReLU, leaky ReLU and PReLU units, each with the initialisation that was derived for it.
5 seeds, 30 members; about a minute on two CPU cores.
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
        "model.kwargs.dropout_rate": 0.0,
        "model.kwargs.norm": "none",
        "optim.learning_rate": 0.01,
        "train.epochs": 20.0,
        "evaluation.batch_size": 64,
    }
    scheme = {
        "relu": "he_normal",
        "tanh": "glorot_normal",
        "sigmoid": "glorot_normal",
        "scaled_tanh": "lecun_normal",
        "leaky_relu": "he_normal",
        "prelu": "he_normal(slope=0.25)",
    }
    ablation.factors = {
        "activation": {
            name: {"model.kwargs.activation": name, "model.kwargs.kernel_init": initialiser}
            for name, initialiser in scheme.items()
        }
    }
    ablation.seeds = 5
    return ablation
