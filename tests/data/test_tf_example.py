import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.data.tf_example import parse_example


def varint(number: int) -> bytes:
    number %= 1 << 64
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(features: dict[str, bytes | int | float | None], packed: bool = True) -> bytes:
    entries = b""
    for name, value in features.items():
        if isinstance(value, bytes):
            feature = field(1, field(1, value))
        elif isinstance(value, int):
            number = varint(value)
            feature = field(3, field(1, number) if packed else varint(1 << 3) + number)
        elif isinstance(value, float):
            feature = field(2, field(1, np.float32(value).tobytes()))
        else:
            feature = b""
        entries += field(1, field(1, name.encode()) + field(2, feature))
    return field(1, entries)


@given(st.binary(max_size=300), st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_values_come_back(image: bytes, label: int, packed: bool) -> None:
    features = {"image": image, "label": label, "file_name": b"n1_1.JPEG"}
    assert parse_example(example(features, packed)) == features


def test_floats_and_empty_features_have_no_value() -> None:
    found = parse_example(example({"a": 1.5, "b": None, "c": 3}))
    assert found == {"a": None, "b": None, "c": 3}


@pytest.mark.parametrize(
    "data", [b"\xff\xff", b"nothing of the kind", example({"a": b"x" * 9})[:-4]]
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a tf\.train\.Example"):
        parse_example(data)


def test_it_reads_what_tensorflow_writes() -> None:
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_datasets")
    train = tf.train
    features = {
        "image": train.Feature(bytes_list=train.BytesList(value=[b"\x00\x01"])),
        "label": train.Feature(int64_list=train.Int64List(value=[-1])),
    }
    made = train.Example(features=train.Features(feature=features)).SerializeToString()
    assert parse_example(made) == {"image": b"\x00\x01", "label": -1}
