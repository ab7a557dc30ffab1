"""Mutations: what becomes of a valid example before a decoder sees it. Seeded, pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

LONGEST: Final = 70_000
INTERESTING: Final = (0, 1, 0x7F, 0x80, 0xC0, 0xC4, 0xDC, 0xDD, 0xFF)
NUMBERS: Final = (0, 1, -1, 127, 128, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 53), (1 << 63) - 1)

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def flipped(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Some bits are other bits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def replaced(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A byte is another one, of those that mean something to many formats."""
    if not data:
        return bytes((rng.choice(INTERESTING),))
    at = rng.randrange(len(data))
    return data[:at] + bytes((rng.choice(INTERESTING),)) + data[at + 1 :]


def truncated(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The end, or the beginning, is missing."""
    at = rng.randint(0, len(data))
    return data[:at] if rng.random() < 0.8 else data[at:]


def inserted(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Something is put in, or said twice."""
    at = rng.randint(0, len(data))
    end = min(len(data), at + rng.randint(0, 40))
    new = data[at:end] if rng.random() < 0.5 else rng.randbytes(rng.randint(1, 9))
    return data[:at] + new * rng.choice((1, 1, 2, 50)) + data[at:]


def cut(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A piece is missing."""
    at = rng.randint(0, len(data))
    return data[:at] + data[at + rng.randint(1, 16) :]


def spliced(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The beginning of one and the end of another."""
    other = rng.choice(others) if others else data
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def relengthed(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A byte that may be a length is a little more or less, or very much."""
    if not data:
        return data
    at = rng.randrange(len(data))
    delta = rng.choice((-1, 1, -2, 2, 16, 127))
    return data[:at] + bytes(((data[at] + delta) % 256,)) + data[at + 1 :]


def repacked(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Still MessagePack, of another value; as it is if it was none."""
    try:
        value = msgspec.msgpack.decode(data)
        return msgspec.msgpack.encode(_other(rng, value))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError, TypeError):
        return flipped(rng, data, others)


def rewired(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Still protobuf: fields in another order, left out, said twice, with other numbers."""
    fields = _fields(data)
    if fields is None:
        return relengthed(rng, data, others)
    match rng.randrange(5):
        case 0:
            rng.shuffle(fields)
        case 1 if fields:
            del fields[rng.randrange(len(fields))]
        case 2 if fields:
            fields.append(rng.choice(fields))
        case 3 if fields:
            at = rng.randrange(len(fields))
            tag, rest = fields[at]
            fields[at] = (tag ^ (1 << rng.randrange(6)), rest)
        case _:
            fields.append((rng.randrange(8, 128), rng.randbytes(rng.randint(0, 6))))
    return b"".join(_varint(tag) + rest for tag, rest in fields)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    flipped,
    replaced,
    truncated,
    inserted,
    cut,
    spliced,
    relengthed,
    repacked,
    rewired,
)


def mutated(rng: random.Random, examples: Sequence[bytes]) -> bytes:
    """One of the examples, changed once or a few times; now and then nothing but noise."""
    if not examples or rng.random() < 0.02:
        return rng.randbytes(rng.randint(0, 200))
    data = rng.choice(examples)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        data = rng.choice(MUTATIONS)(rng, data, examples)
    return data[:LONGEST]


def _other(rng: random.Random, value: object, depth: int = 0) -> object:
    """A value like this one, but not quite."""
    if isinstance(value, list) and value and rng.random() < 0.85 and depth < 20:
        changed = list(value)
        at = rng.randrange(len(changed))
        match rng.randrange(8):
            case 0:
                del changed[at]
            case 1:
                changed.insert(at, changed[at])
            case 2:
                changed[at] = [changed[at]]
            case _:
                changed[at] = _other(rng, changed[at], depth + 1)
        return changed
    match rng.randrange(9):
        case 0:
            return None
        case 1:
            return rng.choice(NUMBERS)
        case 2:
            return b"" if isinstance(value, str) else "é"
        case 3 if isinstance(value, bytes):
            return value + b"\0"
        case 4 if isinstance(value, bytes):
            return value[:-1]
        case 5:
            return rng.random() < 0.5
        case 6 if isinstance(value, int):
            return value + rng.choice((-1, 1))
        case 7:
            return {} if rng.random() < 0.3 else []
        case _:
            return value


def _fields(data: bytes) -> list[tuple[int, bytes]] | None:
    """(tag, what follows it) of each field; None if these bytes are no protobuf."""
    at, fields = 0, []
    while at < len(data):
        start = _after_varint(data, at)
        if start is None:
            return None
        tag = data[at:start]
        wire = tag[0] & 7
        if wire == 0:
            end = _after_varint(data, start)
        elif wire == 2 and start < len(data):
            after = _after_varint(data, start)
            size = int.from_bytes(data[start : start + 1], "big") & 0x7F
            end = None if after is None else after + size if after == start + 1 else len(data)
        else:
            end = None
        if end is None or end > len(data):
            return None
        number = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(tag))
        fields.append((number, data[start:end]))
        at = end
    return fields


def _after_varint(data: bytes, at: int) -> int | None:
    for end in range(at, min(at + 5, len(data))):
        if not data[end] & 0x80:
            return end + 1
    return None


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
