import errno
import json
import resource
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.exact import evaluate
from cnn_jax.inference.restored import restore
from cnn_jax.storage.checkpoint_digest import digest
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import prepare
from tests import configs


def test_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    run = prepare(configs.quick())
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path, keep=2)
    for step, error in enumerate([0.9, 0.2, 0.5, 0.4, None]):
        checkpoints.save(step, state, {}, error)
    checkpoints.wait()
    assert sorted(p.name for p in checkpoints.directory.glob("[0-9]*")) == ["1", "3", "4"]
    assert checkpoints.resolve("best") == 1 and checkpoints.resolve("latest") == 4
    with pytest.raises(InputError, match="allowed: latest, best, or one of the steps 1, 3, 4"):
        checkpoints.resolve("2")
    checkpoints.close()


def test_what_is_written_on_eight_devices_is_read_on_one(tmp_path: Path) -> None:
    run = prepare(configs.quick({"parallel.devices": 8}))
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path)
    checkpoints.save(0, state, {}, None)
    checkpoints.close()
    here = Checkpoints(tmp_path, read_only=True)
    arrays, _ = here.read_arrays(0)
    restored, _ = here.read(0, prepare(configs.quick()).initial_state())
    for tree in (arrays["params"], restored.params):
        for one, other in zip(jax.tree.leaves(tree), jax.tree.leaves(state.params), strict=True):
            np.testing.assert_array_equal(one, other)
    here.close()


def test_the_next_step_does_not_touch_what_is_being_written(tmp_path: Path) -> None:
    run = prepare(configs.quick())
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path)
    before = [np.array(leaf) for leaf in jax.tree.leaves(state.params)]
    checkpoints.save(0, state, {}, None)
    for leaf in jax.tree.leaves(state):
        leaf.delete()
    checkpoints.wait()
    arrays, _ = checkpoints.read_arrays(0)
    for one, other in zip(jax.tree.leaves(arrays["params"]), before, strict=True):
        np.testing.assert_array_equal(one, other)
    checkpoints.close()


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepare(configs.quick())
    checkpoints = Checkpoints(tmp_path)
    monkeypatch.setattr("cnn_jax.storage.checkpoints.FORMAT_VERSION", 99)
    checkpoints.save(0, run.initial_state(), {}, None)
    checkpoints.wait()
    monkeypatch.undo()
    with pytest.raises(InputError, match="has format 99; this version of cnn_jax reads 1"):
        checkpoints.restore(run.initial_state())
    checkpoints.close()


def test_no_run_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoints"):
        restore(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_checkpoint_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    run, checkpoints = prepare(configs.quick()), Checkpoints(tmp_path)
    record = run.checkpoint_record()
    del record["config"]["train"]["remat"], record["config"]["optim"]["averaging"]
    checkpoints.save(0, run.initial_state(), record, None)
    checkpoints.close()
    restored = restore(tmp_path)
    assert restored.config.train.remat == "none" and not restored.averaged
    assert {"train.remat", "optim.averaging"} <= set(restored.completed)


def test_averaged_parameters_are_restored(tmp_path: Path) -> None:
    run = prepare(configs.quick({"optim.averaging": "ema"}))
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path)
    half = jax.tree.map(lambda leaf: leaf / 2, state.averaged_params)
    checkpoints.save(0, state.replace(averaged_params=half), run.checkpoint_record(), None)
    checkpoints.close()
    restored = restore(tmp_path)
    np.testing.assert_array_equal(
        restored.averaged["params"]["fc1"]["kernel"], restored.params["fc1"]["kernel"] / 2
    )
    split = run.dataset.test
    whole, average = (evaluate(restored.count_batch(a), split, 17) for a in (False, True))
    assert whole.n == average.n == 17 and whole.loss != average.loss


@pytest.fixture(scope="module")
def state() -> Any:
    return prepare(configs.quick()).initial_state()


@pytest.fixture(scope="module")
def three(state: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the checkpoints 1, 2 and 3."""
    directory = tmp_path_factory.mktemp("three")
    with closing(Checkpoints(directory)) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, state.replace(step=state.step + step), {}, 1 - step / 10)
    return directory


@pytest.fixture
def copied(three: Path, tmp_path: Path) -> Path:
    return shutil.copytree(three, tmp_path / "run")


def restored_step(directory: Path, state: Any) -> int | None:
    with closing(Checkpoints(directory)) as checkpoints:
        found = checkpoints.restore(state)
    return None if found is None else int(found.state.step)


def steps_in(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.glob("*")) if directory.exists() else []


def as_an_earlier_version_wrote(directory: Path, sealed: tuple[int, ...]) -> None:
    """Takes the digests out of all checkpoints, and keeps those of some as they were kept then."""
    records = directory / "checkpoint_digests"
    records.mkdir()
    for step in (directory / "checkpoints").iterdir():
        (step / "digests.json").unlink()
        record = step / "record" / "metadata"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"sealed": False}))
        if int(step.name) in sealed:
            files.write_json(records / f"{step.name}.json", digest(step))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "a bit": flip,
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "lost": lambda path: path.unlink(),
}
NOTHING_IN_IT = {"_CHECKPOINT_METADATA", "commit_success.txt"}  # that a run goes on from


@settings(max_examples=25, deadline=None)
@given(data=st.data(), damage=st.sampled_from(sorted(DAMAGES)))
def test_any_damage_to_any_file_is_found(
    data: st.DataObject, damage: str, three: Path, state: Any
) -> None:
    newest = three / "checkpoints" / "3"
    names = sorted(str(p.relative_to(newest)) for p in newest.rglob("*") if p.is_file())
    name = data.draw(st.sampled_from([n for n in names if n not in NOTHING_IN_IT]))
    with tempfile.TemporaryDirectory() as folder:
        run = shutil.copytree(three, Path(folder) / "run")
        DAMAGES[damage](run / "checkpoints" / "3" / name)
        with pytest.warns(UserWarning, match="checkpoint 3 cannot be read"):
            assert restored_step(run, state) == 2
        assert steps_in(run / "damaged_checkpoints") == ["3"]


@pytest.mark.parametrize("name", sorted(NOTHING_IN_IT))
def test_marks_of_the_storage_layer_are_not_needed(name: str, copied: Path, state: Any) -> None:
    (copied / "checkpoints" / "3" / name).write_bytes(b"{")
    assert restored_step(copied, state) == 3


def test_no_moment_has_a_checkpoint_without_digests(
    tmp_path: Path, state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is killed before they are written does not bear the name of a step."""
    seen = []

    def killed(directory: Path) -> None:
        seen.append(steps_in(directory.parent))
        raise OSError(errno.ENOSPC, "No space left on device")

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, state, {}, None)
    checkpoints.wait()
    monkeypatch.setattr("cnn_jax.storage.checkpoints.seal", killed)
    checkpoints.save(1, state, {}, None)
    with pytest.raises(InputError, match="No space left on device; [0-9,]+ bytes are needed; "):
        checkpoints.wait()
    assert len(seen) == 1 and "1" not in seen[0]
    assert (tmp_path / "checkpoints" / "0" / "digests.json").exists()
    monkeypatch.undo()
    assert restored_step(tmp_path, state) == 0
    with closing(Checkpoints(tmp_path)) as again:
        again.save(1, state, {}, None)
    assert steps_in(tmp_path / "checkpoints") == ["0", "1"], "what was half written is cleared away"


# The storage layer leaves what it had begun unfinished.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_disk_that_is_full_is_named(tmp_path: Path, state: Any) -> None:
    checkpoints = Checkpoints(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        with pytest.raises(InputError, match="written: File too large; [0-9,]+ bytes are needed; "):
            checkpoints.save(0, state, {}, None)
            checkpoints.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert restored_step(tmp_path, state) is None


@pytest.mark.parametrize("content", ["", '{"state', "[]", None])
def test_half_a_digest_of_an_earlier_version_blocks_nothing(
    content: str | None, copied: Path, state: Any
) -> None:
    as_an_earlier_version_wrote(copied, sealed=(1, 2))
    if content is not None:
        (copied / "checkpoint_digests" / "3.json").write_text(content)
    with pytest.warns(UserWarning, match=r"checkpoint 3 cannot be read \(it has no digests\)"):
        assert restored_step(copied, state) == 2
    assert restored_step(copied, state) == 2


def test_a_bit_in_an_undigested_checkpoint_is_not_gone_on_from(copied: Path, state: Any) -> None:
    as_an_earlier_version_wrote(copied, sealed=(1, 2))
    largest = max((copied / "checkpoints" / "3").rglob("*"), key=lambda p: p.stat().st_size)
    flip(largest)
    with pytest.warns(UserWarning, match="checkpoint 3 cannot be read"):
        assert restored_step(copied, state) == 2


def test_the_only_checkpoint_of_an_earlier_version_is_used_and_told_of(
    copied: Path, state: Any
) -> None:
    as_an_earlier_version_wrote(copied, sealed=())
    for step in ("1", "2"):
        shutil.rmtree(copied / "checkpoints" / step)
    with pytest.warns(UserWarning, match="checkpoint 3 was written by an earlier version"):
        assert restored_step(copied, state) == 3


def test_digests_of_an_earlier_version_are_checked(copied: Path, state: Any) -> None:
    as_an_earlier_version_wrote(copied, sealed=(1, 2, 3))
    assert restored_step(copied, state) == 3
    flip(copied / "checkpoints" / "3" / "state" / "_METADATA")
    with pytest.warns(UserWarning, match="state/_METADATA has changed since it was written"):
        assert restored_step(copied, state) == 2


@settings(max_examples=6, deadline=None)
@given(copy=st.integers(4, 10**6), of=st.integers(1, 3))
def test_a_copy_under_another_number_is_no_later_state(
    copy: int, of: int, three: Path, state: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = shutil.copytree(three, Path(folder) / "run")
        shutil.copytree(run / "checkpoints" / str(of), run / "checkpoints" / str(copy))
        with pytest.warns(UserWarning, match=f"checkpoint {copy} .*that of step {of} under anoth"):
            assert restored_step(run, state) == 3
        with closing(Checkpoints(run)) as again:
            assert again.latest == 3
            again.save(4, state.replace(step=state.step + 4), {}, None)
        assert restored_step(run, state) == 4


def test_a_directory_that_is_no_checkpoint_is_set_aside(copied: Path, state: Any) -> None:
    (copied / "checkpoints" / "99").mkdir()
    with pytest.warns(UserWarning, match="checkpoint 99 cannot be read"):
        assert restored_step(copied, state) == 3


def test_nothing_begins_anew_where_all_are_damaged(copied: Path, state: Any) -> None:
    for step in (1, 2, 3):
        flip(copied / "checkpoints" / str(step) / "state" / "_METADATA")
    for _ in range(2):
        with pytest.raises(InputError, match="to begin again at step 0, remove .*checkpoints and"):
            restored_step(copied, state)
        assert steps_in(copied / "checkpoints") == ["1", "2", "3"]
    # As the first call of an earlier version has left it.
    (copied / "checkpoints").rename(copied / "damaged_checkpoints")
    for _ in range(2):
        with pytest.raises(InputError, match="holds no checkpoint, and those in .* were found dam"):
            restored_step(copied, state)
    shutil.rmtree(copied / "damaged_checkpoints")
    assert restored_step(copied, state) is None


def test_what_was_set_aside_before_is_kept(copied: Path, state: Any) -> None:
    for _ in range(2):
        flip(copied / "checkpoints" / "3" / "state" / "_METADATA")
        with pytest.warns(UserWarning, match="checkpoint 3 cannot be read"):
            restored_step(copied, state)
        with closing(Checkpoints(copied)) as again:
            again.save(3, state.replace(step=state.step + 3), {}, None)
    assert steps_in(copied / "damaged_checkpoints") == ["3", "3-2"]


@pytest.mark.parametrize("name", ["checkpoints", "checkpoint_digests", "damaged_checkpoints"])
def test_a_file_in_the_way_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"{name} is a file, .*: move the file away"):
        Checkpoints(tmp_path)


def test_a_save_that_would_not_be_made_is_no_silence(copied: Path, state: Any) -> None:
    with (
        closing(Checkpoints(copied)) as checkpoints,
        pytest.raises(InputError, match="checkpoint 2 was not written: .* holds 3 already"),
    ):
        checkpoints.save(2, state, {}, None)


@pytest.mark.parametrize("which", ["latest", "best"])
def test_who_reads_beside_a_run_goes_on_to_the_next(which: str, copied: Path, state: Any) -> None:
    run, reader = Checkpoints(copied, keep=1), Checkpoints(copied, read_only=True)
    seen = []

    def read(step: int) -> int:
        if not seen:  # meanwhile the run makes another, and deletes this one
            run.save(4, state.replace(step=state.step + 4), {}, 0.1)
            run.wait()
        seen.append(step)
        record = reader.read_record(step)
        assert record["step"] == step
        return step

    assert reader.reading(which, read) == 4 and seen == [3, 4]
    assert steps_in(copied / "checkpoints") == ["4"]
    with pytest.raises(InputError, match="checkpoint '3' is not in"):
        reader.reading("3", reader.read_record)
    flip(copied / "checkpoints" / "4" / "state" / "_METADATA")
    with pytest.raises(InputError, match="4 is damaged: state/_METADATA has changed"):
        reader.reading(which, reader.read_record)
    run.close()
    reader.close()
