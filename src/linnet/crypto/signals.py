"""Signals, such as "is typing": encrypted, delivered to who is there, never stored.

Not through the ratchet, where those that are dropped would pile up skipped keys. Under a random
key for each (sending device, conversation), which travels as `signal_key`; it is replaced with the
sender key and, between two, when a device leaves.
"""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linnet.crypto.errors import CryptoError
from linnet.signing.errors import Malformed
from linnet.signing.keys import Rng
from linnet.signing.packing import pack, unpack

KEY_BYTES: Final = 32
VALID_MS: Final = 10_000
"""A signal counts this long before and after the time it names."""

_FORMAT: Final = 1
_NONCE_BYTES: Final = 12
_TYPING: Final = "typing"


class BadSignal(CryptoError):
    """Not a signal of this device in this conversation, or not of now: drop it."""


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody began to type, or stopped."""

    on: bool


def new_signal_key(rng: Rng) -> bytes:
    """Return a new key of 32 random bytes."""
    return rng(KEY_BYTES)


def seal_signal(
    key: bytes, conversation: bytes, account: bytes, device: int, signal: Typing, ms: int, rng: Rng
) -> bytes:
    """Encrypt a signal of `account`'s `device`: nonce (12) ‖ ciphertext ‖ tag (16).

    `ms` is the sender's time. Signals of one kind have one size.
    """
    plain = pack([_FORMAT, ms, _TYPING, [signal.on]])
    nonce = rng(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, _about(conversation, account, device))


def open_signal(
    key: bytes, conversation: bytes, account: bytes, device: int, sealed: bytes, now_ms: int
) -> Typing | None:
    """Decrypt a signal; None if it is of a kind that only newer clients know.

    Raises BadSignal.
    """
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        plain = AESGCM(key).decrypt(nonce, ciphertext, _about(conversation, account, device))
        value = unpack(plain)
    except (InvalidTag, ValueError, Malformed):
        raise BadSignal("the signal cannot be opened") from None
    match value:
        case [int(version), int(ms), str(kind), body, *_] if version == _FORMAT:
            if abs(now_ms - ms) > VALID_MS:
                raise BadSignal("the signal is not of now")
            return _read(kind, body)
        case _:
            raise BadSignal("a signal of another format")


def _read(kind: str, body: object) -> Typing | None:
    match kind, body:
        case "typing", [bool(on), *_]:
            return Typing(on)
        case "typing", _:
            raise BadSignal("not the body of a typing signal")
        case _:
            return None


def _about(conversation: bytes, account: bytes, device: int) -> bytes:
    return conversation + account + bytes((device,))
