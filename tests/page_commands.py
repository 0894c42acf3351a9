"""The commands of README and docs: which are run, how they are shortened, and which are not."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"```sh\n(.*?)```", re.DOTALL)

# What a page tells the reader to add, for a command to be over in seconds: (command, added).
SHORTER = (
    (r"experiments\.benchmark population", "--model=linear --rounds=1 --members=2 --epochs=1"),
    (r"experiments\.search", "--config.data.train_examples=64"),
    (r"experiments\.seeds", "--seeds=2 --config.train.epochs=2"),
    (r"experiments\.ablate .*/dropout\.py", "--seeds=2 --config.train.epochs=2"),
    (r"experiments\.signals", "--schemes=he_normal"),
    (r"imagenet/alexnet\.py .*IMAGES", "--config.model.kwargs.width=0.1 --config.train.epochs=1"),
    (r"experiments\.launch\.(slurm|tpu|gke)", ""),  # they print
    (r"configs/digits/\S+ --estimate|--smoke|train\.epochs=|configs/smoke\.py", ""),
    (r"experiments\.(train|reproduce --config)|make train", "--config.train.epochs=2"),
)
# What is not run, and why; `test_readme.py` holds its flags and its config against the program.
NOT_RUN = (
    (r"make (test|slow|sweep|prepared|lint|types|parity)", "is what runs the tests"),
    (r"pip install .*", "needs the network"),
    (r"\. \.venv/bin/activate", "is no program"),
    (r"tensorboard .*", "is of an extra, and never ends"),
    (r"(?!.*IMAGES).*\b(DATA|E?MNIST|CIFAR)\b.*", "needs data that is not there"),
    (r".*runs/(vgg|ilsvrc)\b.*", "needs a run on data that is not there"),
    (r".*runs/small/.*", "its data is prepared by TensorFlow"),
    (r"(?!.*\bDATA\b).*\.pth\b.*", "needs weights that are not there"),
    (r".*blacklist\.txt", "needs a list that is not there"),
    (r".*distributed\.detect.*", "needs a pod"),
    (r"(?!.*experiments\.launch).*\b(gs|s3)://.*", "needs a bucket"),
)
MEASURED = "docs/results/"  # in minutes to hours; the page says on what
BUT_RUN = {"python -m experiments.digits_svc"}


class Command(NamedTuple):
    """A command on a page.

    Attributes:
        page: relative to the repository.
        text: as it stands there, on one line, without what follows a `#`.
    """

    page: str
    text: str

    @property
    def reason(self) -> str:
        """Why it is not run; empty: it is."""
        if self.page.startswith(MEASURED) and self.text not in BUT_RUN:
            return "measures for minutes to hours"
        return next((why for pattern, why in NOT_RUN if re.fullmatch(pattern, self.text)), "")

    @property
    def shorter(self) -> list[str]:
        """What is added for it to be over in seconds."""
        added = (add for pattern, add in SHORTER if re.search(pattern, self.text))
        return shlex.split(next(added, ""))


def fenced() -> list[Command]:
    """Returns every command in a block of shell, page by page, in their order, each once."""
    found = {}
    for page in PAGES:
        for block in FENCE.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                if text := line.split("  #")[0].strip():
                    text = re.sub(r"\s+", " ", text)
                    found.setdefault(text, Command(str(page.relative_to(ROOT)), text))
    return list(found.values())
