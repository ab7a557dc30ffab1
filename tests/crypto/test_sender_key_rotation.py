"""When a sender key must be replaced, and when it need not be."""

import msgspec
import pytest
from tests.crypto.party import NOW_MS, seeded

from linnet.crypto import sender_keys
from linnet.crypto.sender_key_rotation import MAX_AGE_MS, MAX_MESSAGES, Holder, must_rotate

STATE = sender_keys.create(NOW_MS, seeded(1))
KEY, NEW_KEY = b"\x05" + b"k" * 32, b"\x05" + b"n" * 32
PHONE, LAPTOP = Holder(b"b" * 16, KEY, 1), Holder(b"b" * 16, KEY, 2)
CAROL = Holder(b"c" * 16, KEY, 1)
ALL = frozenset((PHONE, LAPTOP, CAROL))


def test_a_restart_is_no_reason() -> None:
    again = sender_keys.SenderKeyState.from_bytes(STATE.to_bytes())
    assert not must_rotate(again, NOW_MS, ALL, ALL)


def test_a_joiner_is_no_reason() -> None:
    assert not must_rotate(STATE, NOW_MS, ALL - {CAROL}, ALL)


def test_a_thousand_messages_are_enough() -> None:
    last = msgspec.structs.replace(STATE, iteration=MAX_MESSAGES - 1)
    assert not must_rotate(last, NOW_MS, ALL, ALL)
    after, _ = sender_keys.encrypt(last, b"the thousandth", seeded(1))
    assert must_rotate(after, NOW_MS, ALL, ALL)


def test_seven_days_are_enough() -> None:
    assert not must_rotate(STATE, NOW_MS + MAX_AGE_MS - 1, ALL, ALL)
    assert must_rotate(STATE, NOW_MS + MAX_AGE_MS, ALL, ALL)


@pytest.mark.parametrize(
    "entitled",
    [
        ALL - {CAROL},
        ALL - {LAPTOP},
        ALL - {CAROL} | {Holder(CAROL.account, NEW_KEY, CAROL.device)},
    ],
    ids=["a member left", "a device left, or is no longer encrypted to", "rekey"],
)
def test_whoever_leaves_takes_a_key_along_that_is_used_no_more(
    entitled: frozenset[Holder],
) -> None:
    assert must_rotate(STATE, NOW_MS, ALL, entitled)


def test_who_never_had_the_key_may_leave() -> None:
    assert not must_rotate(STATE, NOW_MS, ALL - {CAROL}, ALL - {CAROL})
