r"""With and without dropout, by architecture: Figure 4 of N. Srivastava et al. 2014, on MNIST.

python -m experiments.ablate --config=configs/ablations/dropout_2014_figure_4.py

takes --config.data.directory=DATA beside it, a directory with the four official files of MNIST.
JMLR 15:1929-1958, section 6.1.1 and appendix B.1: the test errors over a million steps of nets of
two to four layers of 1,024 and 2,048 ReLUs make two clusters, and those with dropout are in the
lower one whatever the architecture. Here the recipe of configs/mnist/dropout_2014.py:max_norm with
and without its dropout, at 10 passes where the paper has 1,667, and by default the three nets of
1,024: `dropout_2014_figure_4.py:all` has all six. The curves are those of the last 10,000 images of
train, which are held out; test is reported at the end. 3 seeds, 18 members; about 90 minutes on two
CPU cores, and `all` takes four times as long.
"""

from cnn_jax.config import schema

VARIANTS = {"1024": (1024,), "all": (1024, 2048)}


def get_config(word: str = "1024") -> schema.Ablation:
    """Returns the ablation of the widths that a word names."""
    ablation = schema.base_ablation()
    ablation.base = "configs/mnist/dropout_2014.py:max_norm"
    ablation.changes = {
        "data.validation_folds": 6,
        "data.validation_fold": 5,  # the last 10,000 of train
        "data.validation_rule": "contiguous",
    }
    rate = "model.kwargs.dropout_rate"
    dropped = {"input": 0.2} | {f"fc{i}": 0.5 for i in range(1, 5)}
    ablation.factors = {
        "architecture": {
            f"{depth}x{width}": {"model.kwargs.layers": (width,) * depth}
            for width in schema.choose(VARIANTS, word)
            for depth in (2, 3, 4)
        },
        "dropout": {"without": {rate: 0.0}, "with": {rate: dropped}},
    }
    ablation.seeds = 3
    return ablation
