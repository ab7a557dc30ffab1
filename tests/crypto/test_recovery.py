"""Recovery codes and what they open.

`python tests/crypto/test_recovery.py` writes the vectors again; the test says if they differ.
"""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.kdf import hkdf
from linnet.crypto.recovery import (
    BadBackup,
    BadCode,
    from_text,
    new_code,
    open_backup,
    seal_backup,
    to_text,
)
from linnet.signing import keys
from linnet.signing.packing import pack

FILE = Path(__file__).parents[1] / "vectors" / "content" / "recovery.json"

CODE = sha256(b"code").digest()
ACCOUNT = sha256(b"account").digest()[:16]
KEY = keys.generate(lambda size: sha256(b"key").digest()[:size])
CODES = st.binary(min_size=32, max_size=32)


def build() -> dict[str, Any]:
    codes = [bytes(32), b"\xff" * 32, CODE]
    return {
        "about": "Recovery codes; see docs/protocol/content.md. Data is hex.",
        "codes": [{"code": code.hex(), "text": to_text(code)} for code in codes],
        "backup": {
            "code": CODE.hex(),
            "account": ACCOUNT.hex(),
            "account_key_private": KEY.private.hex(),
            "nonce": b"n".hex() * 12,
            "sealed": seal_backup(CODE, ACCOUNT, KEY.private, lambda size: b"n" * size).hex(),
        },
    }


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert json.loads(FILE.read_text()) == build()


def test_a_code_is_all_of_its_randomness() -> None:
    assert new_code(lambda size: bytes(range(size))) == bytes(range(32))


@given(code=CODES)
def test_a_code_comes_back_from_its_text(code: bytes) -> None:
    text = to_text(code)
    assert [len(group) for group in text.split("-")] == [4] * 14
    assert from_text(text) == code


@given(code=CODES)
def test_people_may_write_it_their_way(code: bytes) -> None:
    text = to_text(code).lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert from_text(f" {text}\n") == code


@given(code=CODES, position=st.integers(0, 55), other=st.sampled_from("0123456789ABCDEFGHJKMNPQ"))
def test_one_wrong_character_is_noticed(code: bytes, position: int, other: str) -> None:
    text = to_text(code).replace("-", "")
    wrong = text[:position] + other + text[position + 1 :]
    if wrong == text:
        return
    # 24 bits of checksum: the chance that a mistake passes is below one in ten million.
    with pytest.raises(BadCode):
        from_text(wrong)


@pytest.mark.parametrize("text", ["", "0000", to_text(CODE) + "0", to_text(CODE)[:-1] + "U", "é"])
def test_other_text_is_no_code(text: str) -> None:
    with pytest.raises(BadCode):
        from_text(text)


@given(text=st.text(max_size=70))
def test_noise_is_no_code(text: str) -> None:
    with pytest.raises(BadCode):
        from_text(text)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_only_32_bytes_are_written(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        to_text(bytes(size))


def test_a_backup_gives_the_account_and_its_key_back() -> None:
    backup = open_backup(CODE, seal_backup(CODE, ACCOUNT, KEY.private, os.urandom))
    assert (backup.account, backup.account_key) == (ACCOUNT, KEY)
    assert repr(KEY.private)[2:-1] not in repr(backup)


def test_the_same_backup_twice_is_other_bytes() -> None:
    once, twice = (seal_backup(CODE, ACCOUNT, KEY.private, os.urandom) for _ in range(2))
    assert once != twice
    assert KEY.private not in once


def test_another_code_opens_nothing() -> None:
    sealed = seal_backup(CODE, ACCOUNT, KEY.private, os.urandom)
    with pytest.raises(BadBackup):
        open_backup(bytes(32), sealed)


@given(position=st.integers(0), flip=st.integers(1, 255))
def test_a_changed_backup_does_not_open(position: int, flip: int) -> None:
    sealed = bytearray(seal_backup(CODE, ACCOUNT, KEY.private, os.urandom))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(BadBackup):
        open_backup(CODE, bytes(sealed))


@given(sealed=st.binary(max_size=60))
def test_noise_is_no_backup(sealed: bytes) -> None:
    with pytest.raises(BadBackup):
        open_backup(CODE, sealed)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        pack([]),
        pack([2, ACCOUNT, KEY.private]),
        pack([1, ACCOUNT[1:], KEY.private]),
        pack([1, ACCOUNT, KEY.private[1:]]),
        pack([1, ACCOUNT, KEY.private, 0]),
    ],
)
def test_a_backup_of_another_format_is_refused(plain: bytes) -> None:
    key = hkdf(CODE, b"linnet/backup/1\0", 32)
    nonce = bytes(12)
    with pytest.raises(BadBackup):
        open_backup(CODE, nonce + AESGCM(key).encrypt(nonce, plain, None))


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
