r"""Does dropout narrow the gap between train and test error of a wide net on few examples?

python -m experiments.ablate --config=configs/ablations/dropout.py

Srivastava et al. 2014, JMLR 15, section 7.4 and Figure 10: the gain of dropout depends on how many
examples there are. Two hidden layers of 256 units on the first 100, 250 and 750 digits, dropout
behind each of 0, 0.25, 0.5 and 0.75. 5 seeds, 60 members; some two minutes on two CPU cores.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/mlp.py"
    ablation.changes = {
        "model.kwargs.layers": (256, 256),
        "optim.learning_rate": 0.05,
        "optim.weight_decay": 0.0,
        "train.batch_size": 50,
        "evaluation.batch_size": 64,
        "evaluation.every_epochs": 10.0,
    }
    rates = (0.0, 0.25, 0.5, 0.75)
    # As many steps for each: 600.
    sizes = {100: 300.0, 250: 120.0, 750: 40.0}
    ablation.factors = {
        "examples": {
            str(examples): {"data.train_examples": examples, "train.epochs": epochs}
            for examples, epochs in sizes.items()
        },
        "dropout": {f"{rate:g}": {"model.kwargs.dropout_rate": rate} for rate in rates},
    }
    ablation.seeds = 5
    return ablation
