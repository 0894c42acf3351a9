r"""Do residual connections let depth help, where a plain net gets worse?

python -m experiments.ablate --config=configs/ablations/depth.py

He et al. 2015, arXiv:1512.03385, Figures 1 and 6: plain nets of more layers have a higher training
error, residual nets a lower one. CIFAR ResNets of 8, 20 and 32 layers, half as wide, with and
without the shortcuts, on procedural images of 10 classes. 3 seeds, 18 members; some ten minutes on
two CPU cores.
"""

from cnn_jax.config import schema


def get_config() -> schema.Ablation:
    """Returns the ablation."""
    base = schema.base_config()
    base.data.source = "synthetic"
    base.data.kwargs = {"train": 1024, "test": 512, "size": 16, "channels": 3, "classes": 10}
    base.model.name = "cifar_resnet"
    base.model.kwargs = {"width": 0.5}
    base.optim.learning_rate = 0.05
    base.optim.weight_decay = 1e-4
    base.schedule.name = "cosine"
    base.train.epochs = 10.0
    base.train.batch_size = 64
    base.evaluation.every_epochs = 2.0
    ablation = schema.base_ablation()
    ablation.base = base
    ablation.factors = {
        "shortcut": {
            "residual": {"model.kwargs.residual": True},
            "plain": {"model.kwargs.residual": False},
        },
        "depth": {str(depth): {"model.kwargs.depth": depth} for depth in (8, 20, 32)},
    }
    ablation.seeds = 3
    return ablation
