"""Sealed sender, version 1: the sender's key is inside, so the server need not know it.

Two layers: one under an ephemeral key hides the sender's identity key, one under that key and
the first hides and authenticates the content. For one device. It authenticates as weakly as any
static Diffie-Hellman: who has the receiver's key can pretend to be anyone *to that receiver*;
the message inside is what proves its sender.
"""

from hmac import compare_digest, digest
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from linnet.crypto.curve import agree
from linnet.crypto.errors import BadMac, Malformed
from linnet.crypto.kdf import hkdf
from linnet.crypto.protobuf import STRING, decode, encode
from linnet.signing.keys import PUBLIC_BYTES, KeyPair, Rng, generate

VERSION: Final = b"\x11"
MAC_BYTES: Final = 10
MAX_BYTES: Final = 2**18

_SALT: Final = b"UnidentifiedDelivery"
_ZERO_COUNTER: Final = bytes(16)
_KNOWN: Final = {1: STRING, 2: STRING, 3: STRING}


class Layer(NamedTuple):
    """Keys of one layer, 32 bytes each; `chain` leads to the next."""

    chain: bytes
    cipher_key: bytes
    mac_key: bytes


def seal(sender: KeyPair, recipient_key: bytes, content: bytes, rng: Rng) -> bytes:
    """Seal content from `sender`'s identity key to the identity key of one device (33 bytes).

    Raises BadKey for a key that must not be used.
    """
    ephemeral = generate(rng)
    outer = _layer(
        agree(ephemeral.private, recipient_key), _SALT + recipient_key + ephemeral.public
    )
    sealed_key = _encrypt(outer, sender.public)
    inner = _layer(agree(sender.private, recipient_key), outer.chain + sealed_key)
    sealed_content = _encrypt(inner, content)
    return VERSION + encode(((1, ephemeral.public), (2, sealed_key), (3, sealed_content)))


def unseal(recipient: KeyPair, data: bytes) -> tuple[bytes, bytes]:
    """Return (the sender's identity key, the content). Raises Malformed, BadKey or BadMac.

    The caller compares the key with the certificate in the content.
    """
    if data[:1] != VERSION or len(data) > MAX_BYTES:
        raise Malformed("another version, or too long")
    strings = decode(data, 1, len(data), _KNOWN).strings
    try:
        ephemeral, sealed_key, sealed_content = strings[1], strings[2], strings[3]
    except KeyError:
        raise Malformed("a field is missing") from None
    outer = _layer(agree(recipient.private, ephemeral), _SALT + recipient.public + ephemeral)
    sender_key = _decrypt(outer, sealed_key)
    if len(sender_key) != PUBLIC_BYTES:
        raise Malformed("not an identity key")
    inner = _layer(agree(recipient.private, sender_key), outer.chain + sealed_key)
    return sender_key, _decrypt(inner, sealed_content)


def _layer(secret: bytes, salt: bytes) -> Layer:
    out = hkdf(secret, b"", 96, salt)
    return Layer(out[:32], out[32:64], out[64:])


def _encrypt(keys: Layer, plaintext: bytes) -> bytes:
    ciphertext = _ctr(keys.cipher_key, plaintext)
    return ciphertext + _mac(keys, ciphertext)


def _decrypt(keys: Layer, data: bytes) -> bytes:
    ciphertext, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
    if not compare_digest(_mac(keys, ciphertext), mac):
        raise BadMac("the sealed message is not authentic")
    return _ctr(keys.cipher_key, ciphertext)


def _mac(keys: Layer, ciphertext: bytes) -> bytes:
    return digest(keys.mac_key, ciphertext, "sha256")[:MAC_BYTES]


def _ctr(key: bytes, data: bytes) -> bytes:
    cipher = Cipher(AES(key), CTR(_ZERO_COUNTER)).encryptor()
    return cipher.update(data) + cipher.finalize()
