"""A network is a file, a line and a row: with them everything works, without one a message says so.

In a copy of the tree, by the tests and the commands that its author would run.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FILE = '''"""A network of one fire module.

F. N. Iandola, S. Han, M. W. Moskewicz, K. Ashraf, W. J. Dally, K. Keutzer (2016), SqueezeNet,
arXiv:1602.07360, section 3.2. At 32x32x3 and ten classes:

| layer       | output    |          | parameters |
|-------------|-----------|----------|-----------:|
| conv1       | 32x32x96  | 3x3      |      2,688 |
| pool1       | 16x16x96  | 2x2 max  |          0 |
| squeeze2    | 16x16x16  | 1x1      |      1,552 |
| expand2_1x1 | 16x16x64  | 1x1      |      1,088 |
| expand2_3x3 | 16x16x64  | 3x3      |      9,280 |
| fire2       | 16x16x128 |          |          0 |
| conv10      | 16x16x10  | 1x1      |      1,290 |
| gap         | 10        | average  |          0 |

Differs from the paper:
- It has one fire module.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.models.network import Network, Prediction, SmallForm
from cnn_jax.models.layered import Published


class SqueezeNet(Network):
    """One fire module between two convolutions: 15,898 parameters."""

    small = SmallForm({"width": 0.25}, image_size=8)
    published: ClassVar[Published] = Published(
        kernel_init={"*": "glorot_uniform", "conv10": "gaussian(std=0.01)"}, dropout={"fire2": 0.5}
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C)."""
        x = self.conv_unit("conv1", images, self.hidden(96), 3, train, padding=1)
        x = self.max_pool("pool1", x, 2)
        x = self.conv_unit("squeeze2", x, self.hidden(16), 1, train)
        one = self.conv_unit("expand2_1x1", x, self.hidden(64), 1, train)
        three = self.conv_unit("expand2_3x3", x, self.hidden(64), 3, train, padding=1)
        x = self.dropout("fire2", self.concatenate("fire2", [one, three]), train)
        x = self.conv("conv10", x, self.num_classes, 1, use_bias=True, activated=False)
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        return Prediction(self.global_average_pool("gap", x), {})
'''
IMPORT = "from cnn_jax.models.squeezenet import SqueezeNet\n"
LINE = '    "squeezenet": SqueezeNet,\n'
# By hand: 3x3x3x96 at 32x32; 96x16 + 16x64 + 9x16x64 and 128x10 at 16x16.
MACS = 1024 * 27 * 96 + 256 * (96 * 16 + 16 * 64 + 9 * 16 * 64 + 128 * 10)
ROW = {
    "reference_id": "squeezenet_one_fire",
    "model": "squeezenet",
    "kwargs": {},
    "input_size": [32, 32, 3],
    "num_classes": 10,
    "parameters": 15_898,
    "parameters_with_aux": 15_898,
    "macs": MACS,
    "macs_with_aux": MACS,
    "citation": {
        "authors": ["F. N. Iandola", "S. Han"],
        "year": 2016,
        "title": "SqueezeNet",
        "venue": None,
        "arxiv": "1602.07360",
    },
    "published_results": [],
}
CONFIG = '''"""SqueezeNet on handwritten digits."""

from cnn_jax.config import schema


def get_config():
    """Returns the config."""
    config = schema.base_config()
    config.data.source = "digits"
    config.model.name = "squeezenet"
    config.optim.learning_rate = 0.01
    return config
'''
PAPER_CONFIG = CONFIG.replace(
    "def get_config():", 'VARIANTS = {"paper": {}}\n\n\ndef get_config():'
)


class Tree:
    """A copy of the repository."""

    def __init__(self, root: Path, copy: Path) -> None:
        self.root = copy
        for name in ("cnn_jax", "configs", "experiments", "tests"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, copy / name, ignore=ignored)
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(root / file, copy / file)

    def add(
        self, file: str = FILE, import_line: str = IMPORT, line: str = LINE, rows: int = 1
    ) -> None:
        models = self.root / "cnn_jax" / "models"
        (models / "squeezenet.py").write_text(file)
        text = (models / "__init__.py").read_text()
        before, start, after = text.partition("from cnn_jax.models.vgg import")
        text = before + import_line + start + after
        before, start, after = text.partition('    "linear": Linear,\n')
        (models / "__init__.py").write_text(before + start + line + after)
        facts = models / "published_facts.json"
        facts.write_text(json.dumps(json.loads(facts.read_text()) + [ROW] * rows))

    def run(self, *words: str) -> tuple[int, str]:
        """Runs a module in the copy; returns its exit code and all that it said."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        command = [sys.executable, "-m", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.root, env=environment
        )
        return done.returncode, done.stdout + done.stderr

    def pytest(self, *words: str) -> tuple[int, str]:
        return self.run("pytest", "-p", "no:cacheprovider", "-m", "not slow", *words)


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Tree:
    return Tree(root, tmp_path / "copy")


def test_a_file_a_line_and_a_row_are_enough(tree: Tree) -> None:
    tree.add()
    code, said = tree.run("experiments.describe", "--model=squeezenet")
    assert code == 0 and "Published as: squeezenet_one_fire" in said and "15,898" in said, said
    (tree.root / "configs" / "digits" / "squeezenet.py").write_text(CONFIG)
    code, said = tree.run("experiments.train", "--smoke", "--config=configs/digits/squeezenet.py")
    assert code == 0 and "smoke: 2 steps" in said, said
    code, said = tree.pytest("tests/models/test_registered.py")
    assert code == 0, said
    places = ["tests/models/test_published.py", "tests/models/test_models.py"]
    places += ["tests/test_configs.py", "tests/test_floors.py"]
    code, said = tree.pytest(*places, "-k", "squeezenet")
    assert code == 0 and "passed" in said, said


MISSING = {
    "the line": (
        {"line": "", "import_line": ""},
        [
            "cnn_jax/models/__init__.py: import SqueezeNet of cnn_jax/models/squeezenet.py, and "
            "add to MODELS the line",
            '"squeezenet": SqueezeNet,',
        ],
    ),
    "the row": (
        {"rows": 0},
        [
            "cnn_jax/models/published_facts.json: add a row for model 'squeezenet', with counts",
            '{"reference_id": ..., "model": "squeezenet", "kwargs": ...,',
        ],
    ),
    "one row": ({"rows": 2}, ["two rows have the reference_id 'squeezenet_one_fire'"]),
    "small": (
        {"file": FILE.replace('    small = SmallForm({"width": 0.25}, image_size=8)\n', "")},
        [
            "cnn_jax/models/squeezenet.py: add to class SqueezeNet the line",
            "small = SmallForm({...}, image_size=...)",
        ],
    ),
    "departures": (
        {"file": FILE.replace("Differs from the paper:\n- It has one fire module.\n", "")},
        ["cnn_jax/models/squeezenet.py: its docstring needs a list", "Differs from the paper:"],
    ),
}


@pytest.mark.parametrize(("piece", "messages"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_named(piece: dict[str, Any], messages: list[str], tree: Tree) -> None:
    tree.add(**piece)
    code, said = tree.pytest("tests/models/test_registered.py")
    assert code != 0 and not [message for message in messages if message not in said], said


def test_a_wrong_count_names_its_row(tree: Tree) -> None:
    tree.add(file=FILE.replace("self.hidden(16)", "self.hidden(17)"))
    code, said = tree.pytest("tests/models/test_published.py", "-k", "squeezenet")
    assert code != 0
    assert "row 'squeezenet_one_fire' has parameters 15,898, not 16,635" in said, said


def test_a_recipe_that_no_row_knows_is_named(tree: Tree) -> None:
    tree.add()
    (tree.root / "configs" / "cifar10" / "squeezenet.py").write_text(PAPER_CONFIG)
    code, said = tree.pytest("tests/diagnostics/test_reproduction.py", "-k", "every_recipe")
    assert code != 0 and "name 'cifar10/squeezenet:paper' in `recipes`" in said, said
