"""Curve25519 key pairs: 32 private bytes, and 33 public bytes (0x05, then u).

One pair serves Diffie-Hellman and XEdDSA. This module makes and names keys; it neither agrees
on secrets nor signs. Public bytes from elsewhere are not checked here: whoever uses them does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nacl.bindings import crypto_scalarmult_base

Rng = Callable[[int], bytes]

KEY_TYPE: Final = 5
PRIVATE_BYTES: Final = 32
PUBLIC_BYTES: Final = 33


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its public key. The private half never appears in `repr`."""

    private: bytes = field(repr=False)
    public: bytes


def generate(rng: Rng) -> KeyPair:
    """Make a key pair from 32 bytes of `rng`, clamped."""
    private = clamp(rng(PRIVATE_BYTES))
    return KeyPair(private, public_key(private))


def public_key(private: bytes) -> bytes:
    """Return the 33 public bytes of a private key, clamping it first.

    Raises ValueError unless `private` has 32 bytes.
    """
    return bytes((KEY_TYPE,)) + crypto_scalarmult_base(clamp(private))


def clamp(private: bytes) -> bytes:
    """Return the X25519 scalar of 32 bytes (RFC 7748, section 5). Clamping twice changes nothing.

    Raises ValueError unless `private` has 32 bytes.
    """
    if len(private) != PRIVATE_BYTES:
        raise ValueError("a private key has 32 bytes")
    return bytes((private[0] & 248,)) + private[1:31] + bytes((private[31] & 127 | 64,))
