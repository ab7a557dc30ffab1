"""How long a list counts: every rule at the second where it changes."""

import pytest
from msgspec.structs import replace
from tests.signing.people import NOW_S, Person

from linnet.signing.device_list import LIFETIME_S, DeviceList, check_list, decode_list
from linnet.signing.errors import ListReason, ListRejected
from linnet.signing.list_clock import (
    DAY_S,
    NARROW_AFTER_S,
    REFETCH_AFTER_S,
    SIGN_AGAIN_AFTER_S,
    WARN_BEFORE_S,
    Standing,
    addressees,
    clock_looks_wrong,
    due_for_signing,
    is_early,
    is_expired,
    must_narrow,
    needs_refetch,
    standing,
)

ANN = Person.named("ann on time")
LAPTOP = ANN.link()
LIST = decode_list(ANN.newest.body)
EXPIRED_S = LIST.expires + DAY_S + 1


def test_a_list_is_early_more_than_a_day_before_it_was_issued() -> None:
    assert not is_early(LIST, NOW_S - DAY_S)
    assert is_early(LIST, NOW_S - DAY_S - 1)


def test_a_list_is_expired_more_than_a_day_after_it_expires() -> None:
    assert not is_expired(LIST, EXPIRED_S - 1)
    assert is_expired(LIST, EXPIRED_S)


@pytest.mark.parametrize("now_s", [NOW_S - DAY_S, EXPIRED_S - 1, NOW_S - DAY_S - 1, EXPIRED_S])
def test_these_are_the_times_at_which_a_list_is_refused(now_s: int) -> None:
    reason = None
    try:
        check_list(ANN.newest, account=ANN.account, account_key=None, now_s=now_s)
    except ListRejected as refusal:
        reason = refusal.reason
    assert is_early(LIST, now_s) is (reason is ListReason.NOT_YET)
    assert is_expired(LIST, now_s) is (reason is ListReason.EXPIRED)


@pytest.mark.parametrize("days", [40, -40])
def test_a_clock_40_days_off_refuses_the_list(days: int) -> None:
    assert is_expired(LIST, NOW_S + days * DAY_S) is (days > 0)
    assert is_early(LIST, NOW_S + days * DAY_S) is (days < 0)


def test_a_primary_signs_again_after_a_week() -> None:
    assert not due_for_signing(LIST, NOW_S + SIGN_AGAIN_AFTER_S - 1)
    assert due_for_signing(LIST, NOW_S + SIGN_AGAIN_AFTER_S)


def test_a_list_is_fetched_again_after_21_days() -> None:
    assert not needs_refetch(NOW_S, NOW_S + REFETCH_AFTER_S)
    assert needs_refetch(NOW_S, NOW_S + REFETCH_AFTER_S + 1)
    assert REFETCH_AFTER_S == 21 * DAY_S


def test_linked_devices_warn_from_14_days_before_it_expires() -> None:
    warned_s = LIST.expires - WARN_BEFORE_S
    assert standing(LIST, warned_s - 1) is Standing.GOOD
    assert standing(LIST, warned_s) is Standing.OPEN_PRIMARY
    assert standing(LIST, EXPIRED_S - 1) is Standing.OPEN_PRIMARY
    assert standing(LIST, EXPIRED_S) is Standing.NOT_RECEIVING


def test_a_primary_away_for_60_days_leaves_its_linked_devices_out() -> None:
    away_s = NOW_S + 60 * DAY_S
    assert standing(LIST, away_s) is Standing.NOT_RECEIVING
    assert [device.id for device in addressees(LIST, away_s)] == [LIST.primary]
    back = replace(LIST, issued=away_s, expires=away_s + LIFETIME_S)
    assert [device.id for device in addressees(back, away_s)] == [1, LAPTOP]


def test_a_proven_newer_list_that_cannot_be_had_narrows_after_48_hours() -> None:
    assert not must_narrow(LIST, NOW_S, None)
    assert not must_narrow(LIST, NOW_S + NARROW_AFTER_S - 1, NOW_S)
    assert must_narrow(LIST, NOW_S + NARROW_AFTER_S, NOW_S)
    assert NARROW_AFTER_S == 48 * 3_600


def lists(*offsets_days: int) -> list[DeviceList]:
    return [replace(LIST, issued=at, expires=at + LIFETIME_S) for at in map(issued, offsets_days)]


def issued(days: int) -> int:
    return NOW_S + days * DAY_S


@pytest.mark.parametrize(
    ("offsets", "wrong"),
    [
        ((), False),
        ((-40, -40), False),
        ((-40, -40, 0), True),
        ((-40, -40, 0, 0), False),
        ((2, 2, 0), True),
        ((2, -40, 0), False),
        ((0, 0, 0), False),
    ],
)
def test_if_most_contacts_look_expired_the_clock_is_in_doubt(
    offsets: tuple[int, ...], wrong: bool
) -> None:
    assert clock_looks_wrong(lists(*offsets), NOW_S) is wrong
