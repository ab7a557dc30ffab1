"""XEdDSA over Curve25519, as deployed: sign with a Diffie-Hellman key, verify with its u.

A signature is R ‖ s, 64 bytes. The sign bit of the signer's Edwards point rides in the top bit
of byte 63 (the XEdDSA paper of 2016 fixes it to zero by negating the key; what is deployed does
not). Verification computes sB − kA and compares encodings, with group operations alone: an
Ed25519 verifier that multiplies by the cofactor accepts signatures that others refuse, and two
clients would disagree about who signed what.

This module knows no labels and no objects: `linnet.signing.objects` adds those.
"""

from functools import lru_cache
from hashlib import sha512
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)
from nacl.exceptions import CryptoError

from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES, Rng, clamp, generate, public_key

__all__ = ["SIGNATURE_BYTES", "generate", "public_key", "sign", "verify"]

SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT: Final = 0x80
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
    k = _challenge(nonce_point, point, message)
    s = crypto_core_ed25519_scalar_add(crypto_core_ed25519_scalar_mul(k, a), r)
    return nonce_point + s[:31] + bytes((s[31] | point[31] & _SIGN_BIT,))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is by the owner of `public` (33 bytes) over `message`.

    False for anything malformed: u ≥ p, a point of small or mixed order, s ≥ L, wrong lengths.
    """
    if len(signature) != SIGNATURE_BYTES:
        return False
    top = signature[63]
    s = signature[32:63] + bytes((top & 0x7F,))
    point = _edwards(public, top & _SIGN_BIT)
    if point is None or int.from_bytes(s, "little") >= _L:
        return False
    nonce_point = signature[:32]
    k = _challenge(nonce_point, point, message)
    try:
        # Refuses a point off the curve, of small order or outside the prime-order subgroup.
        ka = crypto_scalarmult_ed25519_noclamp(k, point)
        sb = crypto_scalarmult_ed25519_base_noclamp(s)
    except CryptoError:  # or s = 0 or k = 0, for which no one can find a matching R
        return False
    return crypto_core_ed25519_sub(sb, ka) == nonce_point


def _challenge(nonce_point: bytes, point: bytes, message: bytes) -> bytes:
    digest = sha512(nonce_point + point + message).digest()
    return (int.from_bytes(digest, "little") % _L).to_bytes(32, "little")


@lru_cache(maxsize=4096)  # public keys only; spares an inversion modulo p
def _edwards(public: bytes, sign_bit: int) -> bytes | None:
    """Map 0x05 ‖ u to y = (u − 1)/(u + 1) with this sign; None unless u is canonical.

    The result may still be no point of the curve: the multiplication by k checks that.
    """
    if len(public) != PUBLIC_BYTES or public[0] != KEY_TYPE:
        return None
    u = int.from_bytes(public[1:], "little")
    if u >= _P - 1:  # not canonical, or u = −1, which no point of the curve has
        return None
    y = (u - 1) * pow(u + 1, -1, _P) % _P
    encoded = y.to_bytes(32, "little")
    return encoded[:31] + bytes((encoded[31] | sign_bit,))
