"""Safety numbers: both sides see the same digits, and a swapped key is noticed."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.crypto.party import seeded

from linnet.crypto.errors import Malformed
from linnet.crypto.protobuf import encode
from linnet.crypto.safety_number import SafetyNumber, fingerprint, safety_number
from linnet.signing.keys import generate

FILE = Path(__file__).parents[1] / "vectors" / "safety_numbers" / "safety_numbers.json"
ALICE, BOB = b"a" * 16, b"b" * 16
ALICE_KEY, BOB_KEY = generate(seeded("alice")).public, generate(seeded("bob")).public
OURS = safety_number(ALICE, ALICE_KEY, BOB, BOB_KEY)
THEIRS = safety_number(BOB, BOB_KEY, ALICE, ALICE_KEY)


def cases() -> list[dict[str, Any]]:
    return list(json.loads(FILE.read_text())["cases"])


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_the_vectors_of_libsignal(case: dict[str, Any]) -> None:
    fields = ("account", "account_key", "peer", "peer_key")
    number = safety_number(*(bytes.fromhex(case[name]) for name in fields))
    assert number.digits == case["digits"]
    assert number.scannable.hex() == case["scannable"]


def test_both_sides_see_the_same_digits() -> None:
    assert OURS.digits == THEIRS.digits
    assert len(OURS.digits) == 60
    assert OURS.digits.isdecimal()


def test_both_sides_recognise_the_code_of_the_other() -> None:
    assert OURS.compare(THEIRS.scannable)
    assert THEIRS.compare(OURS.scannable)


def test_ones_own_code_is_not_the_code_of_the_other() -> None:
    assert not OURS.compare(OURS.scannable)


def test_a_key_in_the_middle_is_noticed_by_either_half() -> None:
    middle = generate(seeded("mallory")).public
    assert safety_number(ALICE, ALICE_KEY, BOB, middle).digits != OURS.digits
    assert not OURS.compare(SafetyNumber(THEIRS.local, fingerprint(ALICE, middle)).scannable)
    assert not OURS.compare(SafetyNumber(fingerprint(BOB, middle), THEIRS.remote).scannable)


def test_the_account_counts_as_much_as_the_key() -> None:
    assert fingerprint(ALICE, ALICE_KEY) != fingerprint(BOB, ALICE_KEY)


@pytest.mark.parametrize(("account", "key"), [(b"a" * 15, ALICE_KEY), (ALICE, ALICE_KEY[1:])])
def test_other_sizes_are_no_account_and_key(account: bytes, key: bytes) -> None:
    with pytest.raises(ValueError, match="16 and 33"):
        fingerprint(account, key)


GOOD = encode(((1, OURS.local),))


@pytest.mark.parametrize(
    "scanned",
    [
        b"",
        b"https://example.org",
        encode(((1, 1), (2, GOOD), (3, GOOD))),
        encode(((1, 2), (2, GOOD))),
        encode(((1, 2), (2, GOOD), (3, b""))),
        encode(((1, 2), (2, GOOD), (3, encode(((1, OURS.local[1:]),))))),
    ],
)
def test_another_code_is_malformed(scanned: bytes) -> None:
    with pytest.raises(Malformed):
        OURS.compare(scanned)


@given(st.binary(max_size=90))
def test_any_code_is_another_one_or_malformed(scanned: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert not OURS.compare(scanned)
