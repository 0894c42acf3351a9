r"""Initialisation by nonlinearity on a thin deep net: 17 layers on digits, 45 members.

python -m experiments.ablate --config=configs/ablations/init.py --workdir=runs/init

After the tables of Mishkin & Matas 2016, All you need is a good init, arXiv:1511.06422: Gaussian of
deviation 0.01, Glorot & Bengio 2010, He et al. 2015, orthogonal (Saxe et al. 2013) and LSUV, by
ReLU, tanh and maxout of two pieces. 3 seeds each. No batch norm, no dropout. The numbers:
docs/results/lsuv.md. Some ten minutes on two CPU cores.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/thin.py"
    ablation.changes = {"guard.explosion_factor": 0.0, "data_dependent_init.name": "none"}
    kernel, name = "model.kwargs.kernel_init", "data_dependent_init.name"
    ablation.factors = {
        "init": {
            "gaussian_0.01": {kernel: "gaussian(std=0.01)"},
            "glorot": {kernel: "glorot_normal"},
            "he": {kernel: "he_normal"},
            "orthogonal": {kernel: "orthogonal"},
            "lsuv": {name: "lsuv"},
        },
        "activation": {
            word: {"model.kwargs.activation": word} for word in ("relu", "tanh", "maxout")
        },
    }
    ablation.baseline = {"init": "lsuv", "activation": "relu"}
    ablation.seeds = 3
    return ablation
