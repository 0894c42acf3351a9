"""Files that mean harm, lie, or are cut short: nothing runs, nothing grows, a sentence each."""

import contextlib
import io
import pickle
import random
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.transfer.pickles import Named, Unknown, read_pickle
from cnn_jax.transfer.state_dicts import load
from cnn_jax.transfer.tensors import MAKERS
from cnn_jax.transfer.torch_files import Bounded
from tests.transfer.torch_writer import (
    MAGIC,
    Call,
    Global,
    Reference,
    Writer,
    torch_legacy,
    torch_zip,
)

ARRAYS = {"fc.weight": np.ones((2, 3), np.float32), "fc.bias": np.arange(2.0)}
FORMATS = {"zip": torch_zip, "legacy": torch_legacy}


def touch(path: Path) -> list[Any]:
    """Calls that would make a file, if anything called them."""
    command, code = f"touch {path}", f"open({str(path)!r}, 'w')"
    evaluate = Call(Global("builtins", "getattr"), (Global("builtins", "object"), "__eval__"))
    return [
        Call(Global("os", "system"), (command,)),
        Call(Global("posix", "system"), (command,)),
        Call(Global("builtins", "eval"), (code,)),
        Call(Global("builtins", "exec"), (code,)),
        Call(Global("subprocess", "Popen"), (["touch", str(path)],)),
        Call(Global("pathlib", "Path.touch"), (Call(Global("pathlib", "Path"), (str(path),)),)),
        Call(Global("builtins", "open"), (str(path), "w")),
        # What the first call returns is called again; and a state that would call.
        Call(evaluate, (code,)),
        Call(Global("functools", "partial"), (Global("os", "system"), command), {"func": 1}),
        Call(Call(Global("functools", "partial"), (Global("os", "system"), command))),
        Call(Global("torch._tensor", "_rebuild_from_type_v2"), (Global("os", "system"), 0, (1,))),
        Call(Global("torch.storage", "_load_from_bytes"), (command,)),
    ]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("number", range(12))
def test_nothing_is_run(kind: str, number: int, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = touch(mark)[number]
    path = tmp_path / "w.pth"
    FORMATS[kind](path, {"state_dict": ARRAYS, "args": evil})
    assert load(path).keys() == ARRAYS.keys()
    FORMATS[kind](path, {**ARRAYS, "fc.extra": evil})
    assert load(path).keys() == ARRAYS.keys()
    FORMATS[kind](path, evil)
    with pytest.raises(InputError, match="no weights in it"):
        load(path)
    assert not mark.exists()


class Evil:
    def __reduce__(self) -> Any:
        return print, ("ran",)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_keep_what_they_name(
    protocol: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = {"evil": [Evil(), (1, 2.5, "ü", None, True)], "big": 1 << 70, "n": {1: -7}, "t": ()}
    read = read_pickle(io.BytesIO(pickle.dumps(tree, protocol)))
    assert isinstance(read["evil"][0], Unknown) and read["evil"][0].name.endswith(".print")
    assert read["evil"][1] == (1, 2.5, "ü", None, True)
    assert (read["big"], read["n"], read["t"]) == (1 << 70, {1: -7}, ())
    assert capsys.readouterr().out == ""


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.binary()
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(plain, st.integers(2, 5))
def test_plain_objects_come_back(tree: Any, protocol: int) -> None:
    stream = io.BytesIO(pickle.dumps(tree, protocol) + b"behind")
    assert read_pickle(stream, MAKERS) == tree
    assert stream.read() == b"behind"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_pickle_or_a_sentence(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_pickle(io.BytesIO(content))


def test_every_cut_and_every_flipped_byte_ends_in_a_sentence(tmp_path: Path) -> None:
    rng = random.Random(0)
    for write in FORMATS.values():
        write(tmp_path / "whole", {"state_dict": ARRAYS, "epoch": 3})
        whole = (tmp_path / "whole").read_bytes()
        path = tmp_path / "broken"
        for _ in range(60):
            path.write_bytes(whole[: rng.randrange(len(whole))])
            with pytest.raises(InputError, match="broken"):
                load(path)
            changed = bytearray(whole)
            changed[rng.randrange(len(whole))] = rng.randrange(256)
            path.write_bytes(changed)
            try:
                load(path)
            except InputError as error:
                assert "broken" in str(error)


def test_packed_numbers_that_are_damaged(tmp_path: Path) -> None:
    torch_zip(tmp_path / "w.pth", {"fc.weight": np.arange(999.0)})
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as plain,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
        place = packed.getinfo("archive/data/0").header_offset + 60
    np.testing.assert_array_equal(load(tmp_path / "packed.pth")["fc.weight"], np.arange(999.0))
    content = bytearray((tmp_path / "packed.pth").read_bytes())
    content[place : place + 40] = b"\xff" * 40
    (tmp_path / "packed.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"packed\.pth cannot be read: "):
        load(tmp_path / "packed.pth")


def tensor(shape: Any, strides: Any, offset: Any = 0, count: Any = 4, key: str = "0") -> Call:
    storage = Reference(("storage", Global("torch", "FloatStorage"), key, "cpu", count))
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, (storage, offset, shape, strides, False, None))


@pytest.mark.parametrize(
    "lie",
    [
        tensor((5,), (1,)),
        tensor((2,), (1,), offset=3),
        tensor((2, 2), (3, 1)),
        tensor((2,), (-1,), offset=1),
        tensor((-2,), (1,)),
        tensor((2,), (1, 1)),
        tensor((1 << 40,), (1,), count=1 << 40),
        tensor((2,), (1,), offset=-1),
        tensor(("a",), (1,)),
        tensor((2.5,), (1,)),
        tensor((2,), (1,), count=-1),
        tensor((2,), (1,), key="other"),
        tensor((2,), (1,), key="../../etc/passwd"),
        tensor((1,) * 80, (1,) * 80),
        Call(Global("torch._utils", "_rebuild_tensor_v2"), ()),
        Call(Global("torch._utils", "_rebuild_tensor_v2"), (1, 2, (3,), (4,))),
        Call(Global("numpy", "dtype"), ("f4",), 3),
    ],
    ids=range(17),
)
def test_tensors_that_lie(lie: Call, tmp_path: Path) -> None:
    writer = Writer()
    pickled = writer.pickled({"fc.weight": lie})
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        archive.writestr("w/data/0", bytes(16))
    with pytest.raises(InputError, match=r"w\.pth"):
        load(tmp_path / "w.pth")


def test_a_tensor_that_repeats_itself_costs_nothing(tmp_path: Path) -> None:
    many = {f"a{i}.weight": tensor((1 << 20, 1 << 20), (0, 0)) for i in range(9)}
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("w/data.pkl", Writer().pickled(many))
        archive.writestr("w/data/0", bytes(16))
    tracemalloc.start()
    assert load(tmp_path / "w.pth")["a0.weight"].shape == (1 << 20, 1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_what_is_claimed_is_not_allocated(tmp_path: Path) -> None:
    """An entry of the memo, a text and a number that say they have gigabytes."""
    claims = [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # LONG_BINPUT
        b"\x80\x02X\xff\xff\xff\x7fabc",
        b"\x80\x04\x8d" + (1 << 60).to_bytes(8, "little") + b"abc",
        b"\x80\x05\x96" + (1 << 60).to_bytes(8, "little") + b"abc",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc",
    ]
    tracemalloc.start()
    for claim in claims:
        path = tmp_path / "w.pkl"
        path.write_bytes(claim)
        with pytest.raises(InputError, match=r"w\.pkl"):
            load(path)
        with path.open("rb") as file, pytest.raises((ValueError, AssertionError)):
            assert read_pickle(Bounded(file, len(claim))) is not None
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_nesting_without_end(tmp_path: Path) -> None:
    inside = b"(" * 40_000 + b"t" * 40_000
    path = tmp_path / "w.pkl"
    path.write_bytes(b"\x80\x02}" + inside + b"Ns.")
    with pytest.raises(InputError, match="no weights in it"):
        load(path)
    path.write_bytes(b"\x80\x02" + b"]" * 40_000 + b"a" * 39_999 + b".")
    with pytest.raises(InputError, match="no weights in it"):
        load(path)


def test_a_tree_that_holds_itself_and_grows(tmp_path: Path) -> None:
    """Each dict holds the one before it fifty times: 50^40 ways lead to the last."""
    made = b"\x80\x02}q\x00"
    for i in range(1, 41):
        keys = b"".join(b"X\x02\x00\x00\x00%02dh" % k + bytes([i - 1]) for k in range(50))
        made += b"}(" + keys + b"uq" + bytes([i])
    made += b"X\x01\x00\x00\x00xh" + bytes([40]) + b"s."
    assert isinstance(read_pickle(io.BytesIO(made)), dict)
    (tmp_path / "w.pkl").write_bytes(made)
    with pytest.raises(InputError, match="no weights in it"):
        load(tmp_path / "w.pkl")


def test_names_stay_names() -> None:
    assert read_pickle(io.BytesIO(b"\x80\x02cos\nsystem\n.")) == Named("os.system")
    with pytest.raises(ValueError, match="EXT1"):
        read_pickle(io.BytesIO(b"\x80\x02\x82\x01."))
    with pytest.raises(ValueError, match="refers to something outside"):
        read_pickle(io.BytesIO(b"\x80\x02NQ."))


def test_a_magic_number_alone(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(MAGIC)
    with pytest.raises(InputError, match=r"w\.pth cannot be read"):
        load(tmp_path / "w.pth")
