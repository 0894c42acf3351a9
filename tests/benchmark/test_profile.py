"""The time of a traced step is told by layer and by operation, and nothing is counted twice."""

from pathlib import Path

import pytest

from cnn_jax.benchmark.step_profile import profile_steps
from cnn_jax.benchmark.trace import by_layer, instructions
from cnn_jax.storage.run_directory import read_json
from tests import configs
from tests.binaries import run

PROGRAM = """
%fused (p: f32[2]) -> f32[2] {
  ROOT %mul.1 = f32[2]{0} multiply(%p, %p), metadata={op_name="jit(step)/jvp(Net)/fc1/mul"}
}
ENTRY %main {
  %dot.3 = f32[2,4]{1,0} dot(%a, %b), metadata={op_name="jit(step)/jvp(Net)/Net.dense/fc1/dot"}
  %dot.4 = f32[2]{0} dot(%a, %c), metadata={op_name="jit(step)/transpose(jvp(Net))/Net.dense/fc1/d"}
  %conv = f32[2]{0} fusion(%d), kind=kLoop, metadata={op_name="jit(step)/jvp(Net)/block1/fc1/conv"}
  %while.5 = (f32[2]) while(%e), body=%fused, metadata={op_name="jit(step)/jvp(Net)/fc1/while"}
  ROOT %add = f32[2]{0} add(%f, %g)
}
"""


def test_instructions_belong_to_layers_and_directions() -> None:
    known = instructions(PROGRAM)
    assert set(known) == {"mul.1", "dot.3", "dot.4", "conv", "add"}, "a loop only calls"
    seconds = {"dot.3": 1.0, "dot.4": 2.0, "conv": 4.0, "add": 8.0}
    shares = {share.name: share for share in by_layer(seconds, known, ["fc1", "block1/fc1", "fc2"])}
    assert set(shares) == {"fc1", "block1/fc1", ""}, "what took no time is not listed"
    assert (shares["fc1"].forward, shares["fc1"].backward) == (1.0, 2.0)
    assert shares["block1/fc1"].forward == 4.0 and shares[""].rest == 8.0
    assert sum(share.seconds for share in shares.values()) == sum(seconds.values())


def test_a_traced_step(tmp_path: Path) -> None:
    profile = profile_steps(configs.make({}), 2, tmp_path)
    assert profile.seconds > 0 and profile.operations
    total = sum(profile.operations.values())
    assert sum(share.seconds for share in profile.layers) == pytest.approx(total)
    names = [share.name for share in profile.layers]
    assert names[-1] == "" and {"C1", "C3", "C5"} <= set(names)
    of_c1 = next(share for share in profile.layers if share.name == "C1")
    assert of_c1.forward > 0 and of_c1.backward > 0 and of_c1.rest == 0
    text = profile.describe(top=3)
    assert "ms a step" in text and "of the stated peak" not in text, "of a CPU none is stated"
    assert len(text.splitlines()) == len(names) + 3 + 7


@pytest.mark.slow
def test_the_binary(tmp_path: Path) -> None:
    where = tmp_path / "new" / "profile"
    done = run("profile", "--config=configs/smoke.py", "--steps=3", f"--output={where}")
    assert done.returncode == 0, done.stderr
    assert (where / "profile.txt").read_text() == done.stdout
    assert read_json(where / "profile.json")["steps"] == 3
    assert list(where.rglob("*.xplane.pb")), "the trace is there for other tools"
    refused = run("profile", "--config=configs/smoke.py", "--config.parallel.mode=pmap")
    assert refused.returncode == 2 and "parallel.mode=jit" in refused.stderr
