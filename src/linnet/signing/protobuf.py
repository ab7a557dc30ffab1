"""As much of the protobuf wire format as Signal's messages and certificates use.

Varints, byte strings, and numbers of 8 bytes.

Reads flat messages only, in one pass, with work and memory bounded by the input. Unknown fields
are skipped, as protobuf asks; a known field that comes twice or with another type is refused.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from linnet.signing.errors import Malformed

VARINT: Final = 0
FIXED64: Final = 1
STRING: Final = 2
_FIXED_SIZES: Final = {1: 8, 5: 4}
_UINT32_MAX: Final = 2**32 - 1
_VARINT_BITS: Final = 64


class Fields(NamedTuple):
    """The known fields that were present, by number."""

    numbers: dict[int, int]
    strings: dict[int, bytes]


def encode(fields: Iterable[tuple[int, int | bytes | None]]) -> bytes:
    """Encode fields in the order given, leaving out None. Field numbers are at most 15."""
    out = bytearray()
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, int):
            out.append(number << 3 | VARINT)
            _append_varint(out, value)
        else:
            out.append(number << 3 | STRING)
            _append_varint(out, len(value))
            out += value
    return bytes(out)


def fixed64(number: int, value: int) -> bytes:
    """Encode one field of 8 bytes, little-endian."""
    return bytes((number << 3 | FIXED64,)) + value.to_bytes(8, "little")


def decode(data: bytes, start: int, end: int, known: Mapping[int, int]) -> Fields:
    """Decode `data[start:end]`, returning the fields of `known`: {number: its type}.

    Varints are uint32. Raises Malformed.
    """
    fields = Fields({}, {})
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        kind = tag & 7
        number, string = 0, b""
        if kind == VARINT:
            number, at = _varint(data, at, end)
        elif kind == STRING:
            size, at = _varint(data, at, end)
            string = data[at : at + size]
            at += size
        else:
            size = _fixed_size(kind)
            number = int.from_bytes(data[at : at + size], "little")
            at += size
        field = tag >> 3
        if at > end or field == 0:
            raise Malformed("a bad field")
        expected = known.get(field)
        if expected is None:
            continue
        if expected != kind or field in fields.numbers or field in fields.strings:
            raise Malformed("a field of another type, or twice")
        if kind == STRING:
            fields.strings[field] = string
        elif number <= _UINT32_MAX or kind == FIXED64:
            fields.numbers[field] = number
        else:
            raise Malformed("a number is too large")
    return fields


def _fixed_size(kind: int) -> int:
    if kind not in _FIXED_SIZES:
        raise Malformed("an unknown type")
    return _FIXED_SIZES[kind]


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return (value, position after it); at most 10 bytes and 64 bits."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> _VARINT_BITS:
                break
            return value, at
        shift += 7
        if shift > _VARINT_BITS:
            break
    raise Malformed("a bad varint")


def _append_varint(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
