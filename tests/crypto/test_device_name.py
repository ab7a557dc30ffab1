"""Names of devices, sealed for nobody but the account's own devices."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.device_name import NAME_BYTES, BadName, open_name, seal_name

KEY, ACCOUNT, DEVICE = bytes(range(32)), b"a" * 16, 1


@given(st.text(max_size=NAME_BYTES // 4))
def test_a_name_comes_back(name: str) -> None:
    assert (
        open_name(KEY, ACCOUNT, DEVICE, seal_name(KEY, ACCOUNT, DEVICE, name, os.urandom)) == name
    )


def test_the_format_is_the_written_one() -> None:
    """HKDF-SHA256, salt 32 zero bytes, info `linnet/name/1` ‖ 0; AES-256-GCM; AAD account ‖ id."""
    sealed = seal_name(KEY, ACCOUNT, DEVICE, "Küche", lambda count: b"n" * count)
    key = HKDF(SHA256(), 32, bytes(32), b"linnet/name/1\x00").derive(KEY)
    expected = AESGCM(key).encrypt(b"n" * 12, "Küche".encode(), ACCOUNT + b"\x01")
    assert sealed == b"n" * 12 + expected


def test_no_name_is_no_bytes() -> None:
    assert seal_name(KEY, ACCOUNT, DEVICE, "", os.urandom) == b""


@pytest.mark.parametrize(
    ("key", "account", "device"),
    [(bytes(32), ACCOUNT, DEVICE), (KEY, b"b" * 16, DEVICE), (KEY, ACCOUNT, 2)],
)
def test_a_name_opens_only_with_its_key_for_its_device(
    key: bytes, account: bytes, device: int
) -> None:
    sealed = seal_name(KEY, ACCOUNT, DEVICE, "kitchen", os.urandom)
    with pytest.raises(BadName):
        open_name(key, account, device, sealed)


@pytest.mark.parametrize("sealed", [b"x", b"x" * 12, b"x" * 40])
def test_damaged_names_are_refused(sealed: bytes) -> None:
    with pytest.raises(BadName):
        open_name(KEY, ACCOUNT, DEVICE, sealed)


def test_a_name_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        seal_name(KEY, ACCOUNT, DEVICE, "x" * (NAME_BYTES + 1), os.urandom)
