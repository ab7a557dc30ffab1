"""Kyber-1024 of round 3 over ML-KEM-1024."""

from hashlib import sha3_256, shake_256

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from tests.crypto.party import seeded

from linnet.crypto import kem
from linnet.crypto.errors import BadKey


def test_the_secret_is_the_one_encapsulated() -> None:
    pair = kem.generate(seeded("kem"))
    ciphertext, secret = kem.encapsulate(pair.public)
    assert len(secret) == 32
    assert len(ciphertext) == kem.CIPHERTEXT_BYTES
    assert len(pair.public) == kem.PUBLIC_BYTES
    assert kem.decapsulate(pair.seed, ciphertext) == secret
    assert kem.decapsulate(pair.seed, ciphertext, keep=True) == secret


def test_the_round_3_hash_is_over_the_ciphertext_without_its_type_byte() -> None:
    pair = kem.generate(seeded("kem"))
    ciphertext, secret = kem.encapsulate(pair.public)
    raw = ciphertext[1:]
    standard = MLKEM1024PrivateKey.from_seed_bytes(pair.seed).decapsulate(raw)
    assert secret == shake_256(standard + sha3_256(raw).digest()).digest(32)


def test_another_ciphertext_gives_an_unrelated_secret() -> None:
    pair = kem.generate(seeded("kem"))
    ciphertext, secret = kem.encapsulate(pair.public)
    damaged = ciphertext[:-1] + bytes((ciphertext[-1] ^ 1,))
    assert kem.decapsulate(pair.seed, damaged) != secret


def test_what_is_no_public_key_is_refused() -> None:
    public = kem.generate(seeded("kem")).public
    unreduced = b"\x08" + b"\xff" * 1536 + public[-32:]
    for bad in (b"", public[:-1], b"\x0a" + public[1:], public[1:], unreduced):
        with pytest.raises(BadKey):
            kem.encapsulate(bad)


def test_what_is_no_ciphertext_is_refused() -> None:
    pair = kem.generate(seeded("kem"))
    ciphertext, _ = kem.encapsulate(pair.public)
    for bad in (b"", ciphertext[:-1], b"\x0a" + ciphertext[1:], ciphertext[1:]):
        with pytest.raises(BadKey):
            kem.decapsulate(pair.seed, bad)


def test_a_seed_is_not_shown() -> None:
    assert kem.generate(seeded("kem")).seed.hex() not in repr(kem.generate(seeded("kem")))
    assert "seed" not in repr(kem.generate(seeded("kem")))
