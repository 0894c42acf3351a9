"""GoogLeNet and Inception-v3 in PyTorch, from the papers' tables, named as torchvision does."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from tests.parity.sequential_networks import scaled

Outputs = tuple[torch.Tensor, dict[str, torch.Tensor]]

# Szegedy et al. 2014, Table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
GOOGLENET = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class Unit(nn.Module):
    """A convolution without bias, batch norm (epsilon 0.001), ReLU."""

    def __init__(self, channels: int, features: int, size: int | tuple[int, int], **how: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, features, size, bias=False, **how)
        self.bn = nn.BatchNorm2d(features, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.bn(self.conv(x)))


class GoogLeNetModule(nn.Module):
    """An Inception module; torchvision's second tower of 3x3 stands where the paper has 5x5."""

    def __init__(self, channels: int, widths: tuple[int, ...]):
        super().__init__()
        n1, r3, n3, r5, n5, pool = widths
        self.branch1 = Unit(channels, n1, 1)
        self.branch2 = nn.Sequential(Unit(channels, r3, 1), Unit(r3, n3, 3, padding=1))
        self.branch3 = nn.Sequential(Unit(channels, r5, 1), Unit(r5, n5, 3, padding=1))
        pooling = nn.MaxPool2d(3, 1, 1, ceil_mode=True)
        self.branch4 = nn.Sequential(pooling, Unit(channels, pool, 1))
        self.features = n1 + n3 + n5 + pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.get_submodule(f"branch{i}")(x) for i in range(1, 5)], 1)


class GoogLeNetHead(nn.Module):
    def __init__(self, channels: int, classes: int, width: float):
        super().__init__()
        features, hidden = scaled(128, width), scaled(1024, width)
        self.conv = Unit(channels, features, 1)
        self.fc1 = nn.Linear(16 * features, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, 4))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


class GoogLeNet(nn.Module):
    def __init__(self, classes: int, width: float = 1.0):
        super().__init__()
        c1, c3 = scaled(64, width), scaled(192, width)
        self.conv1 = Unit(3, c1, 7, stride=2, padding=3)
        self.conv2 = Unit(c1, c1, 1)
        self.conv3 = Unit(c1, c3, 3, padding=1)
        channels = c3
        for name, widths in GOOGLENET.items():
            module = GoogLeNetModule(channels, tuple(scaled(n, width) for n in widths))
            self.add_module(f"inception{name}", module)
            channels = module.features
            if name in ("4a", "4d"):
                head = GoogLeNetHead(channels, classes, width)
                self.add_module("aux1" if name == "4a" else "aux2", head)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> Outputs:
        pool = partial(F.max_pool2d, kernel_size=3, stride=2, ceil_mode=True)
        x = pool(self.conv3(self.conv2(pool(self.conv1(x)))))
        auxiliary = {}
        for name in GOOGLENET:
            if name == "4a":
                x = pool(x)
            elif name == "5a":
                x = F.max_pool2d(x, 2, 2, ceil_mode=True)
            x = self.get_submodule(f"inception{name}")(x)
            if name in ("4a", "4d"):
                head = "aux1" if name == "4a" else "aux2"
                auxiliary[head] = self.get_submodule(head)(x)
        return self.fc(x.mean((2, 3))), auxiliary


# Szegedy et al. 2015 (arXiv:1512.00567), Figures 5, 6, 7 and 10, as released: of every tower its
# convolutions (name, features, kernel, stride). Without padding where the grid becomes smaller.
TOWER = tuple[tuple[str, int, tuple[int, int], int], ...]


def module_35(pool: int) -> tuple[TOWER, ...]:
    return (
        (("branch1x1", 64, (1, 1), 1),),
        (("branch5x5_1", 48, (1, 1), 1), ("branch5x5_2", 64, (5, 5), 1)),
        (
            ("branch3x3dbl_1", 64, (1, 1), 1),
            ("branch3x3dbl_2", 96, (3, 3), 1),
            ("branch3x3dbl_3", 96, (3, 3), 1),
        ),
        (("branch_pool", pool, (1, 1), 1),),
    )


def module_17(n: int) -> tuple[TOWER, ...]:
    return (
        (("branch1x1", 192, (1, 1), 1),),
        (
            ("branch7x7_1", n, (1, 1), 1),
            ("branch7x7_2", n, (1, 7), 1),
            ("branch7x7_3", 192, (7, 1), 1),
        ),
        (
            ("branch7x7dbl_1", n, (1, 1), 1),
            ("branch7x7dbl_2", n, (7, 1), 1),
            ("branch7x7dbl_3", n, (1, 7), 1),
            ("branch7x7dbl_4", n, (7, 1), 1),
            ("branch7x7dbl_5", 192, (1, 7), 1),
        ),
        (("branch_pool", 192, (1, 1), 1),),
    )


REDUCTION_17: tuple[TOWER, ...] = (
    (("branch3x3", 384, (3, 3), 2),),
    (
        ("branch3x3dbl_1", 64, (1, 1), 1),
        ("branch3x3dbl_2", 96, (3, 3), 1),
        ("branch3x3dbl_3", 96, (3, 3), 2),
    ),
    (),
)
REDUCTION_8: tuple[TOWER, ...] = (
    (("branch3x3_1", 192, (1, 1), 1), ("branch3x3_2", 320, (3, 3), 2)),
    (
        ("branch7x7x3_1", 192, (1, 1), 1),
        ("branch7x7x3_2", 192, (1, 7), 1),
        ("branch7x7x3_3", 192, (7, 1), 1),
        ("branch7x7x3_4", 192, (3, 3), 2),
    ),
    (),
)
# The towers that end in `a` and `b` fork: both see what came before, and stand side by side.
MODULE_8: tuple[TOWER, ...] = (
    (("branch1x1", 320, (1, 1), 1),),
    (
        ("branch3x3_1", 384, (1, 1), 1),
        ("branch3x3_2a", 384, (1, 3), 1),
        ("branch3x3_2b", 384, (3, 1), 1),
    ),
    (
        ("branch3x3dbl_1", 448, (1, 1), 1),
        ("branch3x3dbl_2", 384, (3, 3), 1),
        ("branch3x3dbl_3a", 384, (1, 3), 1),
        ("branch3x3dbl_3b", 384, (3, 1), 1),
    ),
    (("branch_pool", 192, (1, 1), 1),),
)
INCEPTION_V3: dict[str, tuple[TOWER, ...]] = {
    "Mixed_5b": module_35(32),
    "Mixed_5c": module_35(64),
    "Mixed_5d": module_35(64),
    "Mixed_6a": REDUCTION_17,
    "Mixed_6b": module_17(128),
    "Mixed_6c": module_17(160),
    "Mixed_6d": module_17(160),
    "Mixed_6e": module_17(192),
    "Mixed_7a": REDUCTION_8,
    "Mixed_7b": MODULE_8,
    "Mixed_7c": MODULE_8,
}
STEM = (  # name, features, kernel, stride, padding; max pooling 3x3/2 after 2b and 4a
    ("Conv2d_1a_3x3", 32, 3, 2, 0),
    ("Conv2d_2a_3x3", 32, 3, 1, 0),
    ("Conv2d_2b_3x3", 64, 3, 1, 1),
    ("Conv2d_3b_1x1", 80, 1, 1, 0),
    ("Conv2d_4a_3x3", 192, 3, 1, 0),
)


class InceptionModule(nn.Module):
    def __init__(self, channels: int, towers: tuple[TOWER, ...], width: float):
        super().__init__()
        self.towers, self.features = towers, 0
        for tower in towers:
            before, ends = channels, [channels if not tower else 0]
            for name, features, kernel, stride in tower:
                padding = (kernel[0] // 2, kernel[1] // 2) if stride == 1 else (0, 0)
                how = {"stride": stride, "padding": padding}
                after = scaled(features, width)
                self.add_module(name, Unit(before, after, kernel, **how))
                forks = name.endswith(("a", "b"))
                ends = [*(ends if name.endswith("b") else []), after]
                before = before if forks else after
            self.features += sum(ends)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = []
        for tower in self.towers:
            if not tower:
                outputs.append(F.max_pool2d(x, 3, 2))
                continue
            y = F.avg_pool2d(x, 3, 1, 1) if tower[0][0] == "branch_pool" else x
            ends = [y]
            for name, *_ in tower:
                end = self.get_submodule(name)(y)
                ends = [*(ends if name.endswith("b") else []), end]
                y = y if name.endswith(("a", "b")) else end
            outputs += ends
        return torch.cat(outputs, 1)


class InceptionHead(nn.Module):
    def __init__(self, channels: int, classes: int, width: float):
        super().__init__()
        self.conv0 = Unit(channels, scaled(128, width), 1)
        self.conv1 = Unit(scaled(128, width), scaled(768, width), 5)
        self.fc = nn.Linear(scaled(768, width), classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, 5, 3)))
        return self.fc(x.mean((2, 3)))


class InceptionV3(nn.Module):
    def __init__(self, classes: int, width: float = 1.0, auxiliary: bool = True):
        super().__init__()
        channels = 3
        for name, features, size, stride, padding in STEM:
            unit = Unit(channels, scaled(features, width), size, stride=stride, padding=padding)
            self.add_module(name, unit)
            channels = scaled(features, width)
        for name, towers in INCEPTION_V3.items():
            module = InceptionModule(channels, towers, width)
            self.add_module(name, module)
            channels = module.features
            if name == "Mixed_6e" and auxiliary:
                self.AuxLogits = InceptionHead(channels, classes, width)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> Outputs:
        for name, *_ in STEM:
            x = self.get_submodule(name)(x)
            x = F.max_pool2d(x, 3, 2) if name.endswith(("2b_3x3", "4a_3x3")) else x
        auxiliary = {}
        for name in INCEPTION_V3:
            x = self.get_submodule(name)(x)
            if name == "Mixed_6e" and hasattr(self, "AuxLogits"):
                auxiliary["aux"] = self.AuxLogits(x)
        return self.fc(x.mean((2, 3))), auxiliary
