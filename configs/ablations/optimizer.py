r"""Which optimizer, at which rate? Each at a usual rate, at three times and at a third of it.

python -m experiments.ablate --config=configs/ablations/optimizer.py

The updates compared in the CS231n course notes (A. Karpathy 2015, "Neural Networks Part 3"): plain
gradient descent, momentum, Nesterov's, RMSProp (Tieleman & Hinton 2012), Adadelta (Zeiler 2012) and
Adam (Kingma & Ba 2015). A ranking means little at one rate each: the three rates show how much
hangs on it. An MLP on digits; 5 seeds, 90 members; about a minute on two CPU cores.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/mlp.py"
    ablation.changes = {"train.epochs": 15.0, "evaluation.batch_size": 64}
    rates = {
        "sgd": 0.1,
        "momentum": 0.02,
        "nesterov": 0.02,
        "rmsprop": 0.0003,
        "adadelta": 1.0,
        "adam": 0.001,
    }
    ablation.factors = {
        "optimizer": {
            f"{name} {times}": {"optim.name": name, "optim.learning_rate": rate * factor}
            for name, rate in rates.items()
            for times, factor in {"x1": 1.0, "x3": 3.0, "/3": 1 / 3}.items()
        }
    }
    ablation.seeds = 5
    return ablation
