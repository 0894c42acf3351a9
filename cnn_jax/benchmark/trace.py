"""What the operations of a traced program took, told by instruction, layer and direction.

A trace has the time of every instruction that ran; the text of the compiled program says of which
line of the network an instruction came.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?(?P<name>[\w.\-]+) = \S+ (?P<kind>[\w\-]+)\(")
ORIGIN = re.compile(r'op_name="(?P<origin>[^"]*)"')
CALLERS = ("while", "call", "conditional")  # their time is that of what they call
FORWARD, BACKWARD, REST = "forward", "backward", "rest"
OPERATIONS = "XLA Ops"  # the line of a device that has an event for each instruction


@dataclass(frozen=True)
class Instruction:
    """An instruction of a compiled program.

    Attributes:
        name: in the program.
        kind: as `fusion`, `convolution`.
        origin: the path of the Python operation that it, or the last it is fused of, came from.
    """

    name: str
    kind: str
    origin: str

    def layer(self, names: Iterable[str]) -> str | None:
        """Returns the longest of these names of layers that stands in the path; None without."""
        path = "/" + re.sub(r"[\w.]*\(|\)", "", self.origin) + "/"
        found = [name for name in names if f"/{name}/" in path]
        return max(found, key=len, default=None)

    @property
    def backward(self) -> bool:
        """Whether it is of the backward pass."""
        return "transpose(" in self.origin


def instructions(text: str) -> dict[str, Instruction]:
    """Returns the instructions of a compiled program by name; those that only call are left out.

    Args:
        text: of the program, as the compiler prints it.

    Example:
        >>> text = '  %dot.1 = f32[2,3]{1,0} dot(%a, %b), metadata={op_name="jit(f)/fc1/dot"}'
        >>> instructions(text)["dot.1"].layer(["fc1", "fc2"])
        'fc1'
    """
    found = {}
    for line in text.splitlines():
        if (match := INSTRUCTION.match(line)) and match["kind"] not in CALLERS:
            origin = ORIGIN.search(line)
            name = match["name"]
            found[name] = Instruction(name, match["kind"], origin["origin"] if origin else "")
    return found


def seconds_by_instruction(directory: Path, known: Mapping[str, Any]) -> dict[str, float]:
    """Returns the seconds of every known instruction in a trace, over all devices and threads.

    Args:
        directory: that the profiler wrote into.
        known: names of instructions.
    """
    total: defaultdict[str, float] = defaultdict(float)
    for path in sorted(directory.rglob("*.xplane.pb")):
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            lines = list(plane.lines)
            # An accelerator has the same moments on further lines: by step, by module, by source.
            own = [line for line in lines if line.name == OPERATIONS]
            for line in own or lines:
                for event in line.events:
                    if event.name in known:
                        total[event.name] += event.duration_ns / 1e9
    return dict(total)


@dataclass(frozen=True)
class Share:
    """The time of a layer, or of what belongs to none.

    Attributes:
        name: of the layer.
        forward: seconds.
        backward: seconds.
        rest: seconds outside both: the optimizer, the guard, augmentation.
    """

    name: str
    forward: float
    backward: float
    rest: float

    @property
    def seconds(self) -> float:
        """All together."""
        return self.forward + self.backward + self.rest


def by_layer(
    seconds: Mapping[str, float], known: Mapping[str, Instruction], layers: Sequence[str]
) -> list[Share]:
    """Returns the time of every layer in the order of the network, then that of all the rest.

    Args:
        seconds: by instruction.
        known: the instructions.
        layers: names.
    """
    total: dict[str, dict[str, float]] = {
        name: {FORWARD: 0.0, BACKWARD: 0.0, REST: 0.0} for name in (*layers, "")
    }
    for name, spent in seconds.items():
        one = known[name]
        layer = one.layer(layers)
        part = REST if layer is None else BACKWARD if one.backward else FORWARD
        total[layer or ""][part] += spent
    shares = [Share(name, *parts.values()) for name, parts in total.items()]
    return [share for share in shares if share.seconds or not share.name]
