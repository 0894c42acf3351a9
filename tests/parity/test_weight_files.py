"""Files that PyTorch writes are read here as PyTorch reads them, to the last bit."""

import argparse
import collections
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from cnn_jax.transfer.state_dicts import WeightsFile, load

DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
)
WAYS = [(True, protocol) for protocol in (2, 3, 4, 5)] + [(False, p) for p in (2, 4)]


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    whole = torch.randn(7, 6, 5)
    kinds = {f"{dtype}.weight": (50 * torch.randn(3, 2)).abs().to(dtype) for dtype in DTYPES}
    return kinds | {
        "parameter.weight": nn.Parameter(torch.randn(3)),
        "part.weight": whole[2:5, ::2, 1:],  # of one storage
        "transposed.weight": whole.transpose(0, 2),
        "filters.weight": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "repeated.weight": torch.ones(1).expand(5),
        "empty.weight": torch.zeros(0, 3),
        "one.num_batches_tracked": torch.tensor(7),
    }


def same(found: dict[str, np.ndarray], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        narrow = tensor.dtype == torch.bfloat16
        array = (tensor.float() if narrow else tensor).detach().numpy()
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def save(tree: Any, path: Path, way: tuple[bool, int]) -> None:
    torch.save(tree, path, _use_new_zipfile_serialization=way[0], pickle_protocol=way[1])


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_tensors_of_every_kind(way: tuple[bool, int], tmp_path: Path) -> None:
    path = tmp_path / "w.pth.tar"
    for made in (dict, collections.OrderedDict):
        save(made(tensors()), path, way)
        same(load(path), tensors())


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_training_checkpoint(way: tuple[bool, int], tmp_path: Path) -> None:
    network = nn.DataParallel(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    checkpoint = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, path=Path("x")),
        "state_dict": network.state_dict(),
        "best_acc1": torch.tensor(76.1),
        "loss": np.float64(0.5),
        "curve": np.arange(4.0),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state(),
        "seen": {1, 2},
    }
    save(checkpoint, tmp_path / "checkpoint", way)
    read = WeightsFile(tmp_path / "checkpoint").taken()
    same(read.arrays, network.module.state_dict())
    assert read.words.startswith("taken: entry 'state_dict', prefix 'module.' off 7 names; left ")


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_whole_module(way: tuple[bool, int], tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Sequential(nn.BatchNorm2d(4)))
    save(network, tmp_path / "model.pt", way)
    same(load(tmp_path / "model.pt"), network.state_dict())


@pytest.mark.parametrize("way", [(True, 2), (False, 2)], ids=str)
def test_averages(way: tuple[bool, int], tmp_path: Path) -> None:
    network = nn.Linear(3, 2)
    averaged = torch.optim.swa_utils.AveragedModel(network)
    save(averaged.state_dict(), tmp_path / "w.ckpt", way)
    read = WeightsFile(tmp_path / "w.ckpt").taken()
    same(read.arrays, network.state_dict())
    assert read.words == "taken: prefix 'module.' off 2 names; left aside: n_averaged"


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_a_torchscript_archive_is_named(tmp_path: Path) -> None:
    from cnn_jax.config.problems import InputError

    torch.jit.save(torch.jit.trace(nn.Linear(3, 2), torch.ones(1, 3)), tmp_path / "w.pt")
    with pytest.raises(InputError, match="is a TorchScript archive"):
        load(tmp_path / "w.pt")
