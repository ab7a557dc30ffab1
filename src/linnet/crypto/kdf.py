"""Every key derivation of PQXDH and the Double Ratchet, with the labels that are on the wire.

Pure functions of bytes. The labels are interface facts: changing one breaks every peer.
"""

from hmac import digest
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NO_SALT: Final = bytes(32)

_SHA256: Final = SHA256()
_AGREEMENT_LABEL: Final = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"
_ROOT_LABEL: Final = b"WhisperRatchet"
_MESSAGE_LABEL: Final = b"WhisperMessageKeys"


class Agreement(NamedTuple):
    """What PQXDH agrees on: 32 bytes each. `pq_key` seeds the post-quantum ratchet."""

    root_key: bytes
    chain_key: bytes
    pq_key: bytes


class MessageKeys(NamedTuple):
    """The keys of one message: AES-256-CBC key (32), HMAC key (32), IV (16)."""

    cipher_key: bytes
    mac_key: bytes
    iv: bytes


def hkdf(secret: bytes, label: bytes, length: int, salt: bytes = NO_SALT) -> bytes:
    """HKDF-SHA256 (RFC 5869): `length` bytes, at most 8,160."""
    return HKDF(_SHA256, length, salt, label).derive(secret)


def agreement(secrets: bytes) -> Agreement:
    """Derive the first keys from the concatenated DH and KEM secrets (PQXDH, section 3.3)."""
    out = hkdf(b"\xff" * 32 + secrets, _AGREEMENT_LABEL, 96)
    return Agreement(out[:32], out[32:64], out[64:])


def root_step(root_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """Return (next root key, new chain key) of one Diffie-Hellman step."""
    out = hkdf(secret, _ROOT_LABEL, 64, root_key)
    return out[:32], out[32:]


def message_seed(chain_key: bytes) -> bytes:
    """The 32 bytes from which the keys of the message at this place of the chain come."""
    return digest(chain_key, b"\x01", "sha256")


def next_chain_key(chain_key: bytes) -> bytes:
    """The chain key of the next message. There is no way back."""
    return digest(chain_key, b"\x02", "sha256")


def message_keys(seed: bytes, salt: bytes) -> MessageKeys:
    """Derive a message's keys; `salt` is the post-quantum message key, or `NO_SALT`."""
    out = hkdf(seed, _MESSAGE_LABEL, 80, salt)
    return MessageKeys(out[:32], out[32:64], out[64:])
