"""Which process is lost is told by its silence. No process is started."""

from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.devices.leaving import DONE, Silence

SECONDS = 10.0
gaps = st.lists(st.floats(0.1, 9.9), min_size=1, max_size=8)


@given(gaps, st.integers(2, 5), st.data())
def test_the_silent_one_is_named_after_its_time(
    between: list[float], count: int, data: st.DataObject
) -> None:
    lost, now = data.draw(st.integers(0, count - 1)), 100.0
    silence = Silence(count, SECONDS, now)
    for look, gap in enumerate(between):
        now += gap
        assert silence.after([(p, str(look)) for p in range(count)], now) is None
    others, last = [p for p in range(count) if p != lost], now
    for look in range(len(between), 30):
        now += 1.0
        said = [(lost, str(len(between) - 1)), *((p, str(look)) for p in others)]
        found = silence.after(said, now)
        assert found == (lost if now - last > SECONDS else None)
        if found is not None:
            return
    raise AssertionError("nobody was missed")


@given(st.integers(1, 4))
def test_one_that_ended_in_good_order_is_not_missed(count: int) -> None:
    silence = Silence(count + 1, SECONDS, 0.0)
    for now in range(1, 40):
        said = [(0, str(now)), *((p, DONE) for p in range(1, count + 1))]
        assert silence.after(said, float(now)) is None


def test_one_that_never_said_anything_is_missed() -> None:
    silence = Silence(2, SECONDS, 0.0)
    assert silence.after([(0, "1")], 9.0) is None
    assert silence.after([(0, "2")], 10.5) == 1
