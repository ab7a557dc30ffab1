"""Titles: only for who has the secret of that number, in that group."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from tests.crypto.party import seeded

from linnet.crypto.group_secret import BadTitle, new_secret, open_title, seal_title, secret_hash
from linnet.signing.group_changes import MAX_TITLE_BYTES, SEALED_MAX

SECRET, GROUP = new_secret(seeded(1)), b"g" * 16


@given(st.text(max_size=MAX_TITLE_BYTES // 4), st.integers(1, 2**53 - 1))
def test_a_title_comes_back(title: str, number: int) -> None:
    sealed = seal_title(SECRET, GROUP, number, title, seeded(1))
    assert open_title(SECRET, GROUP, number, sealed) == title
    assert len(sealed) <= SEALED_MAX


def test_the_format_is_the_written_one() -> None:
    sealed = seal_title(SECRET, GROUP, 258, "Küche", lambda count: b"n" * count)
    info = b"linnet/title/1\x00" + GROUP + b"\0\0\0\0\0\0\1\2"
    key = HKDF(SHA256(), 32, bytes(32), info).derive(SECRET)
    assert sealed == b"n" * 12 + AESGCM(key).encrypt(b"n" * 12, "Küche".encode(), GROUP)
    assert secret_hash(SECRET) == sha256(SECRET).digest()


@pytest.mark.parametrize(
    ("secret", "group", "number"),
    [(bytes(32), GROUP, 3), (SECRET, b"h" * 16, 3), (SECRET, GROUP, 4)],
)
def test_another_secret_group_or_number_opens_nothing(
    secret: bytes, group: bytes, number: int
) -> None:
    sealed = seal_title(SECRET, GROUP, 3, "kitchen", seeded(1))
    with pytest.raises(BadTitle):
        open_title(secret, group, number, sealed)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(sealed: bytes) -> None:
    with pytest.raises(BadTitle):
        open_title(SECRET, GROUP, 3, sealed)


def test_a_title_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        seal_title(SECRET, GROUP, 3, "x" * (MAX_TITLE_BYTES + 1), seeded(1))
