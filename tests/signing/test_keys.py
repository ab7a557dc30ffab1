"""Key pairs: what they are made of and what they never show."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from linnet.signing import keys

PRIVATES = st.binary(min_size=32, max_size=32)


@given(private=PRIVATES)
def test_the_public_key_is_that_of_x25519(private: bytes) -> None:
    expected = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    assert keys.public_key(private) == b"\x05" + expected


def test_a_generated_key_is_clamped_and_repeatable() -> None:
    pair = keys.generate(lambda size: b"\xff" * size)
    assert pair.private == b"\xf8" + b"\xff" * 30 + b"\x7f"
    assert pair.public == keys.public_key(b"\xff" * 32)


@given(private=PRIVATES)
def test_clamping_twice_changes_nothing(private: bytes) -> None:
    once = keys.clamp(private)
    assert keys.clamp(once) == once
    assert keys.public_key(once) == keys.public_key(private)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_private_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        keys.public_key(bytes(size))


def test_repr_hides_the_private_half() -> None:
    pair = keys.generate(lambda size: b"\xab" * size)
    assert repr(pair.private)[2:-1] not in repr(pair)
    assert "private" not in repr(pair)
