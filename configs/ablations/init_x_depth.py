r"""Glorot's initialisation against He's by depth: 14 and 30 layers of ReLUs on digits, 20 members.

python -m experiments.ablate --config=configs/ablations/init_x_depth.py --workdir=runs/init_x_depth

He et al. 2015, arXiv:1502.01852, section 2.2: a net of 30 layers that starts from Var[w] = 1 / fan
"completely stalls", where Var[w] = 2 / fan converges (Figure 3); nets of 14 layers converge from
both. Here both are normal; Glorot's fan is the mean of fan-in and fan-out, which is the paper's
"Xavier" where a layer is as wide as the one before it: 10 of 14 and 26 of 30 layers. 5 seeds each.
The numbers: docs/results/he_initialisation.md. Some five minutes on two CPU cores.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/plain.py:30"
    ablation.changes = {"guard.explosion_factor": 0.0}
    ablation.factors = {
        "layers": {
            "14": {"model.kwargs.convs_per_stage": 11},
            "30": {"model.kwargs.convs_per_stage": 27},
        },
        "init": {
            "he": {"model.kwargs.kernel_init": "he_normal"},
            "glorot": {"model.kwargs.kernel_init": "glorot_normal"},
        },
    }
    ablation.seeds = 5
    return ablation
