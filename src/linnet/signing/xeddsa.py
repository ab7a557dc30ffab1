"""XEdDSA over Curve25519, as deployed: sign with a Diffie-Hellman key, verify with its u.

A signature is R ‖ s, 64 bytes. The sign bit of the signer's Edwards point rides in the top bit
of byte 63 (the XEdDSA paper of 2016 fixes it to zero by negating the key; what is deployed does
not). What decides a verification is in `linnet.signing.equation`.

This module knows no labels and no objects: `linnet.signing.objects` adds those.
"""

from hashlib import sha512
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)

from linnet.signing.edwards import SIGN_BIT, L, challenge, point_of
from linnet.signing.equation import holds
from linnet.signing.keys import Rng, clamp, generate, public_key

__all__ = ["SIGNATURE_BYTES", "generate", "public_key", "sign", "verify"]

SIGNATURE_BYTES: Final = 64

# hash_1 of the XEdDSA paper, section 2.5: 2^256 − 2, little-endian, before what is hashed.
_NONCE_PREFIX: Final = b"\xfe" + b"\xff" * 31


def sign(private: bytes, message: bytes, rng: Rng) -> bytes:
    """Sign `message`; takes 64 bytes of `rng`. Two signatures of one message differ.

    Raises ValueError unless `private` has 32 bytes.
    """
    a = clamp(private)
    point = crypto_scalarmult_ed25519_base_noclamp(a)
    r = crypto_core_ed25519_scalar_reduce(sha512(_NONCE_PREFIX + a + message + rng(64)).digest())
    nonce_point = crypto_scalarmult_ed25519_base_noclamp(r)
    k = challenge(nonce_point, point, message)
    s = crypto_core_ed25519_scalar_add(crypto_core_ed25519_scalar_mul(k, a), r)
    return nonce_point + s[:31] + bytes((s[31] | point[31] & SIGN_BIT,))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is by the owner of `public` (33 bytes) over `message`.

    False for anything malformed: u ≥ p, a point of small or mixed order, s ≥ L, wrong lengths.
    """
    if len(signature) != SIGNATURE_BYTES:
        return False
    top = signature[63]
    s = signature[32:63] + bytes((top & 0x7F,))
    point = point_of(public, top & SIGN_BIT)
    if point is None or int.from_bytes(s, "little") >= L:
        return False
    return holds(point, message, signature[:32], s)
