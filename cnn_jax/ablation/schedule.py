"""Which device trains which wave next."""

from __future__ import annotations

import threading
from dataclasses import dataclass

FEW = 2  # waves for which another device need not compile the program once more


@dataclass(frozen=True)
class Slot:
    """One wave of one group.

    Attributes:
        group: its number.
        number: of the wave in the group.
    """

    group: int
    number: int

    @property
    def name(self) -> str:
        """By what its files are called."""
        return f"group-{self.group:03}-wave-{self.number:05}"


class Schedule:
    """Hands out waves so that few programs are compiled twice. Safe in threads.

    Args:
        slots: the waves that are left.
        few: of a group are left for the device that has compiled its program.
    """

    def __init__(self, slots: list[Slot], few: int = FEW):
        self._few = few
        self._left: dict[int, list[Slot]] = {}
        for slot in slots:
            self._left.setdefault(slot.group, []).append(slot)
        self._compiled: dict[int, set[int]] = {}
        self._lock = threading.Lock()

    def next(self, device: int) -> Slot | None:
        """Returns the next wave of a device; None when there is none for it.

        A device goes on with a group that it has compiled, then takes one that nobody has, then
        helps with the one of which most is left.
        """
        with self._lock:
            groups = [group for group, slots in self._left.items() if slots]
            mine = [g for g in groups if device in self._compiled.get(g, ())]
            fresh = [g for g in groups if g not in self._compiled]
            shared = [g for g in groups if len(self._left[g]) > self._few]
            shared.sort(key=lambda g: -len(self._left[g]))
            for group in [*mine, *fresh, *shared]:
                self._compiled.setdefault(group, set()).add(device)
                return self._left[group].pop(0)
            return None
