"""The key that lets contacts send sealed messages, derived from the sender's profile key.

Whoever blocks or removes a contact makes a new profile key and gives it to the others. The server
keeps SHA-256 of the delivery key and learns nothing of the profile key.
"""

from typing import Final

from linnet.crypto.kdf import hkdf
from linnet.signing.keys import Rng
from linnet.signing.objects import label

PROFILE_KEY_BYTES: Final = 32
DELIVERY_KEY_BYTES: Final = 16


def new_profile_key(rng: Rng) -> bytes:
    """Return a new profile key of 32 random bytes."""
    return rng(PROFILE_KEY_BYTES)


def delivery_key(profile_key: bytes) -> bytes:
    """Return the 16 bytes that a sealed request must show. Raises ValueError for other sizes."""
    if len(profile_key) != PROFILE_KEY_BYTES:
        raise ValueError("a profile key has 32 bytes")
    return hkdf(profile_key, label("delivery"), DELIVERY_KEY_BYTES)
