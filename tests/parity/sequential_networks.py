"""AlexNet, VGG and ResNet in PyTorch, from the papers' layer tables, named as torchvision does."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

# Simonyan & Zisserman 2014, Table 1, column D: the widths of the blocks of 3x3 convolutions.
VGG_16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# He et al. 2015, Table 1: blocks in conv2_x to conv5_x, and whether they are bottlenecks.
RESNETS = {18: ((2, 2, 2, 2), False), 34: ((3, 4, 6, 3), False), 50: ((3, 4, 6, 3), True)}


def scaled(features: int, width: float) -> int:
    return max(1, round(features * width))


def classifier(dropped: Sequence[int], inputs: int, hidden: int, classes: int) -> nn.Sequential:
    """fc6, fc7, fc8: dropout after the first two, or before them, as `dropped` says."""
    layers: list[nn.Module] = [nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden)]
    layers += [nn.ReLU(), nn.Linear(hidden, classes)]
    for place in dropped:
        layers.insert(place, nn.Dropout())
    return nn.Sequential(*layers)


class AlexNet(nn.Module):
    """Krizhevsky 2014, one tower, as torchvision has it: features.0 to .10, classifier.1 to .6."""

    def __init__(self, classes: int, size: tuple[int, int], width: float = 1.0):
        super().__init__()
        c1, c2, c3, c4, c5, fc = (scaled(n, width) for n in (64, 192, 384, 256, 256, 4096))
        pool = lambda: nn.MaxPool2d(3, 2)
        self.features = nn.Sequential(
            *(nn.Conv2d(3, c1, 11, 4, 2), nn.ReLU(), pool()),
            *(nn.Conv2d(c1, c2, 5, padding=2), nn.ReLU(), pool()),
            *(nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(c3, c4, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(c4, c5, 3, padding=1), nn.ReLU(), pool()),
        )
        last = self.features(torch.zeros(1, 3, *size)).numel()
        self.classifier = classifier((0, 3), last, fc, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


class VGG(nn.Module):
    """Simonyan & Zisserman 2014, with batch norm before every ReLU of a convolution."""

    def __init__(self, classes: int, size: tuple[int, int], width: float = 1.0):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for block in VGG_16:
            for features in (scaled(n, width) for n in block):
                layers.append(nn.Conv2d(channels, features, 3, padding=1))
                layers += [nn.BatchNorm2d(features), nn.ReLU()]
                channels = features
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        last = channels * (size[0] // 32) * (size[1] // 32)
        self.classifier = classifier((2, 5), last, scaled(4096, width), classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


class Block(nn.Module):
    """A residual block with a projection where its shape changes; stride in the 3x3 (v1.5)."""

    def __init__(self, channels: int, middle: int, output: int, stride: int, bottleneck: bool):
        super().__init__()
        sizes, widths = (
            ((1, 3, 1), (middle, middle, output)) if bottleneck else ((3, 3), (output,) * 2)
        )
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        self.depth, before = len(sizes), channels
        for i, (size, after) in enumerate(zip(sizes, widths, strict=True)):
            conv = nn.Conv2d(before, after, size, strides[i], size // 2, bias=False)
            self.add_module(f"conv{i + 1}", conv)
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(after))
            before = after
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or channels != output:
            projection = nn.Conv2d(channels, output, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(output))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for i in range(1, self.depth + 1):
            y = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(y))
            y = y + self.downsample(x) if i == self.depth else y
            y = torch.relu(y)
        return y


class ResNet(nn.Module):
    """He et al. 2015, Table 1, projection shortcuts (option B)."""

    def __init__(self, depth: int, classes: int, width: float = 1.0):
        super().__init__()
        counts, bottleneck = RESNETS[depth]
        channels = scaled(64, width)
        self.conv1 = nn.Conv2d(3, channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage, count in enumerate(counts):
            middle = scaled(64 * 2**stage, width)
            output = 4 * middle if bottleneck else middle
            blocks = []
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                blocks.append(Block(channels, middle, output, stride, bottleneck))
                channels = output
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def stages(self) -> Iterator[nn.Module]:
        yield from (self.get_submodule(f"layer{i}") for i in range(1, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in self.stages():
            x = stage(x)
        return self.fc(x.mean((2, 3)))
