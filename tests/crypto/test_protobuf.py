"""The protobuf reader: what it takes, what it refuses, and that nothing else comes out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.errors import Malformed
from linnet.crypto.protobuf import STRING, VARINT, Fields, decode, encode

KNOWN = {1: STRING, 2: VARINT, 15: STRING}


def read(data: bytes) -> Fields:
    return decode(data, 0, len(data), KNOWN)


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.none() | st.binary(max_size=3))
def test_what_is_encoded_is_decoded(first: bytes, second: int, last: bytes | None) -> None:
    strings = {1: first} if last is None else {1: first, 15: last}
    assert read(encode(((1, first), (2, second), (15, last)))) == ({2: second}, strings)


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        fields = read(data)
    except Malformed:
        return
    assert set(fields.strings) <= {1, 15}
    assert set(fields.numbers) <= {2}


@pytest.mark.parametrize(
    "unknown",
    [
        "1801",
        "1a0161",
        "1d00000000",
        "190000000000000000",
        "a20601ff",
        "180a18ffffffffffffffffff01",
    ],
    ids=["varint", "string", "fixed32", "fixed64", "high number", "64 bits"],
)
def test_unknown_fields_are_skipped(unknown: str) -> None:
    assert read(bytes.fromhex(unknown + "1007")) == ({2: 7}, {})


@pytest.mark.parametrize(
    "data",
    [
        "0a0261",
        "0a",
        "10",
        "1080",
        "10ffffffffffffffffff7f",
        "10808080808080808080808001",
        "108080808010",
        "0a01610a0161",
        "10011001",
        "0801",
        "120161",
        "0d00000000",
        "1d000000",
        "19000000",
        "0001",
        "0b",
        "0c",
        "0e",
        "0affffffffffffffffff01",
    ],
    ids=[
        "string past the end",
        "no length",
        "no number",
        "half a number",
        "65 bits",
        "11 bytes",
        "33 bits",
        "a string twice",
        "a number twice",
        "number for string",
        "string for number",
        "fixed for string",
        "fixed32 past the end",
        "fixed64 past the end",
        "field 0",
        "group",
        "end of group",
        "no type",
        "huge length",
    ],
)
def test_bad_fields_are_refused(data: str) -> None:
    with pytest.raises(Malformed):
        read(bytes.fromhex(data))


def test_a_string_does_not_reach_past_the_range() -> None:
    data = bytes.fromhex("0a0461626364")
    with pytest.raises(Malformed):
        decode(data, 0, 4, KNOWN)
