r"""Dropout against overfitting: LeNet-5 on 200 digits, without and with batch norm.

python -m experiments.ablate --config=configs/ablations/dropout.py

N. Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting, JMLR
15: a net with far more parameters than examples fits them all, and dropout narrows the gap between
train and test error. Here 61,706 parameters and 200 examples; dropout after C5 and F6. S. Ioffe &
C. Szegedy 2015, section 4.2.1, remove dropout where there is batch norm; what the two do together
is the interaction in the table. 10 seeds, 60 members, some five CPU minutes. Results:
docs/results/dropout.md.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    ablation = schema.base_ablation()
    ablation.base = "configs/digits/lenet5.py"
    ablation.changes = {
        "data.train_examples": 200,
        "data.shift_pixels": 0.0,
        "data.scale": 0.0,
        "data.rotation_degrees": 0.0,
        "optim.learning_rate": 0.01,
        "optim.weight_decay": 0.0,
        "train.epochs": 60.0,
        "train.batch_size": 20,
        "evaluation.every_epochs": 3.0,
    }
    rate, norm = "model.kwargs.dropout_rate", "model.kwargs.norm"
    ablation.factors = {
        "dropout": {"0": {rate: 0.0}, "0.25": {rate: 0.25}, "0.5": {rate: 0.5}},
        "norm": {"none": {norm: "none"}, "batch": {norm: "batch"}},
    }
    ablation.seeds = 10
    return ablation
