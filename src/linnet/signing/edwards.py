"""What XEdDSA takes from Ed25519: the point that a Curve25519 key stands for, and the challenge.

Signs and verifies nothing. Integers and points are 32 bytes, little-endian, as in RFC 8032.
"""

from functools import lru_cache
from hashlib import sha512
from typing import Final

from nacl.bindings import crypto_core_ed25519_is_valid_point

from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES

P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493
SIGN_BIT: Final = 0x80


@lru_cache(maxsize=4096)  # public keys only; spares an inversion modulo p and the subgroup check
def point_of(public: bytes, sign_bit: int) -> bytes | None:
    """Map 0x05 ‖ u to the point A of y = (u − 1)/(u + 1) whose x has this sign, 0 or `SIGN_BIT`.

    None unless u is canonical and A is a point of the curve of order L.
    """
    if len(public) != PUBLIC_BYTES or public[0] != KEY_TYPE:
        return None
    u = int.from_bytes(public[1:], "little")
    if u >= P - 1:  # not canonical, or u = −1, which no point of the curve has
        return None
    y = (u - 1) * pow(u + 1, -1, P) % P
    encoded = y.to_bytes(32, "little")
    point = encoded[:31] + bytes((encoded[31] | sign_bit,))
    return point if crypto_core_ed25519_is_valid_point(point) else None


def challenge(nonce_point: bytes, point: bytes, message: bytes) -> bytes:
    """k = SHA-512(R ‖ A ‖ M) mod L."""
    digest = sha512(nonce_point + point + message).digest()
    return (int.from_bytes(digest, "little") % L).to_bytes(32, "little")
