"""The random polynomials of ML-KEM, from seeds (FIPS 203, section 4.2.2)."""

from hashlib import shake_128, shake_256
from typing import Final

from linnet.crypto.spqr.ring import N, Poly, Q, decode_12

# Three blocks of SHAKE128 hold 336 candidates, of which 273 are below Q on average.
_USUAL_BYTES: Final = 504
_MORE_BYTES: Final = 168
_SMALL: Final = [((b & 1) + (b >> 1 & 1) - (b >> 2 & 1) - (b >> 3 & 1)) for b in range(16)]
_PAIRS: Final = [(_SMALL[b & 15], _SMALL[b >> 4]) for b in range(256)]


def uniform(seed: bytes, column: int, row: int) -> Poly:
    """One entry of the public matrix, already transformed (algorithm 7)."""
    stream = shake_128(seed + bytes((column, row)))
    size = _USUAL_BYTES
    while True:
        poly = [each for each in decode_12(stream.digest(size)) if each < Q]
        if len(poly) >= N:
            return poly[:N]
        size += _MORE_BYTES


def small(seed: bytes, number: int) -> Poly:
    """A polynomial of coefficients from -2 to 2 (algorithm 8, with eta 2)."""
    data = shake_256(seed + bytes((number,))).digest(128)
    return [each for byte in data for each in _PAIRS[byte]]
