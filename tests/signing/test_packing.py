"""The MessagePack profile: one value, one encoding, and nothing else is read.

`python tests/signing/test_packing.py` writes the vectors again; the test says if they differ.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.signing.errors import Malformed
from linnet.signing.packing import MAX_INT, pack, unpack

FILE = Path(__file__).parents[1] / "vectors" / "signing" / "packing.json"

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INT, MAX_INT)
    | st.binary(max_size=300)
    | st.text(max_size=300)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5), max_leaves=20)

VALID: dict[str, str] = {
    "nil": "c0",
    "false": "c2",
    "true": "c3",
    "0": "00",
    "127": "7f",
    "128": "cc80",
    "255": "ccff",
    "256": "cd0100",
    "65535": "cdffff",
    "65536": "ce00010000",
    "2^32 - 1": "ceffffffff",
    "2^32": "cf0000000100000000",
    "2^53 - 1": "cf001fffffffffffff",
    "-1": "ff",
    "-32": "e0",
    "-33": "d0df",
    "-128": "d080",
    "-129": "d1ff7f",
    "-32768": "d18000",
    "-32769": "d2ffff7fff",
    "-2^31": "d280000000",
    "-2^31 - 1": "d3ffffffff7fffffff",
    "-(2^53 - 1)": "d3ffe0000000000001",
    "empty bin": "c400",
    "bin of 1": "c401ff",
    "bin of 256": "c50100" + "61" * 256,
    "empty str": "a0",
    "str of 31": "bf" + "61" * 31,
    "str of 32": "d920" + "61" * 32,
    "str of 256": "da0100" + "61" * 256,
    "str beyond the basic plane": "a4f09f90a6",
    "empty array": "90",
    "array of 15": "9f" + "c0" * 15,
    "array of 16": "dc0010" + "c0" * 16,
    "nested 8 deep": "91" * 7 + "90",
}
INVALID: dict[str, str] = {
    "nothing": "",
    "two values": "c0c0",
    "0 as uint8": "cc00",
    "127 as uint8": "cc7f",
    "255 as uint16": "cd00ff",
    "65535 as uint32": "ce0000ffff",
    "1 as uint64": "cf0000000000000001",
    "1 as int8": "d001",
    "200 as int16": "d100c8",
    "-1 as int8": "d0ff",
    "-128 as int16": "d1ff80",
    "-1 as int64": "d3ffffffffffffffff",
    "2^53": "cf0020000000000000",
    "2^64 - 1": "cfffffffffffffffff",
    "-2^53": "d3ffe0000000000000",
    "bin16 of 1": "c50001ff",
    "bin32 of 1": "c600000001ff",
    "str8 of 1": "d90161",
    "str16 of 1": "da000161",
    "str32 of 1": "db0000000161",
    "array16 of 1": "dc0001c0",
    "array32 of 1": "dd00000001c0",
    "float32": "ca00000000",
    "float64": "cb0000000000000000",
    "empty map": "80",
    "map": "81a161c0",
    "map with an array key": "8190c0",
    "map with a map key": "8180c0",
    "map16": "de0000",
    "fixext 1": "d40100",
    "ext 8": "c70001",
    "timestamp": "d6ff00000000",
    "timestamp out of range": "d7ffffffffffffffffff",
    "never used opcode": "c1",
    "str, byte ff": "a1ff",
    "str, overlong": "a2c080",
    "str, surrogate": "a3eda080",
    "str, beyond U+10FFFF": "a4f4908080",
    "bin cut": "c402ff",
    "str cut": "a261",
    "array cut": "92c0",
    "array of 2^32 - 1, cut": "ddffffffff",
    "uint16 cut": "cd01",
    "nested 9 deep": "91" * 8 + "90",
    "nested 100,000 deep": "91" * 100_000,
}


def shown(value: Any) -> Any:
    """The value in JSON: a bin is {"bin": hex}; everything else is itself."""
    if isinstance(value, bytes):
        return {"bin": value.hex()}
    return [shown(item) for item in value] if isinstance(value, list) else value


def build() -> dict[str, Any]:
    return {
        "about": "MessagePack profile, at most 8 deep; see docs/protocol/signing.md. Data is hex.",
        "valid": [
            {"name": name, "data": data, "value": shown(unpack(bytes.fromhex(data)))}
            for name, data in VALID.items()
        ],
        "invalid": [
            {"name": name, "data": data} for name, data in INVALID.items() if len(data) < 1_000
        ],
    }


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert json.loads(FILE.read_text()) == build()


@pytest.mark.parametrize("data", VALID.values(), ids=VALID)
def test_what_is_in_the_profile_is_read_and_written_back(data: str) -> None:
    raw = bytes.fromhex(data)
    assert pack(unpack(raw)) == raw


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID)
def test_what_is_outside_the_profile_is_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        unpack(bytes.fromhex(data))


@given(value=VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert unpack(pack(value, max_depth=32), max_depth=32) == value


@given(data=st.binary(max_size=60))
def test_noise_is_malformed_or_the_only_encoding_of_its_value(data: bytes) -> None:
    try:
        value = unpack(data)
    except Malformed:
        return
    assert pack(value) == data


@given(value=VALUES, position=st.integers(0), byte=st.integers(0, 255))
def test_a_changed_byte_never_gives_the_same_value(value: Any, position: int, byte: int) -> None:
    data = bytearray(pack(value, max_depth=32))
    position %= len(data)
    same = data[position] == byte
    data[position] = byte
    try:
        again = unpack(bytes(data), max_depth=32)
    except Malformed:
        return
    assert same or msgspec.msgpack.encode(again) != msgspec.msgpack.encode(value)


@pytest.mark.parametrize(
    "value", [1.0, {}, {1: 2}, [b"", bytearray(b"")], 2**53, -(2**53), "\ud800", object(), [[1.5]]]
)
def test_pack_refuses_what_the_profile_has_not(value: Any) -> None:
    with pytest.raises(Malformed):
        pack(value)


def test_pack_takes_tuples_as_arrays() -> None:
    assert unpack(pack((1, (2, b"3")))) == [1, [2, b"3"]]


def test_depth_is_counted_in_arrays() -> None:
    assert unpack(pack(7, max_depth=0), max_depth=0) == 7
    with pytest.raises(Malformed):
        pack([], max_depth=0)
    with pytest.raises(Malformed):
        unpack(b"\x91\x90", max_depth=1)


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
