"""ML-KEM-768 in pieces (FIPS 203): the first part of a ciphertext needs only a header of the key.

    header  64 = rho ‖ SHA3-256(vector ‖ rho)     ct1  960    ct2  128
    vector  1,152                                 the key of the standard is vector ‖ rho

Keys are made and secrets decapsulated by `cryptography`. Encapsulating must be done here, because
no library does it in two steps (ML-KEM Braid r1, section 1.3). The parts together are what the
standard's ML-KEM.Encaps makes from the same coins.
"""

from hashlib import sha3_256, sha3_512
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from linnet.crypto.errors import BadKey
from linnet.crypto.spqr import ring, sampling
from linnet.crypto.spqr.ring import POLY_BYTES, Factor, Q

SEED_BYTES: Final = 64
COINS_BYTES: Final = 32
HEADER_BYTES: Final = 64
VECTOR_BYTES: Final = 3 * POLY_BYTES
CT1_BYTES: Final = 960
CT2_BYTES: Final = 128
_RHO_BYTES: Final = 32


class PublicParts(NamedTuple):
    """A public key as it travels."""

    header: bytes
    vector: bytes


class FirstPart(NamedTuple):
    """What encapsulating to a header gives. `kept` (64 bytes, secret) is for `encapsulate_2`."""

    ct1: bytes
    secret: bytes
    kept: bytes


def public_parts(seed: bytes) -> PublicParts:
    """The public key of a seed d ‖ z (64 bytes)."""
    key = MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    vector, rho = key[:VECTOR_BYTES], key[VECTOR_BYTES:]
    return PublicParts(rho + sha3_256(key).digest(), vector)


def decapsulate(seed: bytes, ct1: bytes, ct2: bytes) -> bytes:
    """The 32-byte secret; an unknowable one if the ciphertext was made for another key."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ct1 + ct2)


def encapsulate_1(header: bytes, coins: bytes) -> FirstPart:
    """Encapsulate to the key of `header` as far as that goes. `coins` are 32 bytes, used once."""
    rho, key_hash = header[:_RHO_BYTES], header[_RHO_BYTES:]
    out = sha3_512(coins + key_hash).digest()
    secret, seed = out[:32], out[32:]
    factor = _randomizer(seed)
    ct1 = b"".join(
        ring.compress_10(
            _sum(
                ring.inverse_ntt(
                    factor.dot([sampling.uniform(rho, row, column) for column in range(3)])
                ),
                sampling.small(seed, 3 + row),
            )
        )
        for row in range(3)
    )
    return FirstPart(ct1, secret, coins + seed)


def matches(header: bytes, vector: bytes) -> bool:
    """Tell whether `vector` is the one whose hash is in `header`."""
    return sha3_256(vector + header[:_RHO_BYTES]).digest() == header[_RHO_BYTES:]


def encapsulate_2(kept: bytes, vector: bytes) -> bytes:
    """Return ct2 (128 bytes). The caller has checked `vector` with `matches`.

    Raises BadKey for a wrong length, or coefficients that are not reduced (section 7.2).
    """
    if len(vector) != VECTOR_BYTES:
        raise BadKey("not an ML-KEM-768 public key")
    coins, seed = kept[:COINS_BYTES], kept[COINS_BYTES:]
    key = [ring.decode_12(vector[at : at + POLY_BYTES]) for at in range(0, len(vector), POLY_BYTES)]
    if any(each >= Q for poly in key for each in poly):
        raise BadKey("not a canonical ML-KEM-768 public key")
    noise = _sum(sampling.small(seed, 6), ring.from_bits(coins))
    return ring.compress_4(_sum(ring.inverse_ntt(_randomizer(seed).dot(key)), noise))


def _randomizer(seed: bytes) -> Factor:
    """The vector y of K-PKE.Encrypt (algorithm 14), transformed."""
    return Factor([ring.ntt(sampling.small(seed, number)) for number in range(3)])


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [x + y for x, y in zip(one, other, strict=True)]
