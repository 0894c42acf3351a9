"""Whether the processes of a run meet, and say the same: address, facts, clocks."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cnn_jax.config.problems import InputError
from cnn_jax.devices.distributed import differences
from cnn_jax.devices.roll_call import address_of
from cnn_jax.diagnostics.doctor.finding import Finding
from cnn_jax.diagnostics.levels import FAIL, OK, WARN

CLOSE: Final = 1.0  # second, between clocks: what is asked takes some of it
FAR: Final = 60.0
TIME: Final = "let the hosts keep time by NTP: timedatectl set-ntp true"


def is_loop_back(coordinator: str) -> bool:
    """Whether an address means the very machine that uses it.

    Raises:
        InputError: it is no host:port.
    """
    host, port = address_of(coordinator)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(one[4][0]).split("%")[0]).is_loopback for one in found)


def not_met(distributed: Any, error: InputError) -> Finding:
    """Returns why the processes have not met.

    Args:
        distributed: `config.distributed`.
        error: what came of trying.
    """
    me = socket.gethostname()
    if distributed.coordinator and is_loop_back(distributed.coordinator):
        port = address_of(distributed.coordinator)[1]
        return Finding(
            "processes",
            FAIL,
            f"{error}; {distributed.coordinator} is a loop-back address, by which each host calls "
            "itself",
            f"give the address of process 0 as others see it, as {me}:{port}",
        )
    if distributed.detect:
        remedy = "run it by experiments.launch.slurm, tpu or gke; alone leave detect unset"
    else:
        remedy = "start all of them at once, and open the port to them"
    return Finding("processes", FAIL, str(error), remedy)


def met(hosts: Sequence[str], coordinator: str | None) -> Finding:
    """Returns where the processes are that have met.

    Args:
        hosts: of each process.
        coordinator: `config.distributed.coordinator`.
    """
    if len(hosts) == 1:
        return Finding("processes", OK, f"one, on {hosts[0]}; config.distributed names no others")
    by_host = {host: hosts.count(host) for host in hosts}
    places = ", ".join(f"{count} on {host}" for host, count in by_host.items())
    by = f" at {coordinator}" if coordinator else ""
    return Finding("processes", OK, f"{len(hosts)} have met{by}: {places}")


def equal(check: str, said: Sequence[Mapping[str, Any]], where_equal: str, remedy: str) -> Finding:
    """Returns whether all processes say the same.

    Args:
        check: what they were asked about.
        said: by each process, by name.
        where_equal: what is said if they do.
        remedy: where they do not.
    """
    if lines := differences(said):
        more = f"; and {len(lines) - 5} more" if len(lines) > 5 else ""
        return Finding(check, FAIL, "; ".join(lines[:5]) + more, remedy)
    return Finding(check, OK, where_equal)


def clocks(times: Sequence[float], took: float) -> Finding:
    """Returns whether the clocks of all processes agree.

    Args:
        times: what each of them showed, seconds since 1970, as soon as it was asked.
        took: seconds that asking all of them took: so much of a difference may be due to it.
    """
    skew = max(times) - min(times)
    said = f"{skew:.2f} s between the clocks of {len(times)} processes"
    if len(times) == 1:
        return Finding("clocks", OK, "one process, one clock")
    if skew <= CLOSE + took:
        return Finding("clocks", OK, said)
    late = min(range(len(times)), key=times.__getitem__)
    level = FAIL if skew > FAR + took else WARN
    return Finding("clocks", level, f"{said}; process {late} is the latest", TIME)
