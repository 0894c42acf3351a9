"""How a folder of images is laid out: which of its folders are splits, and which are classes.

Either ROOT/train/CLASS/... beside ROOT/val/CLASS/... or ROOT/test/CLASS/..., or ROOT/CLASS/...
alone. A layout that would give a plausible number and mean another thing is refused.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cnn_jax.config.problems import InputError, hint
from cnn_jax.data.listing import holds_only_folders, names_in, subfolders
from cnn_jax.data.regular_files import check_link, printable

SPLIT_NAMES: Final = {  # compared without regard to case
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev", "development"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SPLIT_OF: Final = {name: split for split, names in SPLIT_NAMES.items() for name in names}
MOST_NAMES, MOST_SEEN = 5, 3


def find_splits(root: Path) -> dict[str, Path]:
    """Returns the folders that are splits by their names; none where none is train.

    `train` is what the network learns from, `validation` what choices are made on, `test` what is
    reported. Where there is a folder for validation and none for test, it is the test split: so
    ILSVRC has it, and papers report the error on its `val`.

    Args:
        root: the folder.

    Returns:
        Of `train`, `validation` and `test` those that there are.

    Raises:
        InputError: two folders mean the same split, there is train alone, or a link under such a
            name leads nowhere.
    """
    splits: dict[str, Path] = {}
    for name in names_in(root):
        split = split_of(name)
        if split is None:
            continue
        check_link(root / name)
        if not os.path.isdir(root / name):
            continue
        if split in splits:
            both = f"{printable(splits[split].name)}/ and {printable(name)}/"
            raise refused(root, f"{both} both mean the {split} split: keep one of them")
        splits[split] = root / name
    if "train" not in splits:
        return {}
    if len(splits) == 1:
        name = printable(splits["train"].name)
        raise refused(
            root,
            f"it has {name}/, and neither val/ nor test/ beside it; to set a part of each class "
            f"apart for testing: --config.data.directory={_shown(root / name)}",
        )
    if "test" not in splits:
        splits["test"] = splits.pop("validation")
    return splits


def split_of(name: str) -> str | None:
    """Returns the split that the name of a folder means: train, validation, test or none."""
    return SPLIT_OF.get(unicodedata.normalize("NFC", name).casefold())


def classes_of(root: Path, part: Path) -> list[str]:
    """Returns the classes: the folders in that which is trained on, in the order of their names.

    Args:
        root: the folder that the user named.
        part: the train split; the root itself where there are no splits.

    Raises:
        InputError: there are none, or one; they are all named like splits, hold folders only, or
            two have one name.
    """
    classes = _folders(root, part)
    _check_distinct(root, part, classes)
    if all(map(split_of, classes)):
        raise refused(
            root, f"the folders in {_in(root, part)} are all named like splits: {listed(classes)}"
        )
    if len(classes) == 1:
        raise refused(
            root,
            f"{_in(root, part)} has one class, {printable(classes[0])}: there is nothing to tell "
            "apart",
        )
    if all(holds_only_folders(part / name) for name in classes):
        raise refused(
            root,
            f"the folders in {_in(root, part)} hold folders only: the classes seem to lie one "
            "level deeper; a class holds images itself",
        )
    return classes


def labels_in(root: Path, part: Path, classes: Sequence[str]) -> dict[str, int]:
    """Returns the folders of a split and the label of each.

    Names are compared in the form NFC of Unicode (UAX #15): an accent may be written in two ways,
    and looks the same.

    Args:
        root: the folder that the user named.
        part: the split.
        classes: those of train.

    Raises:
        InputError: there are none, one is no class of train, or two have one name.
    """
    known = {normal(name): label for label, name in enumerate(classes)}
    present = _folders(root, part)
    _check_distinct(root, part, present)
    if unknown := [name for name in present if normal(name) not in known]:
        others = f", as the first of {len(unknown)}" if len(unknown) > 1 else ""
        raise refused(
            root,
            f"{_in(root, part / unknown[0])}: train has no such class{others}"
            f"{hint(unknown[0], classes)}",
        )
    return {name: known[normal(name)] for name in present}


def check_each_class_has_images(
    root: Path, part: Path, counts: Sequence[int], classes: Sequence[str]
) -> None:
    """Refuses classes of which there is nothing to learn from.

    Args:
        root: the folder that the user named.
        part: what is trained on.
        counts: of the images of each class.
        classes: their names.

    Raises:
        InputError: there are such.
    """
    if empty := [name for name, count in zip(classes, counts, strict=True) if not count]:
        raise refused(
            root,
            f"{_in(root, part)} has no image of {len(empty)} of its {len(classes)} classes: "
            f"{listed(empty)}; remove those folders, or fill them",
        )


def normal(name: str) -> str:
    """Returns a class name as it is compared."""
    return unicodedata.normalize("NFC", name)


def listed(names: Iterable[str]) -> str:
    """Returns names for a message, the first of them where they are many."""
    shown = [printable(name) for name in names]
    return ", ".join(shown[:MOST_NAMES]) + (", ..." if len(shown) > MOST_NAMES else "")


def describe(root: Path, splits: Mapping[str, Path], classes: Sequence[str]) -> list[str]:
    """Returns what is taken for what, in a line or two for the start of a run.

    Args:
        root: the folder that the user named.
        splits: as `find_splits` gives them.
        classes: of train.
    """
    if not splits:
        lines = [f"{_shown(root)}: no train/ in it: its {len(classes)} folders are the classes"]
        if odd := [name for name in classes if split_of(name)]:
            lines.append(f"{_shown(root)}: {listed(odd)} is taken as a class, and is no split")
        return lines
    said = [
        f"{printable(path.name)}/ is taken as the {name} split"
        + (", there is no test/" if name != split_of(path.name) else "")
        for name, path in splits.items()
    ]
    lines = [f"{_shown(root)}: {', '.join(said)}"]
    if "validation" not in splits:
        lines[0] += "; validation is held out of train by config.data.validation_folds"
    taken = {path.name for path in splits.values()}
    if others := [n for n in names_in(root) if n not in taken and os.path.isdir(root / n)]:
        lines.append(f"{_shown(root)}: no split, and not read: {listed(others)}")
    return lines


def refused(root: Path, what: str) -> InputError:
    """Returns the error of a layout, with what was seen and what is expected.

    Args:
        root: the folder that the user named.
        what: is wrong.
    """
    inside = [name for name in names_in(root) if os.path.isdir(root / name)]
    seen = [
        _seen(root, "in it"),
        *(_seen(root / n, f"in {printable(n)}/") for n in inside[:MOST_SEEN]),
    ]
    more = "; ..." if len(inside) > MOST_SEEN else ""
    return InputError(
        f"{_shown(root)}: {what}\n  seen: {'; '.join(seen)}{more}\n"
        "  expected: train/CLASS/IMAGE beside val/CLASS/IMAGE or test/CLASS/IMAGE; or CLASS/IMAGE "
        "alone; two classes or more"
    )


def _seen(folder: Path, where: str) -> str:
    names = names_in(folder)
    folders = [name for name in names if os.path.isdir(folder / name)]
    named = f" ({listed(folders)})" if folders else ""
    return f"{where} {len(folders)} folders{named} and {len(names) - len(folders)} files"


def _folders(root: Path, part: Path) -> list[str]:
    names = subfolders(part)
    if not names:
        raise refused(root, f"{_in(root, part)} has no sub-folders: one is needed for each class")
    return names


def _check_distinct(root: Path, part: Path, names: Sequence[str]) -> None:
    met: dict[str, str] = {}
    for name in names:
        other = met.setdefault(normal(name), name)
        if other != name:
            raise refused(
                root,
                f"{_in(root, part)} has two folders of one name, {other!a} and {name!a}, written "
                "in two forms of Unicode: put their images into one",
            )


def _in(root: Path, part: Path) -> str:
    return "it" if part == root else f"{printable(str(part.relative_to(root)))}/"


def _shown(path: Path) -> str:
    return printable(str(path))
