"""A second implementation of XEdDSA, slow and from the paper, to compare with. It can forge.

Points are affine (x, y); nothing here is of the code under test.
"""

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
BASE: Point = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)
IDENTITY: Point = (0, 1)


def add(one: Point, two: Point) -> Point:
    (x1, y1), (x2, y2) = one, two
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def mul(n: int, point: Point) -> Point:
    out = IDENTITY
    for bit in bin(n)[2:]:
        out = add(out, out)
        out = add(out, point) if bit == "1" else out
    return out


def neg(point: Point) -> Point:
    return -point[0] % P, point[1]


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def recover(y: int, sign: int) -> Point | None:
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if x * x % P == x2 else x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != x2 or (x == 0 and sign):
        return None
    return (x if x & 1 == sign else P - x), y


def montgomery(point: Point) -> int:
    return (1 + point[1]) * pow(1 - point[1], -1, P) % P


def public(u: int) -> bytes:
    return b"\x05" + u.to_bytes(32, "little")


def challenge(r: bytes, a: Point, message: bytes) -> int:
    return int.from_bytes(sha512(r + encode(a) + message).digest(), "little") % L


def slow_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != 64 or len(key) != 33 or key[0] != 5:
        return False
    u = int.from_bytes(key[1:], "little")
    s = int.from_bytes(signature[32:], "little") & 2**255 - 1
    if u >= P or u == P - 1 or s >= L:
        return False
    a = recover((u - 1) * pow(u + 1, -1, P) % P, signature[63] >> 7)
    if a is None or a == IDENTITY or mul(L, a) != IDENTITY:
        return False
    k = challenge(signature[:32], a, message)
    return encode(add(mul(s, BASE), neg(mul(k, a)))) == signature[:32]


def torsion() -> Point:
    """A point of order 8."""
    for y in range(2, 99):
        point = recover(y, 0)
        if point is not None and mul(4, mul(L, point)) != IDENTITY:
            return mul(L, point)
    raise AssertionError


def join(r: bytes, s: int, a: Point) -> bytes:
    return r + (s | (a[0] & 1) << 255).to_bytes(32, "little")


def forged(a: int, key_torsion: Point, nonce: int, nonce_torsion: Point, message: bytes) -> bytes:
    """What the owner of `a` can sign with torsion added to the key or to the nonce point."""
    key = add(mul(a, BASE), key_torsion)
    r = encode(add(mul(nonce, BASE), nonce_torsion))
    return join(r, (nonce + challenge(r, key, message) * a) % L, key)
