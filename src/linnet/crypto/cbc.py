"""AES-256-CBC with PKCS #7 padding, as all messages use it. Authenticates nothing.

Callers check a signature or MAC first: what unpadding says must never reach a forger.
"""

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from linnet.crypto.errors import Malformed

BLOCK_BYTES: Final = 16


def encrypt_cbc(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Pad and encrypt under a key of 32 bytes and an IV of 16: one block or more."""
    size = BLOCK_BYTES - len(plaintext) % BLOCK_BYTES
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(plaintext + bytes((size,)) * size) + encryptor.finalize()


def decrypt_cbc(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Decrypt and unpad. Raises Malformed for part of a block, none at all, or bad padding."""
    if not ciphertext or len(ciphertext) % BLOCK_BYTES:
        raise Malformed("not whole blocks")
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    size = padded[-1]
    if not 1 <= size <= BLOCK_BYTES or padded[-size:] != bytes((size,)) * size:
        raise Malformed("an authentic message with bad padding")
    return padded[:-size]
