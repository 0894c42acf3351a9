r"""Learning rate and weight decay of LeNet-5 on digits, coarse to fine.

python -m experiments.search --search=configs/searches/digits_lenet5.py

The base is the recipe of `configs/digits/lenet5.py` with a third of train held out as validation:
49 images would not tell two trials apart.
"""

from cnn_jax.config import schema


def get_search() -> schema.Search:
    """Returns the search."""
    search = schema.base_search()
    search.base = "configs/digits/lenet5.py"
    search.trial_changes = {"data.validation_folds": 3, "data.validation_fold": 2}
    search.ranges = {
        "optim.learning_rate": schema.LogUniform(1e-4, 1.0),
        "optim.weight_decay": schema.LogUniform(1e-6, 1e-1),
    }
    search.stages = (
        schema.Stage(trials=40, epochs=3.0, kept=8),
        schema.Stage(trials=16, epochs=10.0, kept=4),
        schema.Stage(trials=8, epochs=30.0),
    )
    return search
