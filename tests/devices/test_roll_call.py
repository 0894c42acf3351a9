"""Who is there is known before jax is told, and all hear the same. No process is started."""

import json
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import jax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.devices import distributed
from cnn_jax.devices.distributed import differences
from cnn_jax.devices.roll_call import address_of, answer_roll, call_roll


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_jax.devices.roll_call.SECONDS_BETWEEN_TRIES", 0.02)


QUICK = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def member(number: int, count: int, port: int, seconds: float = 5.0) -> Any:
    return SimpleNamespace(
        coordinator=f"localhost:{port}",
        processes=count,
        process_id=number,
        timeout_seconds=seconds,
    )


def heard_by(members: list[Any]) -> list[str]:
    """Returns what each one hears: what is wrong, or the empty text."""
    heard = [""] * len(members)

    def meet(place: int) -> None:
        one = members[place]
        try:
            (answer_roll if one.process_id else call_roll)(one)
        except InputError as error:
            heard[place] = str(error)

    threads = [threading.Thread(target=meet, args=(i,)) for i in range(len(members))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    return heard


@QUICK
@given(st.integers(2, 6), st.randoms(use_true_random=False))
def test_all_meet_whoever_comes_first(count: int, order: Any) -> None:
    port = free_port()
    members = [member(i, count, port) for i in range(count)]
    order.shuffle(members)
    assert heard_by(members) == [""] * count


@QUICK
@given(st.integers(3, 6), st.data())
def test_who_is_absent_is_named_to_all_who_came(count: int, data: st.DataObject) -> None:
    absent = data.draw(st.sets(st.integers(1, count - 1), min_size=1, max_size=count - 2))
    port = free_port()
    members = [member(i, count, port, 0.4) for i in range(count) if i not in absent]
    named = f"process {', '.join(map(str, sorted(absent)))} of {count} did not come within 0.4 s"
    began = time.monotonic()
    for text in heard_by(members):
        assert text.startswith(named)
    assert time.monotonic() - began < 5


@QUICK
@given(st.integers(3, 6), st.data())
def test_a_number_that_is_given_twice_is_named_to_all(count: int, data: st.DataObject) -> None:
    port, twice = free_port(), data.draw(st.integers(1, count - 1))
    missing = data.draw(st.integers(1, count - 1).filter(lambda n: n != twice))
    numbers = [twice if n == missing else n for n in range(count)]
    heard = heard_by([member(n, count, port) for n in numbers])
    assert all(f"process_id = {twice} was given twice" in text for text in heard)


def test_another_number_of_processes_is_named() -> None:
    port = free_port()
    heard = heard_by([member(0, 2, port), member(1, 3, port)])
    assert all("was started as one of 3 processes, process 0 as one of 2" in t for t in heard)
    heard = heard_by([member(0, 2, port), member(7, 2, port)])
    assert all("was started as process 7 of 2; allowed: 0 to 1" in t for t in heard)


def test_strangers_at_the_port_do_no_harm() -> None:
    port = free_port()

    def knock() -> None:
        for words in (b"GET / HTTP/1.1\r\n\r\n\n", b"", b'{"to": "cnn_jax"}\n', b"[1]\n"):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(words)

    def member_later() -> None:
        time.sleep(0.2)
        knock()
        answer_roll(member(1, 2, port))

    other = threading.Thread(target=member_later)
    other.start()
    assert call_roll(member(0, 2, port)) == f"127.0.0.1:{port}"
    other.join(timeout=10)


def test_one_that_was_started_again_is_no_second_one() -> None:
    port = free_port()
    hello = {"to": "cnn_jax", "process": 1, "processes": 3, "host": "here"}

    def others() -> None:
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", port)) as dead:
            dead.sendall(json.dumps(hello).encode() + b"\n")
            time.sleep(0.2)
        assert heard_by([member(1, 3, port), member(2, 3, port)]) == ["", ""]

    thread = threading.Thread(target=others)
    thread.start()
    call_roll(member(0, 3, port))
    thread.join(timeout=10)


def test_localhost_is_listened_at_alone() -> None:
    """Nobody from another machine reaches what runs on one."""
    assert call_roll(member(0, 1, port := free_port())) == f"127.0.0.1:{port}"


@pytest.mark.parametrize("number", [0, 1])
def test_jax_is_told_to_listen_there(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(jax.distributed, "initialize", lambda *_, **how: told.update(how))
    monkeypatch.setattr(distributed, "watch", lambda heartbeat: None)
    port = free_port()
    mine, other = member(number, 2, port), member(1 - number, 2, port)
    mine.detect, mine.heartbeat_seconds = False, 10.0
    thread = threading.Thread(target=heard_by, args=([other],))
    thread.start()
    distributed.start(mine)
    thread.join(timeout=10)
    expected = f"127.0.0.1:{port}" if number == 0 else None
    assert told["coordinator_bind_address"] == expected


CLUSTER = {
    "SLURM_JOB_ID": "1",
    "SLURM_STEP_NODELIST": "localhost",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
}


def detected(seconds: float) -> Any:
    section = member(0, 0, 1, seconds)
    section.detect, section.coordinator, section.heartbeat_seconds = True, None, 10.0
    return section


def test_an_absent_process_of_a_cluster_is_named_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """jax would end the process by an abort."""
    for name, value in CLUSTER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JAX_COORDINATOR_PORT", str(free_port()))
    with pytest.raises(InputError, match=r"process 1 of 2 did not come within 0\.4 s"):
        distributed.start(detected(0.4))
    monkeypatch.setenv("SLURM_PROCID", "1")
    with pytest.raises(InputError, match=r"process 1 waited 0\.4 s for process 0 at localhost:"):
        distributed.start(detected(0.4))


def test_off_a_cluster_detection_says_so() -> None:
    with pytest.raises(InputError, match=r"finds no cluster around this process; it knows"):
        distributed.start(detected(0.4))


def test_a_name_that_means_the_loop_back_here_is_listened_at_from_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where /etc/hosts gives the machine's own name 127.0.1.1."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.1.1", port := free_port()))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    alone = member(0, 1, port)
    alone.coordinator = f"node7:{port}"
    assert call_roll(alone) == f"0.0.0.0:{port}"
    alone.coordinator = f"127.0.1.1:{port}"
    assert call_roll(alone) == f"127.0.1.1:{port}"


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"cannot listen at .*: Address already in use\."):
            call_roll(member(0, 2, taken.getsockname()[1]))


@pytest.mark.parametrize(
    "text", ["localhost", "localhost:", ":80", "host:port", "host:0", "h:99999"]
)
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="allowed: host:port"):
        address_of(text)


values = st.integers(0, 2) | st.none() | st.sampled_from(["a", "b"])


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), values), min_size=1, max_size=5))
def test_differences_name_exactly_what_differs(said: list[dict[str, Any]]) -> None:
    nothing = object()
    expected = {n for n in "xyz" if len({repr(s.get(n, nothing)) for s in said}) > 1}
    lines = differences(said)
    assert {line.partition(":")[0] for line in lines} == expected
    for line in lines:
        name, _, told = line.partition(": ")
        for process, facts in enumerate(said):
            value = repr(facts[name]) if name in facts else "nothing"
            (part,) = [p for p in told.split("; ") if p.startswith(f"{value} on process ")]
            assert str(process) in part.partition(" on process ")[2].split(", ")
