"""Polynomials modulo x^256 + 1 over the integers modulo 3,329 (FIPS 203, sections 4.2 and 4.3).

A polynomial is a list of 256 ints. Transforms and products do not reduce more often than they
must: what they return is congruent, and only the encoders make it canonical.
Not constant in time.
"""

from typing import Final

Poly = list[int]

Q: Final = 3329
N: Final = 256
POLY_BYTES: Final = 384  # 12 bits a coefficient

_INVERSE_OF_128: Final = 3303


def _reversed_bits(number: int) -> int:
    """The seven bits of `number`, the other way round."""
    return int(f"{number:07b}"[::-1], 2)


_ZETAS: Final = [pow(17, _reversed_bits(i), Q) for i in range(128)]
_GAMMAS: Final = [pow(17, 2 * _reversed_bits(i) + 1, Q) for i in range(128)]
_ROUNDED_10: Final = [((x << 10) + Q // 2) // Q & 1023 for x in range(Q)]
_ROUNDED_4: Final = [((x << 4) + Q // 2) // Q & 15 for x in range(Q)]


def ntt(poly: Poly) -> Poly:
    """The number-theoretic transform (algorithm 9)."""
    f = poly.copy()
    place, length = 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta = _ZETAS[place]
            place += 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length] = f[j] - t
                f[j] += t
        length //= 2
    return f


def inverse_ntt(poly: Poly) -> Poly:
    """The way back (algorithm 10)."""
    f = poly.copy()
    place, length = 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta = _ZETAS[place]
            place -= 1
            for j in range(start, start + length):
                t = f[j]
                f[j] = t + f[j + length]
                f[j + length] = zeta * (f[j + length] - t) % Q
        length *= 2
    return [_INVERSE_OF_128 * each % Q for each in f]


class Factor:
    """A vector of three transformed polynomials, made ready to be multiplied several times."""

    __slots__ = ("_even", "_odd", "_turned")

    def __init__(self, vector: list[Poly]) -> None:
        self._even = [each[::2] for each in vector]
        self._odd = [each[1::2] for each in vector]
        self._turned = [
            [x * gamma % Q for x, gamma in zip(odd, _GAMMAS, strict=True)] for odd in self._odd
        ]

    def dot(self, vector: list[Poly]) -> Poly:
        """The sum of the products with `vector`, also transformed (algorithms 11 and 12)."""
        a, b, c = vector
        halves = a[::2], a[1::2], b[::2], b[1::2], c[::2], c[1::2]
        product = [0] * N
        product[::2] = [
            (a0 * x0 + a1 * x1 + b0 * y0 + b1 * y1 + c0 * z0 + c1 * z1) % Q
            for a0, a1, b0, b1, c0, c1, x0, x1, y0, y1, z0, z1 in zip(
                *halves,
                *(self._even[0], self._turned[0]),
                *(self._even[1], self._turned[1]),
                *(self._even[2], self._turned[2]),
                strict=True,
            )
        ]
        product[1::2] = [
            (a0 * x1 + a1 * x0 + b0 * y1 + b1 * y0 + c0 * z1 + c1 * z0) % Q
            for a0, a1, b0, b1, c0, c1, x0, x1, y0, y1, z0, z1 in zip(
                *halves,
                *(self._even[0], self._odd[0]),
                *(self._even[1], self._odd[1]),
                *(self._even[2], self._odd[2]),
                strict=True,
            )
        ]
        return product


def decode_12(data: bytes) -> Poly:
    """Numbers of 12 bits, little-endian, two from three bytes (algorithm 6): up to 4,095."""
    poly = [0] * (len(data) // 3 * 2)
    poly[::2] = [a | (b & 15) << 8 for a, b in zip(data[::3], data[1::3], strict=True)]
    poly[1::2] = [b >> 4 | c << 4 for b, c in zip(data[1::3], data[2::3], strict=True)]
    return poly


def compress_10(poly: Poly) -> bytes:
    """320 bytes: each coefficient rounded to 10 bits (section 4.2.1)."""
    f = [_ROUNDED_10[x % Q] for x in poly]
    return b"".join(
        (a | b << 10 | c << 20 | d << 30).to_bytes(5, "little")
        for a, b, c, d in zip(f[::4], f[1::4], f[2::4], f[3::4], strict=True)
    )


def compress_4(poly: Poly) -> bytes:
    """128 bytes: each coefficient rounded to 4 bits."""
    f = [_ROUNDED_4[x % Q] for x in poly]
    return bytes(a | b << 4 for a, b in zip(f[::2], f[1::2], strict=True))


def from_bits(message: bytes) -> Poly:
    """The polynomial of 256 bits, little-endian, each 0 or (Q + 1) / 2."""
    bits = int.from_bytes(message, "little")
    return [(bits >> i & 1) * ((Q + 1) // 2) for i in range(N)]
