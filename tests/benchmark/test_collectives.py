"""What a step sends is read from its program: the gradient, once, on any number of devices."""

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.benchmark.collectives import Collectives, as_text, collectives_in, collectives_of
from cnn_jax.config.problems import InputError
from cnn_jax.training.run import prepare
from tests import configs
from tests.binaries import run

PROGRAM = """
  %all-reduce.1 = f32[4,5]{1,0} all-reduce(%a), channel_id=1, to_apply=%sum
  %start = (bf16[8]{0}, bf16[8]{0}) all-gather-start(%b), dimensions={0}
  %done = bf16[8]{0} all-gather-done(%start)
  %fused = f32[2]{0} fusion(%all-reduce.1), calls=%f, metadata={op_name="x/all-reduce"}
  %empty = (f32[]{}, pred[3]{0}, s64[2]{0}) all-reduce(%c, %d, %e), to_apply=%sum
"""


def test_shapes_are_added_by_kind() -> None:
    found = collectives_in(PROGRAM, 4)
    assert found.counts == {"all-reduce": 2, "all-gather": 1}
    assert found.sent == {"all-reduce": 80 + 4 + 3 + 16, "all-gather": 32}


@given(st.integers(1, 512), st.integers(0, 10**9), st.floats(1e6, 1e12))
def test_a_ring(devices: int, sent: int, bandwidth: float) -> None:
    reduced = Collectives(devices, {"all-reduce": 1}, {"all-reduce": sent}).seconds(bandwidth)
    gathered = Collectives(devices, {"all-gather": 1}, {"all-gather": sent}).seconds(bandwidth)
    assert reduced == pytest.approx(2 * gathered)
    assert gathered == pytest.approx(sent * (devices - 1) / devices / bandwidth)


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_a_step_sends_its_gradient(shard: bool) -> None:
    config = configs.make({"parallel.shard_parameters": shard, "model.kwargs.norm": "none"})
    run_ = prepare(config)
    params = sum(leaf.size for leaf in jax.tree.leaves(run_.state_shapes().params))
    one, two, eight = collectives_of(config, (1, 2, 8))
    assert not one.counts
    for found in (two, eight):
        # Beside it go the loss, the error, and what the guard and the log want.
        assert 4 * params <= found.sent["all-reduce"] <= 4 * params + 64
    assert two.sent == eight.sent


def test_the_table() -> None:
    found = [Collectives(1), Collectives(8, {"all-reduce": 2}, {"all-reduce": 10**8})]
    assert "efficiency" not in as_text(found, None, 0.1) and "ms" not in as_text(found, None, None)
    lines = as_text(found, 1e11, 0.1).splitlines()
    assert lines[1].split() == ["1", "none", "0.000", "0.000", "100.0"]
    # 1e8 bytes, twice 7/8 of them, at 1e11 a second: 1.75 ms beside 12.5.
    assert lines[2].split()[-3:] == ["100.000", "1.750", "87.7"]


def test_a_batch_that_does_not_divide() -> None:
    with pytest.raises(InputError, match=r"batch_size = 8 is no multiple of 3 .*batch_size=96"):
        collectives_of(configs.make({}), (1, 3))


@pytest.mark.slow
def test_the_binary() -> None:
    done = run("scale", "--config=configs/smoke.py", "--devices=1,4")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    for flags in (["--devices=1,x"], ["--step_ms=3"]):
        assert run("scale", "--config=configs/smoke.py", *flags).returncode == 2
