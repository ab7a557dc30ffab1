"""The recovery code and what it opens: the account key, so that an account outlives its devices.

A code is 256 random bits, written down by a person. The server stores the sealed backup and can
do nothing with it. History is not in it, and ratchet state never is: a restored account is a new
device. Key derivation is plain HKDF because the code is random, never chosen.
"""

from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linnet.crypto.errors import CryptoError
from linnet.crypto.kdf import hkdf
from linnet.signing.errors import Malformed
from linnet.signing.keys import PRIVATE_BYTES, KeyPair, Rng, public_key
from linnet.signing.objects import label
from linnet.signing.packing import pack, unpack

CODE_BYTES: Final = 32
ACCOUNT_BYTES: Final = 16

_CHECK_BYTES: Final = 3  # 35 bytes are exactly 56 characters
_GROUP: Final = 4
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_CHARACTERS: Final = (CODE_BYTES + _CHECK_BYTES) * 8 // 5
_READ_AS: Final = str.maketrans("OIL", "011", "- \t\r\n")
_NONCE_BYTES: Final = 12
_FORMAT: Final = 1


class BadCode(CryptoError):
    """The text is no recovery code: a character or its checksum is wrong."""


class BadBackup(CryptoError):
    """The code does not open this backup, or the backup is damaged."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a recovery code gives back. `repr` shows no private key."""

    account: bytes
    account_key: KeyPair


def new_code(rng: Rng) -> bytes:
    """Return a new code of 32 random bytes."""
    return rng(CODE_BYTES)


def to_text(code: bytes) -> str:
    """Write a code for a person: 14 groups of 4 characters, the last five a checksum.

    Raises ValueError unless `code` has 32 bytes.
    """
    if len(code) != CODE_BYTES:
        raise ValueError("a recovery code has 32 bytes")
    number = int.from_bytes(code + _check(code), "big")
    text = "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARACTERS)))
    return "-".join(text[start : start + _GROUP] for start in range(0, _CHARACTERS, _GROUP))


def from_text(text: str) -> bytes:
    """Read a code. Case, spaces and hyphens do not matter; O is 0, I and L are 1.

    Raises BadCode.
    """
    characters = text.upper().translate(_READ_AS)
    if len(characters) != _CHARACTERS or not set(characters) <= set(_ALPHABET):
        raise BadCode("a recovery code has 56 letters and digits")
    number = 0
    for character in characters:
        number = number << 5 | _ALPHABET.index(character)
    raw = number.to_bytes(CODE_BYTES + _CHECK_BYTES, "big")
    code = raw[:CODE_BYTES]
    if not compare_digest(raw[CODE_BYTES:], _check(code)):
        raise BadCode("the code has a typing mistake")
    return code


def seal_backup(code: bytes, account: bytes, account_key_private: bytes, rng: Rng) -> bytes:
    """Encrypt the account id and account key under a code: nonce (12) ‖ ciphertext ‖ tag (16)."""
    plain = pack([_FORMAT, account, account_key_private])
    nonce = rng(_NONCE_BYTES)
    return nonce + AESGCM(_key(code)).encrypt(nonce, plain, None)


def open_backup(code: bytes, sealed: bytes) -> Backup:
    """Decrypt a backup. Raises BadBackup."""
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        value = unpack(AESGCM(_key(code)).decrypt(nonce, ciphertext, None), max_depth=1)
    except (InvalidTag, ValueError, Malformed):
        raise BadBackup("the code does not open this backup") from None
    match value:
        case [int(version), bytes(account), bytes(private)] if (
            version,
            len(account),
            len(private),
        ) == (_FORMAT, ACCOUNT_BYTES, PRIVATE_BYTES):
            return Backup(account, KeyPair(private, public_key(private)))
        case _:
            raise BadBackup("a backup of another format")


def _key(code: bytes) -> bytes:
    return hkdf(code, label("backup"), 32)


def _check(code: bytes) -> bytes:
    return sha256(label("backup") + code).digest()[:_CHECK_BYTES]
