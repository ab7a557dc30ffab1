"""Kyber-1024 of round 3, which is what deployed clients speak, on top of ML-KEM-1024 (FIPS 203).

Both have the same keys and ciphertexts; round 3 hashes the secret once more with the ciphertext:
K = SHAKE256(K_mlkem ‖ SHA3-256(ct), 32), over the 1,568 raw bytes. On the wire, keys and
ciphertexts have the type byte 0x08 before them. Private keys are kept as their 64-byte seed.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha3_256, shake_256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)

from linnet.crypto.errors import BadKey
from linnet.signing.keys import Rng

KEM_TYPE: Final = 8
SEED_BYTES: Final = 64
PUBLIC_BYTES: Final = 1569
CIPHERTEXT_BYTES: Final = 1569
_TYPE_BYTE: Final = bytes((KEM_TYPE,))


@dataclass(frozen=True, slots=True)
class KemKeyPair:
    """A seed (64 bytes, never in `repr`) and its public key (1,569 bytes)."""

    seed: bytes = field(repr=False)
    public: bytes


def generate(rng: Rng) -> KemKeyPair:
    """Make a key pair from 64 bytes of `rng`."""
    seed = rng(SEED_BYTES)
    public = MLKEM1024PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    return KemKeyPair(seed, _TYPE_BYTE + public)


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Return (ciphertext 1,569 bytes, secret 32 bytes) for a peer's `public`.

    The randomness is the library's own: it takes none from outside.
    Raises BadKey unless `public` is a Kyber-1024 key whose coefficients are reduced.
    """
    if len(public) != PUBLIC_BYTES or public[0] != KEM_TYPE:
        raise BadKey("not a Kyber-1024 public key")
    try:
        key = MLKEM1024PublicKey.from_public_bytes(public[1:])
    except ValueError:
        raise BadKey("not a canonical Kyber-1024 public key") from None
    secret, ciphertext = key.encapsulate()
    return _TYPE_BYTE + ciphertext, round_3(secret, ciphertext)


def decapsulate(seed: bytes, ciphertext: bytes, *, keep: bool = False) -> bytes:
    """Return the 32-byte secret of `ciphertext`; an unknowable one if it was made for another key.

    `keep` remembers the expanded key, which costs more than all else: for last-resort keys only,
    because a one-time key has to be forgotten.
    Raises BadKey for a wrong type byte or length.
    """
    if len(ciphertext) != CIPHERTEXT_BYTES or ciphertext[0] != KEM_TYPE:
        raise BadKey("not a Kyber-1024 ciphertext")
    raw = ciphertext[1:]
    key = _kept(seed) if keep else MLKEM1024PrivateKey.from_seed_bytes(seed)
    return round_3(key.decapsulate(raw), raw)


def round_3(secret: bytes, ciphertext: bytes) -> bytes:
    """Turn the 32-byte secret of ML-KEM into that of Kyber's round 3 (`ciphertext` is raw)."""
    return shake_256(secret + sha3_256(ciphertext).digest()).digest(32)


@lru_cache(maxsize=4)  # the last-resort keys in use, and the ones just replaced
def _kept(seed: bytes) -> MLKEM1024PrivateKey:
    return MLKEM1024PrivateKey.from_seed_bytes(seed)
