"""The processes of a run find one another: who is there, before jax is told.

jax ends a process by itself, with a trace of its own, where one is absent or comes twice. So
process 0 first listens at the coordinator's address for a line of every other one, answers all with
the same words, and only then gives the address to jax.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import socket
import time
from collections.abc import Container, Mapping
from typing import Any

from cnn_jax.config.problems import InputError

SECONDS_BETWEEN_TRIES = 0.5
SECONDS_FOR_A_LINE = 5.0
LONGEST_LINE = 1 << 16
GREETING = "cnn_jax"
Address = tuple[str, int]


def address_of(coordinator: str) -> Address:
    """Returns host and port of `host:port`.

    Raises:
        InputError: it is no such thing.
    """
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise InputError(
            f"config.distributed.coordinator = {coordinator!r}: allowed: host:port, as in "
            "localhost:8476"
        )
    return host.strip("[]"), int(port)


def call_roll(distributed: Any) -> str:
    """Meets the others as process 0, and returns the address that jax is to listen at.

    Args:
        distributed: `config.distributed`.

    Raises:
        InputError: one does not come in time, a number comes twice or is none, or the address
            cannot be listened at; those who came are told the same.
    """
    deadline = time.monotonic() + distributed.timeout_seconds
    with _listening(distributed.coordinator) as server:
        came: list[tuple[int, socket.socket]] = []
        problem = None
        while len(came := _waiting(came)) < distributed.processes - 1:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                caller, _ = server.accept()
            except TimeoutError:
                problem = problem or _absent(distributed, {number for number, _ in came})
                break
            said = _line(caller, min(deadline, time.monotonic() + SECONDS_FOR_A_LINE))
            if not _is_ours(said):  # whoever else knocks at ports
                caller.close()
                continue
            came = _waiting(came)
            if problem is None and (problem := _wrong(distributed, said, dict(came))):
                # The others are on their way, and shall hear it, too.
                deadline = min(deadline, time.monotonic() + SECONDS_FOR_A_LINE)
            came.append((said["process"], caller))
        for _, caller in came:
            with contextlib.suppress(OSError):
                caller.sendall(json.dumps({"problem": problem}).encode() + b"\n")
            caller.close()
        host, port = server.getsockname()[:2]
    if problem is not None:
        raise InputError(problem)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def answer_roll(distributed: Any) -> None:
    """Meets process 0 as one of the others.

    Args:
        distributed: `config.distributed`.

    Raises:
        InputError: nobody listens there before the deadline, or process 0 says what is wrong.
    """
    me, where = distributed.process_id, distributed.coordinator
    deadline = time.monotonic() + distributed.timeout_seconds
    hello = {"to": GREETING, "process": me, "processes": distributed.processes}
    hello["host"] = socket.gethostname()
    with _connected(distributed, deadline) as caller:
        with contextlib.suppress(OSError):
            caller.sendall(json.dumps(hello).encode() + b"\n")
        # Process 0 may have begun to wait later than this one.
        said = _line(caller, deadline + distributed.timeout_seconds)
    if "problem" not in said:
        raise InputError(
            f"process {me} met process 0 at {where}, which ended without a word: see its output"
        )
    if said["problem"] is not None:
        raise InputError(said["problem"])


def _is_ours(said: Mapping[str, Any]) -> bool:
    numbers = all(isinstance(said.get(name), int) for name in ("process", "processes"))
    return said.get("to") == GREETING and numbers and isinstance(said.get("host"), str)


def _waiting(came: list[tuple[int, socket.socket]]) -> list[tuple[int, socket.socket]]:
    """Returns those that still wait: one that has ended may be started again, and come then."""
    waiting = []
    for number, caller in came:
        if _gone(caller):
            caller.close()
        else:
            waiting.append((number, caller))
    return waiting


def _gone(caller: socket.socket) -> bool:
    """Whether the other end has ended; it says nothing more as long as it waits."""
    caller.settimeout(0.0)
    try:
        return not caller.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _wrong(distributed: Any, said: Mapping[str, Any], came: Container[int]) -> str | None:
    number, count = said["process"], distributed.processes
    who = f"a process on {said['host']}"
    if said["processes"] != count:
        return (
            f"{who} was started as one of {said['processes']} processes, process 0 as one of "
            f"{count}: config.distributed.processes must be the same"
        )
    if not 0 < number < count:
        return f"{who} was started as process {number} of {count}; allowed: 0 to {count - 1}"
    if number in came:
        return (
            f"config.distributed.process_id = {number} was given twice, once to {who}; each of "
            f"the {count} processes needs its own"
        )
    return None


def _absent(distributed: Any, came: set[int]) -> str:
    absent = sorted(set(range(1, distributed.processes)) - came)
    return (
        f"process {', '.join(map(str, absent))} of {distributed.processes} did not come within "
        f"{distributed.timeout_seconds:g} s to process 0 at {distributed.coordinator}: is it "
        "started, and is the address reachable from there?"
    )


def _listening(coordinator: str) -> socket.socket:
    """Returns a socket that listens at the coordinator's address, and at no other.

    An address that is not of this machine, as behind a translation of addresses, cannot be
    listened at: then all of this machine are. So they are where the machine calls itself by a name
    that means the loop-back to it alone, as Debian has it.
    """
    host, port = address_of(coordinator)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise InputError(f"config.distributed.coordinator = {coordinator}: {error}") from error
    # IPv4 first: `localhost` means both, and not every machine has the other.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    only_here = host != "localhost" and not _is_number(host) and _is_loop_back(address[0])
    for where in [("", port)] if only_here else [address, ("", port)]:
        server = socket.socket(family)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(where)
            server.listen(1024)
            return server
        except OSError as error:
            server.close()
            if error.errno == errno.EADDRNOTAVAIL and where == address:
                continue
            raise InputError(
                f"process 0 cannot listen at {coordinator}: {error.strerror}. Is another run "
                "there, or was config.distributed.process_id = 0 given twice?"
            ) from error
    raise AssertionError


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loop_back(address: object) -> bool:
    return ipaddress.ip_address(str(address).partition("%")[0]).is_loopback


def _connected(distributed: Any, deadline: float) -> socket.socket:
    host, port = address_of(distributed.coordinator)
    while True:
        try:
            return socket.create_connection((host, port), timeout=5)
        except OSError as error:
            if time.monotonic() > deadline:
                raise InputError(
                    f"process {distributed.process_id} waited {distributed.timeout_seconds:g} s "
                    f"for process 0 at {distributed.coordinator}: nobody listens there ({error}); "
                    "is it started, and is the address reachable from here?"
                ) from error
            time.sleep(SECONDS_BETWEEN_TRIES)


def _line(caller: socket.socket, deadline: float) -> dict[str, Any]:
    """Returns the JSON object in the line that comes before a deadline, or an empty one."""
    content = b""
    try:
        while not content.endswith(b"\n") and len(content) < LONGEST_LINE:
            caller.settimeout(max(0.01, deadline - time.monotonic()))
            part = caller.recv(4096)
            if not part:
                break
            content += part
        said = json.loads(content)
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
