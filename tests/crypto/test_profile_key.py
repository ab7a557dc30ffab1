"""The delivery key is the one that is written down."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tests.crypto.party import seeded

from linnet.crypto.profile_key import delivery_key, new_profile_key


def test_the_derivation_is_the_written_one() -> None:
    key = new_profile_key(seeded(1))
    made = HKDF(SHA256(), 16, bytes(32), b"linnet/delivery/1\x00").derive(key)
    assert delivery_key(key) == made
    assert delivery_key(new_profile_key(seeded(2))) != made


def test_other_sizes_are_no_profile_key() -> None:
    with pytest.raises(ValueError, match="32"):
        delivery_key(bytes(16))
