import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.storage.unreadable_images import UnreadableImages

names = st.dictionaries(st.sampled_from("abcdefgh"), st.just("it is text"), max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), names), max_size=8))
def test_whatever_was_met_in_whatever_call_by_whatever_process(
    calls: list[tuple[int, dict[str, str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for process, met in calls:  # each begins with nothing met
            UnreadableImages(Path(folder), process, met).keep()
        found = UnreadableImages(Path(folder), 0, {}).of_all()
    assert found == {name: why for _, met in calls for name, why in sorted(met.items())}
    assert list(found) == sorted(found)


def test_what_is_met_while_it_runs_is_kept(tmp_path: Path) -> None:
    met: dict[str, str] = {}
    images = UnreadableImages(tmp_path, 0, met)
    images.keep()
    assert not list(tmp_path.iterdir()), "a run that can read everything has no such directory"
    met["a.jpg"] = "it is text"
    images.keep()
    assert UnreadableImages(tmp_path, 0, {}).of_all() == {"a.jpg": "it is text"}
