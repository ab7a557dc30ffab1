"""Group secrets: what titles are encrypted under, so that the server stores but cannot read them.

A secret is numbered by the log entry that brought it and travels pairwise. When there must be a
new one, and who may have it, is a matter of the group's log.
"""

from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linnet.crypto.errors import CryptoError
from linnet.crypto.kdf import hkdf
from linnet.signing.group_changes import MAX_TITLE_BYTES
from linnet.signing.keys import Rng
from linnet.signing.objects import label

SECRET_BYTES: Final = 32

_NONCE_BYTES: Final = 12


class BadTitle(CryptoError):
    """The title was not made under this secret for this group."""


def new_secret(rng: Rng) -> bytes:
    """Return a new secret of 32 random bytes."""
    return rng(SECRET_BYTES)


def secret_hash(secret: bytes) -> bytes:
    """Return the hash that the log's entry carries: 32 bytes."""
    return sha256(secret).digest()


def seal_title(secret: bytes, group: bytes, number: int, title: str, rng: Rng) -> bytes:
    """Encrypt a title: nonce (12) ‖ ciphertext ‖ tag (16).

    `group` is the group field of the entry it goes into: zeros in the one that creates the group.
    `number` is the secret's. Raises ValueError if the title is over MAX_TITLE_BYTES in UTF-8.
    """
    plain = title.encode()
    if len(plain) > MAX_TITLE_BYTES:
        raise ValueError(f"a title has at most {MAX_TITLE_BYTES} bytes")
    nonce = rng(_NONCE_BYTES)
    return nonce + _cipher(secret, group, number).encrypt(nonce, plain, group)


def open_title(secret: bytes, group: bytes, number: int, sealed: bytes) -> str:
    """Decrypt a title. Raises BadTitle."""
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return _cipher(secret, group, number).decrypt(nonce, ciphertext, group).decode()
    except (InvalidTag, ValueError):
        raise BadTitle("the title cannot be opened") from None


def _cipher(secret: bytes, group: bytes, number: int) -> AESGCM:
    return AESGCM(hkdf(secret, label("title") + group + number.to_bytes(8, "big"), 32))
