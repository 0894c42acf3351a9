from pathlib import Path

import pytest

from cnn_jax.config.identity import to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.storage.run_directory import RunDirectory, check_directory
from tests import configs


def test_claims_and_recognises_its_run(tmp_path: Path) -> None:
    tree = to_tree(configs.make())
    directory = RunDirectory(tmp_path / "run")
    directory.claim(tree)
    saved = directory.read("config.json")
    assert saved["config"] == tree and len(saved["config_hash"]) == 12
    assert saved["versions"]["jax"]
    directory.claim(to_tree(configs.make({"log.every_steps": 3})))
    directory.close()


def test_another_config_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.claim(to_tree(configs.make()))
    before = (tmp_path / "config.json").read_bytes()
    other = to_tree(configs.make({"optim.learning_rate": 0.5}))
    with pytest.raises(InputError, match="optim.learning_rate: 0.02 in the run directory, 0.5 now"):
        directory.claim(other)
    assert (tmp_path / "config.json").read_bytes() == before
    directory.close()


def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    first = RunDirectory(tmp_path)
    with pytest.raises(InputError, match="another process trains there"):
        RunDirectory(tmp_path)
    first.close()
    RunDirectory(tmp_path).close()


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="holds thesis.tex but no config.json"):
        check_directory(tmp_path, to_tree(configs.make()))


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--workdir="):
        RunDirectory(tmp_path / "file")


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"config":')
    with pytest.raises(InputError, match=r"config.json is damaged"):
        check_directory(tmp_path, to_tree(configs.make()))


def test_a_run_of_an_earlier_version_is_recognised(tmp_path: Path) -> None:
    """It knew fewer keys: they stand at their defaults, and the directory says so from then on."""
    directory, tree = RunDirectory(tmp_path), to_tree(configs.make())
    earlier = to_tree(configs.make())
    del earlier["train"]["remat"], earlier["optim"]["frozen"]
    directory.write("config.json", {"config": earlier})
    check_directory(tmp_path, tree)
    directory.claim(tree)
    directory.claim(tree)
    assert directory.read("config.json")["completed"] == ["optim.frozen", "train.remat"]
    with pytest.raises(InputError, match="optim.frozen: '' in the run directory, 'C1' now"):
        directory.claim(to_tree(configs.make({"optim.frozen": "C1"})))
    directory.close()
