"""Pickles read without running anything: classes and functions stay names.

Python's own unpickler calls whatever a file names. This one carries out the opcodes that build
numbers, texts, lists and dicts; for the few functions that the reader gives it calls the reader's
own, and everything else becomes an `Unknown` that remembers its name, arguments and state.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol


class Stream(Protocol):
    """What a pickle is read from."""

    def read(self, count: int, /) -> bytes:
        """Returns so many bytes, or what is left."""

    def readline(self) -> bytes:
        """Returns the bytes up to the end of the line."""


@dataclass(frozen=True)
class Named:
    """A class or function that a pickle names, such as `argparse.Namespace`."""

    name: str


@dataclass(eq=False)
class Unknown:
    """What a pickle wants made by something that is not known here, and what nobody makes.

    Attributes:
        name: of the class or function, such as `argparse.Namespace`.
        arguments: that it would be called with.
        state: that it would be given, often a dict of attributes.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = field(default=None, repr=False)

    def attributes(self) -> dict[str, Any]:
        """Returns its attributes by name, as far as it has any."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        found: dict[str, Any] = {}
        for part in parts:
            found |= part if isinstance(part, dict) else {}
        return found


class Stateful(Protocol):
    """What is completed by a state."""

    def set_state(self, state: Any) -> None:
        """Takes the state."""


def read_pickle(
    stream: Stream,
    makers: Mapping[str, Callable[..., Any]] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Returns the object of a pickle, of any protocol.

    Args:
        stream: stands behind the pickle afterwards.
        makers: name of a class or function -> what is called in its place; it checks what it is
            given.
        persistent: what a persistent id stands for.

    Raises:
        ValueError: it is no whole pickle.
    """
    machine = _Machine(makers or {}, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(stream):  # type: ignore[arg-type]
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.carry_out(opcode.name, argument)
    except UnicodeError as error:
        raise ValueError("a damaged pickle: a text in it is no UTF-8") from error
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"a damaged pickle ({type(error).__name__}: {error})") from error
    raise ValueError("a pickle without an end")


class _Machine:
    """The stack machine of the pickle module, less whatever looks up or calls by name."""

    def __init__(
        self,
        makers: Mapping[str, Callable[..., Any]],
        persistent: Callable[[Any], Any] | None,
    ):
        self._makers, self._persistent = makers, persistent
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks under each mark
        self._memo: dict[int, Any] = {}

    def carry_out(self, opcode: str, argument: Any) -> None:
        if opcode in VALUES:
            self._push(argument)
        elif opcode in CONSTANTS:
            self._push(CONSTANTS[opcode]())
        elif opcode in GETS:
            self._push(self._memo[argument])
        elif opcode in PUTS:
            self._memo[argument] = self.stack[-1]
        elif opcode not in NOTHING:
            step = getattr(self, f"_{opcode.lower()}", None)
            if step is None:
                raise ValueError(f"a pickle with {opcode}, which no file of weights has")
            step(argument)

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._below.pop()
        return items

    def _made(self, what: Any, arguments: Any) -> Any:
        if not isinstance(arguments, tuple):
            raise ValueError("a damaged pickle: arguments that are no tuple")
        if isinstance(what, Named) and what.name in self._makers:
            return self._makers[what.name](*arguments)
        name = getattr(what, "name", type(what).__name__)
        return Unknown(name, arguments)

    # The opcodes, in the order of the documentation of pickletools.

    def _memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def _mark(self, _: None) -> None:
        self._below.append(self.stack)
        self.stack = []

    def _pop(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def _pop_mark(self, _: None) -> None:
        self._since_mark()

    def _dup(self, _: None) -> None:
        self._push(self.stack[-1])

    def _list(self, _: None) -> None:
        self._push(self._since_mark())

    def _tuple(self, _: None) -> None:
        self._push(tuple(self._since_mark()))

    def _tuple1(self, _: None) -> None:
        self._push((self.stack.pop(),))

    def _tuple2(self, _: None) -> None:
        last = self.stack.pop()
        self._push((self.stack.pop(), last))

    def _tuple3(self, _: None) -> None:
        last, middle = self.stack.pop(), self.stack.pop()
        self._push((self.stack.pop(), middle, last))

    def _dict(self, _: None) -> None:
        made: dict[Any, Any] = {}
        _set_items(made, self._since_mark())
        self._push(made)

    def _frozenset(self, _: None) -> None:
        self._push(Unknown("frozenset", (self._since_mark(),)))

    def _append(self, _: None) -> None:
        item = self.stack.pop()
        _extend(self.stack[-1], [item])

    def _appends(self, _: None) -> None:
        items = self._since_mark()
        _extend(self.stack[-1], items)

    def _additems(self, _: None) -> None:
        self._since_mark()  # sets are of no use here

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _set_items(self.stack[-1], [key, value])

    def _setitems(self, _: None) -> None:
        items = self._since_mark()
        _set_items(self.stack[-1], items)

    def _global(self, argument: str) -> None:
        self._push(_named(argument))

    def _stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a damaged pickle: a name that is no text")
        self._push(Named(f"{module}.{name}"))

    def _reduce(self, _: None) -> None:
        arguments = self.stack.pop()
        self._push(self._made(self.stack.pop(), arguments))

    _newobj = _reduce

    def _newobj_ex(self, _: None) -> None:
        _, arguments = self.stack.pop(), self.stack.pop()
        self._push(self._made(self.stack.pop(), arguments))

    def _inst(self, argument: str) -> None:
        self._push(self._made(_named(argument), tuple(self._since_mark())))

    def _obj(self, _: None) -> None:
        what, *arguments = self._since_mark()
        self._push(self._made(what, tuple(arguments)))

    def _build(self, _: None) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, Unknown):
            made.state = state
        elif hasattr(made, "set_state"):
            made.set_state(state)
        # Attributes of a dict, such as the versions of its modules, are left.

    def _binpersid(self, _: None) -> None:
        self._persid(self.stack.pop())

    def _persid(self, argument: Any) -> None:
        if self._persistent is None:
            raise ValueError("a pickle that refers to something outside itself")
        self._push(self._persistent(argument))


def _named(argument: str) -> Named:
    module, name = argument.split(" ", 1)
    return Named(f"{module}.{name}")


def _extend(made: Any, items: list[Any]) -> None:
    if isinstance(made, list):
        made.extend(items)
    elif not isinstance(made, Unknown):
        raise ValueError("a damaged pickle: items for something that is no list")


def _set_items(made: Any, items: list[Any]) -> None:
    """Sets keys and values, which follow each other."""
    if len(items) % 2:
        raise ValueError("a damaged pickle: a key without a value")
    pairs = zip(items[::2], items[1::2], strict=True)
    if isinstance(made, dict):
        # Others, such as tuples of tuples without end, name no weights.
        made.update((key, value) for key, value in pairs if isinstance(key, KEYS))
    elif not isinstance(made, Unknown):
        raise ValueError("a damaged pickle: entries for something that is no dict")


KEYS: Final = (str, bytes, int, float, type(None))
# Opcodes that push their argument as it is.
VALUES: Final = frozenset(
    opcode.name
    for opcode in pickletools.opcodes
    if opcode.arg
    and not opcode.stack_before
    and opcode.stack_after not in ([], [pickletools.anyobject])
)
CONSTANTS: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Unknown("set"),
}
GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
NOTHING: Final = frozenset({"PROTO", "FRAME"})
