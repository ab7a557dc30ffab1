"""Sealed sender, version 2: content encrypted once, its key sealed to each identity key.

Here is the encryption; the two formats, of what the sender uploads and of what each device gets,
are in `sealed_sender_v2_messages`. A tag for each receiver, which needs the sender's or the
receiver's private key, covers the key of the content. Every receiver knows that key and could put
other content under it for the others: the message inside is what proves its sender.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from linnet.crypto.curve import agree
from linnet.crypto.errors import BadMac
from linnet.crypto.kdf import hkdf
from linnet.crypto.sealed_sender_v2_messages import (
    UUID_VERSION,
    Device,
    SealedRecipient,
    SentMessage,
    encode_sent,
    parse_received,
)
from linnet.signing.keys import KEY_TYPE, KeyPair, Rng, clamp, public_key

__all__ = ["VERSION", "Device", "Recipient", "seal_to_many", "unseal"]

VERSION: Final = bytes((UUID_VERSION,))
"""First byte of what a device gets."""

_SEED_BYTES: Final = 32
_TAG_BYTES: Final = 16
_NONCE: Final = bytes(12)  # a key encrypts once
_R: Final = b"Sealed Sender v2: r (2023-08)"
_K: Final = b"Sealed Sender v2: K"
_DH: Final = b"Sealed Sender v2: DH"
_DH_SENDER: Final = b"Sealed Sender v2: DH-sender"


@dataclass(frozen=True, slots=True)
class Recipient:
    """An identity key of an account, and the devices that have it."""

    account: bytes
    identity_key: bytes
    devices: tuple[Device, ...]


def seal_to_many(
    sender: KeyPair, recipients: Sequence[Recipient], content: bytes, rng: Rng
) -> bytes:
    """Seal content for every recipient; takes 32 bytes of `rng`. Returns the message to upload.

    Raises BadKey for a recipient's key that must not be used.
    """
    seed = rng(_SEED_BYTES)
    ephemeral = _ephemeral(seed)
    sealed = tuple(_seal_to(sender, ephemeral, seed, recipient) for recipient in recipients)
    message = AESGCMSIV(_content_key(seed)).encrypt(_NONCE, content, None)
    return encode_sent(SentMessage(sealed, ephemeral.public[1:], message))


def unseal(recipient: KeyPair, data: bytes, sender_key_of: Callable[[bytes], bytes]) -> bytes:
    """Return the content of a received form, authenticated by the sender that it names.

    `sender_key_of` reads the sender's identity key (33 bytes) in the content's certificate; what
    it raises is passed on. Raises Malformed, BadKey or BadMac.
    """
    received = parse_received(data)
    ephemeral_key = bytes((KEY_TYPE,)) + received.ephemeral
    pad = _pad(agree(recipient.private, ephemeral_key), ephemeral_key, recipient.public)
    seed = _xor(received.sealed_seed, pad)
    if not compare_digest(_ephemeral(seed).public, ephemeral_key):
        raise BadMac("the sealed message is not authentic")
    try:
        content = AESGCMSIV(_content_key(seed)).decrypt(_NONCE, received.message, None)
    except (InvalidTag, ValueError):
        raise BadMac("the sealed message is not authentic") from None
    sender_key = sender_key_of(content)
    secret = agree(recipient.private, sender_key)
    tag = _tag(secret, ephemeral_key, received.sealed_seed, sender_key, recipient.public)
    if not compare_digest(tag, received.tag):
        raise BadMac("the sealed message is not by that sender")
    return content


def _seal_to(
    sender: KeyPair, ephemeral: KeyPair, seed: bytes, recipient: Recipient
) -> SealedRecipient:
    key = recipient.identity_key
    sealed_seed = _xor(seed, _pad(agree(ephemeral.private, key), ephemeral.public, key))
    secret = agree(sender.private, key)
    tag = _tag(secret, ephemeral.public, sealed_seed, sender.public, key)
    return SealedRecipient(recipient.account, recipient.devices, sealed_seed, tag)


def _ephemeral(seed: bytes) -> KeyPair:
    private = clamp(hkdf(seed, _R, 32))
    return KeyPair(private, public_key(private))


def _content_key(seed: bytes) -> bytes:
    return hkdf(seed, _K, 32)


def _pad(secret: bytes, ephemeral_key: bytes, recipient_key: bytes) -> bytes:
    return hkdf(secret + ephemeral_key + recipient_key, _DH, _SEED_BYTES)


def _tag(
    secret: bytes, ephemeral_key: bytes, sealed_seed: bytes, sender_key: bytes, recipient_key: bytes
) -> bytes:
    ikm = secret + ephemeral_key + sealed_seed + sender_key + recipient_key
    return hkdf(ikm, _DH_SENDER, _TAG_BYTES)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
