"""The field `pq_ratchet`: one encoding for each message, and nothing else."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.errors import Malformed
from linnet.crypto.spqr.erasure import Chunk
from linnet.crypto.spqr.messages import MAX_EPOCH, MAX_INDEX, Kind, Message, encode, parse

WITHOUT = (Kind.NONE, Kind.ACK)
chunks = st.builds(Chunk, st.integers(0, 0xFFFF), st.binary(min_size=32, max_size=32))
kinds = st.one_of(
    st.tuples(st.sampled_from(WITHOUT), st.none()),
    st.tuples(st.sampled_from([kind for kind in Kind if kind not in WITHOUT]), chunks),
)
fields = st.tuples(st.integers(1, MAX_EPOCH), st.integers(0, MAX_INDEX), kinds)


def of(field: tuple[int, int, tuple[Kind, Chunk | None]]) -> Message:
    epoch, index, (kind, chunk) = field
    return Message(epoch, index, kind, chunk)


def test_messages_in_bytes() -> None:
    assert encode(Message(1, 1, Kind.NONE, None)).hex() == "01010100"
    assert encode(Message(300, 128, Kind.ACK, None)).hex() == "01ac02800104"
    chunk = Chunk(200, b"c" * 32)
    assert encode(Message(2, 3, Kind.CT2, chunk)).hex() == "01020306c801" + "63" * 32


@given(fields)
def test_what_is_encoded_is_parsed(
    field: tuple[int, int, tuple[Kind, Chunk | None]],
) -> None:
    assert parse(encode(of(field))) == of(field)


@given(st.binary(max_size=60) | st.binary(max_size=50).map(lambda data: b"\x01" + data))
def test_anything_else_is_refused_or_is_the_one_encoding(data: bytes) -> None:
    try:
        message = parse(data)
    except Malformed:
        return
    assert encode(message) == data


@given(fields, st.randoms())
def test_a_changed_message_is_refused_or_is_another_ones_encoding(
    field: tuple[int, int, tuple[Kind, Chunk | None]], chance: Random
) -> None:
    data = bytearray(encode(of(field)))
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    try:
        message = parse(bytes(data))
    except Malformed:
        return
    assert encode(message) == data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "00010100",
        "02010100",
        "01000100",
        "0101",
        "010101",
        "01010107",
        "0101010000",
        "01010101",
        "0101010100" + "00" * 31,
        "0101010100" + "00" * 33,
        "01010101808004" + "00" * 32,
        "0181000100",
        "0101ffffffff1f00",
        "01" + "ff" * 9 + "010100",
        "01" + "80" * 12,
    ],
    ids=[
        "nothing",
        "version 0",
        "version 2",
        "epoch 0",
        "no index",
        "no type",
        "type 7",
        "more after it",
        "no chunk",
        "short chunk",
        "long chunk",
        "chunk 65536",
        "longer than it must be",
        "index of 33 bits",
        "epoch of 64 bits",
        "a number without end",
    ],
)
def test_malformed_messages_are_refused(data: str) -> None:
    with pytest.raises(Malformed):
        parse(bytes.fromhex(data))
