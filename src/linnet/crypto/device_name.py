"""Names of one's own devices, which stand encrypted in the signed device list.

Under the account storage key, which only an account's own devices have (docs/protocol/signing.md).
The length of a name shows. Which names there are, and who holds the key, is not known here.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linnet.crypto.errors import CryptoError
from linnet.crypto.kdf import hkdf
from linnet.signing.keys import Rng
from linnet.signing.objects import label

STORAGE_KEY_BYTES: Final = 32
NAME_BYTES: Final = 64
"""Longest name, in UTF-8 bytes."""

_NONCE_BYTES: Final = 12


class BadName(CryptoError):
    """The name was not made under this storage key for this device."""


def seal_name(storage_key: bytes, account: bytes, device: int, name: str, rng: Rng) -> bytes:
    """Encrypt a name: nonce (12) ‖ ciphertext ‖ tag (16). No name is no bytes.

    Raises ValueError if it is longer than NAME_BYTES.
    """
    plain = name.encode()
    if len(plain) > NAME_BYTES:
        raise ValueError(f"a device's name has at most {NAME_BYTES} bytes")
    if not plain:
        return b""
    nonce = rng(_NONCE_BYTES)
    return nonce + _cipher(storage_key).encrypt(nonce, plain, _about(account, device))


def open_name(storage_key: bytes, account: bytes, device: int, sealed: bytes) -> str:
    """Decrypt a name. Raises BadName."""
    if not sealed:
        return ""
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return _cipher(storage_key).decrypt(nonce, ciphertext, _about(account, device)).decode()
    except (InvalidTag, ValueError):
        raise BadName("the name cannot be opened") from None


def _cipher(storage_key: bytes) -> AESGCM:
    return AESGCM(hkdf(storage_key, label("name"), 32))


def _about(account: bytes, device: int) -> bytes:
    return account + bytes([device])
