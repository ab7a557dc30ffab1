"""XEdDSA against golden vectors, libsignal's signatures and a second implementation.

`python -m tests.signing.test_xeddsa` writes the vectors again; the test says if they differ.
"""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.signing.paper import (
    BASE,
    IDENTITY,
    L,
    P,
    Point,
    add,
    challenge,
    encode,
    forged,
    join,
    montgomery,
    mul,
    public,
    recover,
    slow_verify,
    torsion,
)

from linnet.signing import keys, xeddsa

FILE = Path(__file__).parents[1] / "vectors" / "signing" / "xeddsa.json"

# Made by libsignal-client 0.90.0: private, public, message, signature.
LIBSIGNAL = [
    (
        "f84aebe2b6238854ccda77916b3759cb6d53786b5e5edfdc5d0e5aec34b8905a",
        "057ef5137ec8e7af0d9ab021e0886e85b4ff5399ca91e0d72b7e7752f942582511",
        "6c69627369676e616c2030",
        "4a79489b6f69a43a884650829883c170eb52ae5c2e1f9ab141f8e7424b24e46d"
        "70c760ca8591a6cbf5a5efc54a309f41fcce7824d39a2a30bfc81bff9c6b7183",
    ),
    (
        "f07a766528d559f18665d05e94f2d8868aa06097f0c5d1ac38042ce649958863",
        "05ea070f2ad87329a2e968b37c991c2ea0356bedcac79884b76b32752325ca8826",
        "6c69627369676e616c2031",
        "73c77ba1af4a40d33ab93b5f71679e844b70d6b789ecb4f8377747f685311059"
        "ed168b2c55fe1b432fb354572d35b5ac986a9f115825425b7c53b07ec72ad982",
    ),
    (
        "989b07a7e45f69d3c2cd7de8e4f3d3eb71b6a50c4ec30c41d38f1e718549185d",
        "05a71d49fad0398c3de3cb7010630b0e88e34f8d9d58d6e10be40e38d26a37d178",
        "6c69627369676e616c2033",
        "06b62c51236f9b70017c0c22016a3548eb678a706ee18e6b1bccbaa7c91d8add"
        "5bd2a295426c23ae3f0fbffca7d247566725568bec506c63699ac13c8d4abe09",
    ),
]


# --- the vectors -------------------------------------------------------------------------------


def torsioned_key(a: int, key_torsion: Point, order: int, message: bytes) -> bytes:
    """A signature that satisfies the equation itself: only the subgroup check refuses it."""
    key = add(mul(a, BASE), key_torsion)
    for nonce in range(1, 10_000):
        signature = forged(a, key_torsion, nonce, IDENTITY, message)
        if challenge(signature[:32], key, message) % order == 0:
            return signature
    raise AssertionError


def small_order_key(key: Point, order: int) -> bytes:
    for nonce in range(1, 10_000):
        r = encode(mul(nonce, BASE))
        if challenge(r, key, b"small") % order == 0:
            return join(r, nonce, key)
    raise AssertionError


def cases() -> Iterator[tuple[str, bytes, bytes, bytes, bool]]:
    """Yield (name, public, message, signature, valid)."""
    private = keys.clamp(sha256(b"vector key").digest())
    a = int.from_bytes(private, "little")
    key = keys.public_key(private)
    message = b"a message"
    good = xeddsa.sign(private, message, lambda size: bytes(size))
    s = int.from_bytes(good[32:], "little") & 2**255 - 1
    sign = good[63] & 0x80

    def with_s(value: int) -> bytes:
        return good[:32] + (value | sign << 248).to_bytes(32, "little")

    yield "valid", key, message, good, True
    yield "another valid one", key, message, xeddsa.sign(private, message, lambda n: b"7" * n), True
    empty = xeddsa.sign(private, b"", lambda size: bytes(size))
    yield "empty message", key, b"", empty, True
    for number, (_, other, text, signature) in enumerate(LIBSIGNAL):
        parts = bytes.fromhex(other), bytes.fromhex(text), bytes.fromhex(signature)
        yield f"libsignal {number}", *parts, True
    yield "other message", key, b"another message", good, False
    yield "other key", keys.public_key(bytes(32)), message, good, False
    for bit in (0, 7, 100, 254, 255, 256, 300, 507, 508, 509, 510, 511):
        flipped = int.from_bytes(good, "little") ^ 1 << bit
        yield f"bit {bit} flipped", key, message, flipped.to_bytes(64, "little"), False
    yield "s + L", key, message, with_s(s + L), False
    yield "s + 7 L", key, message, with_s(s + 7 * L), False
    yield "s = L", key, message, with_s(L), False
    yield "s = 0", key, message, with_s(0), False
    yield "signature cut", key, message, good[:63], False
    yield "signature longer", key, message, good + b"\0", False
    yield "key cut", key[:32], message, good, False
    yield "key longer", key + b"\0", message, good, False
    yield "key of another type", b"\x06" + key[1:], message, good, False
    yield "u with its top bit set", key[:32] + bytes((key[32] | 128,)), message, good, False

    one = forged(1, IDENTITY, 77, IDENTITY, message)
    yield "the base point as a key", public(9), message, one, True
    yield "u = 9 + p", public(9 + P), message, one, False
    yield "u = p", public(P), message, one, False
    yield "u = p - 1, no point", public(P - 1), message, one, False
    twist = next(u for u in range(2, 99) if recover((u - 1) * pow(u + 1, -1, P) % P, 0) is None)
    yield "u on the twist", public(twist), message, one, False

    point8 = torsion()
    for multiple in range(1, 8):
        extra = mul(multiple, point8)
        order = 8 // (multiple & -multiple)
        cofactored = forged(a, IDENTITY, 99, extra, message)
        yield f"R torsioned, {multiple} of 8", key, message, cofactored, False
        mixed = public(montgomery(add(mul(a, BASE), extra)))
        exact = torsioned_key(a, extra, order, message)
        yield f"A torsioned, {multiple} of 8", mixed, message, exact, False
        small = public(montgomery(extra))
        yield f"A of order {order}", small, b"small", small_order_key(extra, order), False
        only = encode(extra)
        pure = join(only, challenge(only, mul(a, BASE), message) * a % L, mul(a, BASE))
        yield f"R of order {order}", key, message, pure, False
    for name, r, valid in (
        ("R the identity: nothing forbids it", encode(IDENTITY), True),
        ("R the identity, y + p", (1 + P).to_bytes(32, "little"), False),
        ("R the identity, x negative", (1 | 1 << 255).to_bytes(32, "little"), False),
    ):
        point = mul(a, BASE)
        yield name, key, message, join(r, challenge(r, point, message) * a % L, point), valid


def build() -> dict[str, Any]:
    private = keys.clamp(sha256(b"vector key").digest())
    names = ("name", "public", "message", "signature", "valid")
    rows = [(n, p.hex(), m.hex(), s.hex(), v) for n, p, m, s, v in cases()]
    signed = [(text, bytes((fill,)) * 64) for text, fill in ((b"", 0), (b"a message", 1))]
    return {
        "about": "XEdDSA; see docs/protocol/signing.md. Bytes are hex.",
        "sign": [
            {
                "private": private.hex(),
                "public": keys.public_key(private).hex(),
                "message": text.hex(),
                "random": random.hex(),
                "signature": xeddsa.sign(private, text, lambda _, r=random: r).hex(),  # type: ignore[misc]
            }
            for text, random in signed
        ],
        "verify": [dict(zip(names, row, strict=True)) for row in rows],
    }


VECTORS: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {"verify": []}


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert build() == VECTORS


@pytest.mark.parametrize("case", VECTORS["verify"], ids=lambda case: case["name"])
def test_verification_follows_the_vectors(case: dict[str, Any]) -> None:
    args = [bytes.fromhex(case[name]) for name in ("public", "message", "signature")]
    assert xeddsa.verify(*args) is case["valid"]


@pytest.mark.parametrize("case", VECTORS["verify"], ids=lambda case: case["name"])
def test_the_second_implementation_agrees(case: dict[str, Any]) -> None:
    args = [bytes.fromhex(case[name]) for name in ("public", "message", "signature")]
    assert slow_verify(*args) is case["valid"]


@pytest.mark.parametrize(("private", "public_hex", "message", "signature"), LIBSIGNAL)
def test_keys_and_signatures_of_libsignal_are_ours(
    private: str, public_hex: str, message: str, signature: str
) -> None:
    key = bytes.fromhex(public_hex)
    assert keys.public_key(bytes.fromhex(private)) == key
    assert xeddsa.verify(key, bytes.fromhex(message), bytes.fromhex(signature))


def test_every_flipped_bit_is_noticed() -> None:
    pair = keys.generate(os.urandom)
    good = xeddsa.sign(pair.private, b"text", os.urandom)
    number = int.from_bytes(good, "little")
    for bit in range(512):
        assert not xeddsa.verify(pair.public, b"text", (number ^ 1 << bit).to_bytes(64, "little"))


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_what_is_signed_verifies_in_both_implementations(seed: bytes, message: bytes) -> None:
    signature = xeddsa.sign(seed, message, os.urandom)
    key = keys.public_key(seed)
    assert xeddsa.verify(key, message, signature)
    assert slow_verify(key, message, signature)


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(
    key=st.binary(max_size=40) | st.binary(min_size=32, max_size=32).map(lambda u: b"\x05" + u),
    signature=st.binary(max_size=70) | st.binary(min_size=64, max_size=64),
)
def test_verify_never_raises_and_agrees_on_noise(key: bytes, signature: bytes) -> None:
    assert xeddsa.verify(key, b"", signature) is slow_verify(key, b"", signature) is False


def test_two_signatures_of_one_message_differ() -> None:
    pair = keys.generate(os.urandom)
    assert xeddsa.sign(pair.private, b"", os.urandom) != xeddsa.sign(pair.private, b"", os.urandom)


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
