"""The field of 2^16 elements in which the erasure code computes: x^16 + x^12 + x^3 + x + 1.

Elements are ints. `scaled_sum` works on 16 elements at once, packed into one int.
"""

from array import array
from collections.abc import Iterable
from functools import cache
from typing import Final, TypeAlias

ORDER: Final = 0xFFFF  # of the multiplicative group, which 2 generates
CHUNK_BYTES: Final = 32

_POLYNOMIAL: Final = 0x1100B
_WORDS: Final = CHUNK_BYTES // 2
_BITS: Final = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]
_LANES: Final = int.from_bytes(b"\0\0\xff\xff" * _WORDS)  # each element in 32 bits, to spill into


Table: TypeAlias = "array[int]"


def log(element: int) -> int:
    """The power of 2 that `element`, which is not 0, is."""
    return _tables()[0][element]


def power(exponent: int) -> int:
    """2 to the `exponent`, which may be negative or large."""
    return _tables()[1][exponent % ORDER]


def spread(chunk: bytes) -> int:
    """Pack the 16 big-endian elements of a chunk for `scaled_sum`."""
    lanes = bytearray(2 * CHUNK_BYTES)
    lanes[2::4] = chunk[::2]
    lanes[3::4] = chunk[1::2]
    return int.from_bytes(lanes)


def scaled_sum(terms: Iterable[tuple[int, int]]) -> bytes:
    """The chunk that is the sum of (factor × spread chunk).

    Adds up what each bit of the factors asks for before it shifts, so that a factor costs eight
    exclusive ors on average, and reduction happens once.
    """
    by_bit = [0] * 16
    for factor, lanes in terms:
        for bit in _BITS[factor & 0xFF]:
            by_bit[bit] ^= lanes
        for bit in _BITS[factor >> 8]:
            by_bit[8 + bit] ^= lanes
    total = 0
    for bit, lanes in enumerate(by_bit):
        total ^= lanes << bit
    return _gathered(_reduced(total))


def _reduced(lanes: int) -> int:
    """Fold the 15 bits above each element into it: the first fold leaves 11, the next none."""
    for _ in range(4):
        over = lanes >> 16 & _LANES
        lanes = lanes & _LANES ^ over ^ over << 1 ^ over << 3 ^ over << 12
    return lanes


def _gathered(lanes: int) -> bytes:
    data = lanes.to_bytes(2 * CHUNK_BYTES)
    chunk = bytearray(CHUNK_BYTES)
    chunk[::2] = data[2::4]
    chunk[1::2] = data[3::4]
    return bytes(chunk)


@cache
def _tables() -> tuple[Table, Table]:
    """Logarithms and powers: made when first needed, because most messages need none."""
    logs, powers = array("H", bytes(2 * 0x10000)), array("H", bytes(2 * ORDER))
    element = 1
    for exponent in range(ORDER):
        logs[element] = exponent
        powers[exponent] = element
        element <<= 1
        if element > 0xFFFF:
            element ^= _POLYNOMIAL
    return logs, powers
