"""A folder is laid out as its numbers mean it, or is refused with what was seen."""

import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnn_jax.benchmark.photographs import encoded
from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.dataset import Dataset, carve_validation
from cnn_jax.data.folder import folder
from cnn_jax.data.layout import SPLIT_NAMES, split_of
from cnn_jax.data.manifest import scan
from tests import configs
from tests.data.files import quiet

PNG = encoded(Image.fromarray(np.zeros((2, 2), np.uint8)), "PNG")
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def write(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG)
    return root


def names_of(split: Any) -> list[tuple[str, int]]:
    return [(record.name, record.label) for record in map(split.record, range(len(split)))]


def cased(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from([word, word.upper(), word.capitalize()])


split_names = {name: st.sampled_from(words).flatmap(cased) for name, words in SPLIT_NAMES.items()}
class_names = st.lists(
    st.text("aé\u0301Z0 _-", min_size=1, max_size=4).filter(lambda name: name.strip()),
    min_size=2,
    max_size=4,
    unique_by=lambda name: unicodedata.normalize("NFC", name),
)


@settings(max_examples=50, deadline=None)
@given(st.data(), class_names, st.sampled_from(["", "v", "t", "vt"]))
def test_any_correct_folder(data: st.DataObject, classes: list[str], given_splits: str) -> None:
    """Order and labels are those of the sorted names, however the splits are called."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        splits = {"train": data.draw(split_names["train"])} if given_splits else {"": ""}
        if "v" in given_splits:
            splits["validation"] = data.draw(split_names["validation"])
        if "t" in given_splits:
            splits["test"] = data.draw(split_names["test"])
        order, files = sorted(classes), {}
        for split, name in splits.items():
            files[split] = [
                (str(Path(name, kind, inner, f"{i}.png")), order.index(kind))
                for kind in order
                for inner in data.draw(st.sampled_from([[""], ["", "deep"], ["", "x/y"]]))
                for i in range(2)
            ]
            write(root, *(file for file, _ in files[split]))
            # Another split may write the names in another form.
            if split not in ("", "train"):
                for kind in order:
                    other = unicodedata.normalize("NFD", kind)
                    (root / name / kind).rename(root / name / other)
                files[split] = [
                    (
                        file.replace(
                            f"/{order[label]}/",
                            "/" + unicodedata.normalize("NFD", order[label]) + "/",
                            1,
                        ),
                        label,
                    )
                    for file, label in files[split]
                ]
        found = folder(str(root), test_fraction=0.5)
        assert found.class_names == tuple(order)
        if not given_splits:
            assert sorted(names_of(found.train) + names_of(found.test)) == sorted(files[""])
            assert set(found.train.labels) == set(range(len(order)))
            return
        assert names_of(found.train) == files["train"]
        assert names_of(found.test) == files["test" if "t" in given_splits else "validation"]
        assert names_of(found.validation) == (files["validation"] if given_splits == "vt" else [])
        first = found.notices[0]
        assert f"{splits['train']}/ is taken as the train split" in first
        if given_splits == "v":
            assert f"{splits['validation']}/ is taken as the test split" in first


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "one class": (("train/a/0.png", "val/a/0.png"), "train/ has one class, a"),
    "one class alone": (("a/0.png", "a/1.png"), "it has one class, a"),
    "splits and no train": (("val/a/0.png", "Test/a/0.png"), "all named like splits: Test, val"),
    "splits in train": (
        ("train/train/0.png", "train/test/0.png", "test/train/0.png"),
        "folders in train/ are all named like splits",
    ),
    "a level too high": (
        ("x/a/0.png", "x/b/0.png", "y/a/0.png", "y/b/0.png"),
        "the folders in it hold folders only: the classes seem to lie one level deeper",
    ),
    "a level too high in train": (
        ("train/x/a/0.png", "train/y/b/0.png", "test/x/0.png"),
        "the folders in train/ hold folders only",
    ),
    "nothing to learn": (
        ("train/a/0.png", "train/b/0.txt", "train/c/0.png", "val/b/0.png"),
        "train/ has no image of 1 of its 3 classes: b",
    ),
    "nothing at all": (("a/0.png", "b/notes.txt"), "it has no image of 1 of its 2 classes: b"),
    "nothing left": (
        ("a/0.png", "a/1.png", "b/0.png"),
        "test_fraction = 0.1 takes all images of 1 of 2 classes for the test split, as of b",
    ),
    "unknown class": (
        ("train/cat/0.png", "train/b/0.png", "val/cats/0.png"),
        "val/cats/: train has no such class; did you mean 'cat'",
    ),
    "two trains": (
        ("train/a/0.png", "train/b/0.png", "Training/a/0.png", "val/a/0.png"),
        "Training/ and train/ both mean the train split",
    ),
    "two validations": (
        ("train/a/0.png", "train/b/0.png", "val/a/0.png", "dev/a/0.png"),
        "dev/ and val/ both mean the validation split",
    ),
    "no test": (("train/a/0.png", "train/b/0.png"), "neither val/ nor test/ beside it"),
    "one name twice": (
        (f"train/{NFC}/0.png", f"train/{NFD}/0.png", f"val/{NFC}/0.png"),
        "two folders of one name",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_layout_that_means_something_else(kind: str, tmp_path: Path) -> None:
    files, said = WRONG[kind]
    write(tmp_path, *files)
    for note in tmp_path.rglob("*.txt"):
        note.write_text("a note")
    with pytest.raises(InputError) as caught:
        folder(str(tmp_path))
    text = str(caught.value)
    assert said in text and "seen: in it " in text and "expected: train/CLASS/IMAGE" in text


def test_hidden_and_tool_folders_are_no_classes(tmp_path: Path) -> None:
    kept = ("train/a/0.png", "train/b/0.png", "val/a/0.png", "val/b/0.png")
    expected = folder(str(write(tmp_path / "clean", *kept)))
    write(tmp_path / "dirty", *kept)
    extra = ("train/.ipynb_checkpoints/a/0.png", "train/__MACOSX/0.png", "val/@eaDir/0.png")
    write(tmp_path / "dirty", *extra, "__MACOSX/train/a/0.png", "train/a/._0.png", "train/0.png")
    found = folder(str(tmp_path / "dirty"))
    assert names_of(found.train) == names_of(expected.train)
    assert names_of(found.test) == names_of(expected.test)
    assert found.fingerprint == expected.fingerprint
    assert "2 files left out: .png 1, hidden 1; 4 folders left out" in found.notices[-1]
    assert len(expected.notices) == 2


def test_what_is_said_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "train/a/0.png", "train/b/0.png", "val/a/0.png", "more/a/0.png")
    assert folder(str(tmp_path)).notices == (
        f"{tmp_path}: train/ is taken as the train split, val/ is taken as the test split, there "
        "is no test/; validation is held out of train by config.data.validation_folds",
        f"{tmp_path}: no split, and not read: more",
        "images are grey (up to 64 of train looked at) and are read in 1 channel; "
        "--config.data.kwargs.channels=3 repeats it in three",
        f"{tmp_path / 'val'}: no image of 1 of 2 classes: b",
    )
    write(tmp_path / "other", "dev/0.png", "dev/1.png", "b/0.png", "b/1.png")
    first, second, _ = folder(str(tmp_path / "other")).notices
    assert first.endswith(
        "no train/ in it: its 2 folders are the classes, and 0.1 of each is set "
        "apart as the test split; validation is held out of train by config.data.validation_folds"
    )
    assert second.endswith("dev is taken as a class, and is no split")
    assert split_of("VAL") == split_of("Dev") == "validation" and split_of("trains") is None


def test_links_are_followed_and_never_count_an_image_twice(tmp_path: Path) -> None:
    pool = write(tmp_path / "pool", "cats/0.png", "cats/1.png", "dogs/0.png", "one.png", "two.png")
    root = write(tmp_path / "data", "train/c/0.png", "val/a/0.png")
    for name, target in (("a", "cats"), ("b", "dogs")):
        (root / "train" / name).symlink_to(pool / target)
    (root / "train" / "c" / "again").symlink_to(root / "train" / "c" / "0.png")
    (root / "train" / "c" / "up").symlink_to(root)
    found = folder(str(root))
    assert [name for name, _ in names_of(found.train)] == [
        "train/a/0.png",
        "train/a/1.png",
        "train/b/0.png",
        "train/c/0.png",
    ]
    said = "1 file left out: met again through a link 1; 1 folder left out: met again"
    assert said in found.notices[-1]
    for place in ("train/b/x.png", "val/a/x.png"):
        (root / place).symlink_to(pool / "cats" / "0.png")
        with pytest.raises(InputError, match=r"train/a/0.png and .*x.png are one image"):
            folder(str(root))
        (root / place).unlink()
    (root / "test").symlink_to(root / "val")
    with pytest.raises(InputError, match=r"val/a/0.png and test/a/0.png are one image|test/a"):
        folder(str(root))


def test_a_choice_that_empties_a_class(tmp_path: Path) -> None:
    files = [f"{kind}/{i}.png" for kind in "ab" for i in range(4)]
    write(tmp_path, *(f"{part}/{file}" for part in ("train", "val") for file in files))
    whole = folder(str(tmp_path))
    for fold in (0, 1):
        carved = carve_validation(whole, 2, fold, "interleaved")
        assert np.bincount(carved.train.labels).tolist() == [2, 2]
        with pytest.raises(InputError, match=r"hold out all .* 1 of 2 classes, as of '[ab]'"):
            carve_validation(whole, 2, fold, "contiguous")
    keys = {"data.source": "folder", "data.directory": str(tmp_path), "data.kwargs": {}}
    config = configs.make(keys | {"data.validation_folds": 0, "data.train_examples": 4})
    with pytest.raises(InputError, match="train_examples = 4 takes the first, and leaves out"):
        sources.load(config.data)


def test_a_manifest_counts_classes_that_are_empty(tmp_path: Path) -> None:
    write(tmp_path, "train/a/0.png", "train/b/0.png", "val/a/0.png", "val/a/1.png")
    made: Dataset = folder(str(tmp_path))
    test = scan(made, quiet)["splits"]["test"]
    assert test["classes"] == 2 and test["images_of_class"] == {"a": 2, "b": 0}


def test_an_image_of_unknown_range_is_listed_as_odd(tmp_path: Path) -> None:
    write(tmp_path, "train/a/0.png", "train/b/0.png", "val/a/0.png")
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "train" / "a" / "deep.tif")
    odd = scan(folder(str(tmp_path)), quiet)["splits"]["train"]["odd_files"]
    assert odd == {"unreadable": ["train/a/deep.tif"]}


def test_the_fingerprint_is_of_names_sizes_and_labels(tmp_path: Path) -> None:
    files = ("train/a/0.png", "train/a/1.png", "train/b/0.png", f"val/a/{NFC}.png")
    first = folder(str(write(tmp_path / "one", *files))).fingerprint
    again = folder(str(write(tmp_path / "two", *files[:3], f"val/a/{NFD}.png"))).fingerprint
    assert first == again, "wherever it lies, and however its names are written"
    root = tmp_path / "one"
    changes = {
        "name": lambda: (root / "train/a/1.png").rename(root / "train/a/2.png"),
        "size": lambda: (root / "train/a/2.png").write_bytes(PNG + b"1"),
        "label": lambda: (root / "train/a/2.png").rename(root / "train/b/2.png"),
    }
    met = {first}
    for change in changes.values():
        change()
        met.add(folder(str(root)).fingerprint)
    assert len(met) == 4
