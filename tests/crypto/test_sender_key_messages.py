"""The formats of sender keys: what is written is read, anything else is read or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.crypto.group import Speaker
from tests.crypto.party import seeded

from linnet.crypto.errors import Malformed
from linnet.crypto.sender_key_messages import (
    MAX_BYTES,
    Distribution,
    encode_distribution,
    encode_message,
    parse_distribution,
    parse_message,
)

ids = st.binary(min_size=16, max_size=16)
numbers = st.integers(0, 2**32 - 1)
keys = st.binary(min_size=32, max_size=32)


@given(ids, numbers, numbers, keys, keys)
def test_a_distribution_comes_back(
    id: bytes, chain: int, iteration: int, chain_key: bytes, u: bytes
) -> None:
    distribution = Distribution(id, chain, iteration, chain_key, b"\x05" + u)
    assert parse_distribution(encode_distribution(distribution)) == distribution


@given(ids, numbers, numbers, st.binary(max_size=80), st.binary(min_size=64, max_size=64))
def test_a_message_comes_back(
    id: bytes, chain: int, iteration: int, ciphertext: bytes, signature: bytes
) -> None:
    covered = encode_message(id, chain, iteration, ciphertext)
    message = parse_message(covered + signature)
    assert (message.distribution_id, message.chain_id) == (id, chain)
    assert (message.iteration, message.ciphertext) == (iteration, ciphertext)
    assert (message.covered, message.signature) == (covered, signature)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\x33" + tail))
def test_any_bytes_are_refused(data: bytes) -> None:
    """Bytes at random never hold every field in its size."""
    for parse in (parse_distribution, parse_message):
        with pytest.raises(Malformed):
            parse(data)


@given(st.data())
def test_changed_bytes_are_read_or_refused(data: st.DataObject) -> None:
    alice = Speaker(seeded(1))
    distribution = data.draw(st.booleans())
    changed = bytearray(alice.distribution() if distribution else alice.send(b"text"))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] = data.draw(st.integers(0, 255))
    try:
        if distribution:
            assert len(parse_distribution(bytes(changed)).chain_key) == 32
        else:
            assert len(parse_message(bytes(changed)).signature) == 64
    except Malformed:
        pass


GOOD = Distribution(b"i" * 16, 1, 0, b"c" * 32, b"\x05" + b"u" * 32)


@pytest.mark.parametrize(
    "bad",
    [
        Distribution(b"i" * 15, 1, 0, GOOD.chain_key, GOOD.signing_key),
        Distribution(GOOD.distribution_id, 1, 0, b"c" * 31, GOOD.signing_key),
        Distribution(GOOD.distribution_id, 1, 0, GOOD.chain_key, b"\x05" + b"u" * 31),
        Distribution(GOOD.distribution_id, 1, 0, GOOD.chain_key, b"\x06" + b"u" * 32),
    ],
    ids=["id", "chain key", "short signing key", "another type of key"],
)
def test_a_distribution_with_a_field_of_a_wrong_size_is_malformed(bad: Distribution) -> None:
    with pytest.raises(Malformed):
        parse_distribution(encode_distribution(bad))


def test_what_lacks_a_field_is_malformed() -> None:
    with pytest.raises(Malformed, match="missing"):
        parse_distribution(b"\x33\x10\x01")
    with pytest.raises(Malformed, match="missing"):
        parse_message(b"\x33\x10\x01" + bytes(64))


@pytest.mark.parametrize("data", [b"", b"\x33", b"\x32" + bytes(80), b"\x33" + bytes(MAX_BYTES)])
def test_another_version_or_size_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_message(data)
    with pytest.raises(Malformed):
        parse_distribution(data)


def test_no_secret_shows() -> None:
    assert "63" * 4 not in repr(GOOD)
    assert "cccc" not in repr(GOOD)
