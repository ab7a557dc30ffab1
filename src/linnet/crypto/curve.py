"""X25519 agreement that refuses the keys others let pass (RFC 7748; XEdDSA keys are the same).

Key pairs are made in `linnet.signing.keys`; this module only agrees.
"""

from typing import Final

from nacl.bindings import crypto_scalarmult
from nacl.exceptions import CryptoError as SodiumError

from linnet.crypto.errors import BadKey
from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES, KeyPair, Rng, generate

__all__ = ["KeyPair", "Rng", "agree", "generate"]

_P: Final = 2**255 - 19


def agree(private: bytes, public: bytes) -> bytes:
    """Return the 32-byte secret of `private` (32 bytes) and a peer's `public` (33 bytes).

    Raises BadKey for a wrong type byte or length, for u ≥ p, and for points of small order.
    """
    if len(public) != PUBLIC_BYTES or public[0] != KEY_TYPE:
        raise BadKey("not an X25519 public key")
    u = public[1:]
    if int.from_bytes(u, "little") >= _P:
        raise BadKey("not a canonical public key")
    try:
        # libsodium, because it takes raw bytes: half the time of parsing both into key objects.
        return crypto_scalarmult(private, u)
    except SodiumError:  # all-zero secret
        raise BadKey("a public key of small order") from None
