import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax import files
from cnn_jax.config.addresses import KINDS, checked_address, is_address, refuse_addresses
from cnn_jax.config.problems import InputError
from tests import configs

WORD = st.text("abcdefgh-_.0123", min_size=1).filter(lambda word: word not in (".", ".."))


@given(st.sampled_from(sorted(KINDS)), WORD, st.lists(WORD, min_size=1))
def test_addresses_of_known_stores_are_taken(scheme: str, bucket: str, names: list[str]) -> None:
    address = f"{scheme}://{bucket}/{'/'.join(names)}"
    assert is_address(address)
    assert checked_address("--workdir", address) is KINDS[scheme]


@given(st.lists(WORD, min_size=1), st.booleans())
def test_paths_are_no_addresses(names: list[str], absolute: bool) -> None:
    assert not is_address("/" * absolute + "/".join(names))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("gss://bucket/run", "did you mean 'gs'"),
        ("file:///runs/a", "no store that is known"),
        ("gs://bucket", "bucket and directory are needed"),
        ("gs:/bucket/run", "bucket and directory are needed"),
        ("gs:///run", "bucket and directory are needed"),
        ("s3://bucket/run/../other", "leave out"),
    ],
)
def test_what_cannot_be_an_address_is_named(address: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        checked_address("--workdir", address)


def test_elsewhere_the_remedy_is_named() -> None:
    with pytest.raises(InputError, match="--config.data.directory|gcloud storage cp") as caught:
        configs.make({"data.directory": "gs://bucket/images"})
    assert "config.data.directory=gs://bucket/images" in str(caught.value)
    with pytest.raises(InputError, match="aws s3 cp"):
        files.check_output("--output", "s3://bucket/result.json")
    with pytest.raises(InputError) as caught:
        refuse_addresses([("--weights", "gs://b/w.pth"), ("--images", ["a", "az://b/c"]), ("n", 3)])
    assert len(caught.value.problems) == 2
