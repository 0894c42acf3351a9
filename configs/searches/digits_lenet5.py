r"""Learning rate and weight decay of LeNet-5 on digits, coarse to fine.

python -m experiments.search --config=configs/searches/digits_lenet5.py

The base is the recipe of `configs/digits/lenet5.py` with a third of train held out as validation:
49 images would not tell two trials apart.
"""

from cnn_jax.config import schema


def get_config() -> schema.Search:
    """Returns the search."""
    search = schema.base_search()
    search.base = "configs/digits/lenet5.py"
    search.trial_changes = {"data.validation_folds": 3, "data.validation_fold": 2}
    search.ranges = {
        "optim.learning_rate": schema.LogUniform(1e-4, 1.0),
        "optim.weight_decay": schema.LogUniform(1e-6, 1e-1),
    }
    search.stages = (
        schema.Stage(trials=24, epochs=3.0, kept=6),
        schema.Stage(trials=10, epochs=8.0, kept=4),
        schema.Stage(trials=5, epochs=20.0),
    )
    return search
