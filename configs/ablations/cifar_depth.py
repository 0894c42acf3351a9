r"""Do residual connections let depth help on photographs, where a plain net gets worse?

python -m experiments.ablate --config=configs/ablations/cifar_depth.py --config.data.directory=DATA
python -m experiments.ablate --config=configs/ablations/cifar_depth.py \
  --config.data.source=folder --config.data.directory=IMAGES

He et al. 2015, arXiv:1512.03385, section 4.2 and Figure 6: plain nets of more layers have a higher
training error, residual nets a lower one. CIFAR nets of 20, 32, 44 and 56 layers with and without
the shortcuts, a quarter as wide (4, 8 and 16 maps), of 2 passes where the paper makes 164: what is
compared is nets under one small budget, and no error here is one of the paper's. DATA has the
official files of CIFAR-10, IMAGES colour images of 32x32 in one sub-folder a class. 3 seeds, 24
members. Estimate: six minutes of a CPU core a member, 70 minutes for all on two.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    base = schema.base_config()
    base.data.source = "cifar10"
    base.data.validation_folds = 10
    base.data.flip = True
    base.data.shift_pixels = 4.0
    base.data.shift_form = "whole"
    base.data.border = "mean"
    base.data.normalisation = "channel_mean"
    base.model.name = "cifar_resnet"
    base.model.kwargs = {"width": 0.25}
    base.optim.learning_rate = 0.05
    base.optim.weight_decay = 1e-4
    base.schedule.name = "cosine"
    base.schedule.warmup_epochs = 0.2
    base.train.epochs = 2.0
    base.train.batch_size = 64
    base.evaluation.every_epochs = 0.5
    ablation = schema.base_ablation()
    ablation.base = base
    ablation.factors = {
        "shortcut": {
            "residual": {"model.kwargs.residual": True},
            "plain": {"model.kwargs.residual": False},
        },
        "depth": {str(depth): {"model.kwargs.depth": depth} for depth in (20, 32, 44, 56)},
    }
    ablation.seeds = 3
    return ablation
