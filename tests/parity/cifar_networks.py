"""Residual networks for CIFAR in PyTorch, under the names that they are published under."""

import torch
from torch import nn
from torch.nn import functional as F


class Zeros(nn.Module):
    """Option A: every second pixel, with `before` maps of zeros before the old ones."""

    def __init__(self, before: int, behind: int):
        super().__init__()
        self.pad = (0, 0, 0, 0, before, behind)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x[:, :, ::2, ::2], self.pad)


def conv3x3(channels: int, features: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, features, 3, stride, padding=1, bias=False)


def projection(channels: int, features: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, features, 1, stride, bias=False)


class InLayers(nn.Module):
    """`layer1.0.conv1`; the shortcut of option B, `project`, is called as its users call it."""

    class Block(nn.Module):
        def __init__(self, channels: int, features: int, stride: int, option: str, project: str):
            super().__init__()
            self.conv1, self.bn1 = conv3x3(channels, features, stride), nn.BatchNorm2d(features)
            self.conv2, self.bn2 = conv3x3(features, features), nn.BatchNorm2d(features)
            shortcut: nn.Module = nn.Sequential()
            if stride != 1 and option == "A":
                shortcut = Zeros(features // 4, features // 4)
            elif stride != 1:
                shortcut = nn.Sequential(
                    projection(channels, features, stride), nn.BatchNorm2d(features)
                )
            self.project = project
            self.add_module(project, shortcut)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            return F.relu(y + self.get_submodule(self.project)(x))

    def __init__(
        self,
        classes: int,
        blocks: tuple[int, ...],
        option: str = "A",
        width: int = 16,
        project: str = "shortcut",
        head: str = "linear",
    ):
        super().__init__()
        channels, self.head, self.stages = width, head, len(blocks)
        self.conv1, self.bn1 = conv3x3(3, width), nn.BatchNorm2d(width)
        for stage, count in enumerate(blocks):
            parts = []
            for i in range(count):
                stride = 2 if stage and not i else 1
                parts.append(self.Block(channels, width * 2**stage, stride, option, project))
                channels = width * 2**stage
            self.add_module(f"layer{stage + 1}", nn.Sequential(*parts))
        self.add_module(head, nn.Linear(channels, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return self.get_submodule(self.head)(x.mean((2, 3)))


class InStages(nn.Module):
    """`stage1.block1.conv1`, option B, the original blocks or those with pre-activation."""

    class Block(nn.Module):
        def __init__(self, channels: int, features: int, stride: int, preactivation: bool):
            super().__init__()
            before = channels if preactivation else features
            self.conv1, self.bn1 = conv3x3(channels, features, stride), nn.BatchNorm2d(before)
            self.conv2, self.bn2 = conv3x3(features, features), nn.BatchNorm2d(features)
            self.shortcut = nn.Sequential()
            if channels != features:
                self.shortcut.add_module("conv", projection(channels, features, stride))
                if not preactivation:
                    self.shortcut.add_module("bn", nn.BatchNorm2d(features))

    def __init__(self, classes: int, blocks: int, preactivation: bool, width: int = 16):
        super().__init__()
        self.preactivation, channels = preactivation, width
        self.conv = conv3x3(3, width)
        for stage in range(3):
            features, parts = width * 2**stage, nn.Sequential()
            for i in range(blocks):
                block = self.Block(channels, features, 2 if stage and not i else 1, preactivation)
                parts.add_module(f"block{i + 1}", block)
                channels = features
            self.add_module(f"stage{stage + 1}", parts)
        self.bn = nn.BatchNorm2d(channels if preactivation else width)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x) if self.preactivation else F.relu(self.bn(self.conv(x)))
        for stage in (1, 2, 3):
            for i, block in enumerate(self.get_submodule(f"stage{stage}").children()):
                x = (
                    self._preactivated(block, x, first=i == 0)
                    if self.preactivation
                    else (self._original(block, x))
                )
        x = F.relu(self.bn(x)) if self.preactivation else x
        return self.fc(x.mean((2, 3)))

    @staticmethod
    def _original(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
        return F.relu(y + block.shortcut(x))

    @staticmethod
    def _preactivated(block: nn.Module, x: torch.Tensor, first: bool) -> torch.Tensor:
        y = F.relu(block.bn1(x))
        x = y if first else x
        return block.conv2(F.relu(block.bn2(block.conv1(y)))) + block.shortcut(x)


class InLetters(nn.Module):
    """`stage_1.0.conv_a`, option A with all new maps behind the old ones."""

    class Block(nn.Module):
        def __init__(self, channels: int, features: int, stride: int):
            super().__init__()
            self.conv_a, self.bn_a = conv3x3(channels, features, stride), nn.BatchNorm2d(features)
            self.conv_b, self.bn_b = conv3x3(features, features), nn.BatchNorm2d(features)
            self.downsample = Zeros(0, features - channels) if stride != 1 else nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.bn_b(self.conv_b(F.relu(self.bn_a(self.conv_a(x)))))
            return F.relu(y + self.downsample(x))

    def __init__(self, classes: int, blocks: int, width: int = 16):
        super().__init__()
        channels = width
        self.conv_1_3x3, self.bn_1 = conv3x3(3, width), nn.BatchNorm2d(width)
        for stage in range(3):
            parts = []
            for i in range(blocks):
                parts.append(self.Block(channels, width * 2**stage, 2 if stage and not i else 1))
                channels = width * 2**stage
            self.add_module(f"stage_{stage + 1}", nn.Sequential(*parts))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn_1(self.conv_1_3x3(x)))
        return self.classifier(self.stage_3(self.stage_2(self.stage_1(x))).mean((2, 3)))
