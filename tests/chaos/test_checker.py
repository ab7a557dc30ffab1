"""The checker passes what is right, and catches every kind of wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chaos.checker import check
from tests.chaos.history import (
    Acked,
    Device,
    Event,
    Gone,
    History,
    Listed,
    Refused,
    Resynced,
    Row,
    Sent,
    Shown,
    Told,
    Tried,
)
from tests.chaos.perfect import Perfect, account
from tests.chaos.violations import Kind

replace = msgspec.structs.replace
ALICE, BOB = account(0), account(1)
PHONE, BOBS, LAPTOP = Device(ALICE, 1), Device(BOB, 1), Device(BOB, 2)


@pytest.fixture
def history() -> History:
    """Alice and Bob, who has a laptop too, talk; everybody reads everything."""
    world = Perfect([1, 2])
    for _ in range(3):
        world.say(PHONE, BOB)
        world.read(BOBS)
        world.say(BOBS, ALICE)
        world.read(PHONE)
        world.read(LAPTOP)
    return world.history


def kinds(history: History) -> set[Kind]:
    return {violation.kind for violation in check(history)}


def only(history: History, of: type[Event], where: Callable[..., bool]) -> int:
    """The index of the first event of this type that is as said."""
    return next(i for i, event in enumerate(history) if type(event) is of and where(event))


def change(
    history: History, of: type[Event], where: Callable[..., bool], **changes: object
) -> History:
    """The history with that event changed."""
    at = only(history, of, where)
    return [*history[:at], replace(history[at], **changes), *history[at + 1 :]]


def without(history: History, of: type[Event], where: Callable[..., bool]) -> History:
    """The history with that event left out."""
    at = only(history, of, where)
    return [*history[:at], *history[at + 1 :]]


# ---- what is right


def test_a_right_history_passes(history: History) -> None:
    assert check(history) == []
    assert any(isinstance(event, Told) for event in history)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 4), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("read"), st.integers(0, 4), st.integers(1, 3), st.just(True)),
    ),
    max_size=40,
)


def played(script: list[tuple[str, int, int, bool]]) -> Perfect:
    """Three people with 1, 2 and 2 devices do as told; in the end everybody reads everything."""
    world = Perfect([1, 2, 2])
    for action, who, number, answered in script:
        device = world.devices[who]
        if action == "say":
            world.say(device, account(number), answered)
        else:
            world.read(device, number)
    for device in world.devices:
        world.read(device)
    return world


@given(actions)
def test_every_right_history_passes(script: list[tuple[str, int, int, bool]]) -> None:
    assert check(played(script).history) == []


@given(actions, st.data())
def test_any_message_left_out_is_missed(
    script: list[tuple[str, int, int, bool]], data: st.DataObject
) -> None:
    history = played([*script, ("say", 0, 1, True)]).history
    acknowledged = {event.id for event in history if isinstance(event, Sent)}
    shown = [event for event in history if isinstance(event, Shown) and event.id in acknowledged]
    lost = data.draw(st.sampled_from(shown))
    assert Kind.MISSING in kinds([event for event in history if event is not lost])


@given(actions, st.data())
def test_any_row_left_out_is_a_hole_unless_it_was_the_last(
    script: list[tuple[str, int, int, bool]], data: st.DataObject
) -> None:
    history = played([*script, ("say", 0, 1, True), ("say", 0, 1, True)]).history
    rows = [event for event in history if isinstance(event, Row)]
    last = {row.on: row for row in rows}
    lost = data.draw(st.sampled_from([row for row in rows if last[row.on] is not row]))
    assert Kind.CHAIN in kinds([event for event in history if event is not lost])


# ---- one test for each kind of wrong


def test_an_acknowledged_message_that_one_device_does_not_show_is_missing(
    history: History,
) -> None:
    assert kinds(without(history, Shown, lambda it: it.on == LAPTOP)) == {Kind.MISSING}


def test_a_device_that_is_gone_misses_nothing(history: History) -> None:
    lost = without(history, Shown, lambda it: it.on == LAPTOP)
    assert check([*lost, Gone(LAPTOP)]) == []


def test_a_device_outside_the_sets_of_the_outcome_misses_nothing(history: History) -> None:
    assert check([*history, Listed(BOB, 2, (1, 2, 3))]) == []


def test_a_device_in_the_sets_that_no_try_addressed_is_missed(history: History) -> None:
    assert kinds([*history, Listed(BOB, 1, (1, 2, 3))]) == {Kind.MISSING}


def test_an_unanswered_message_may_be_shown_or_not(history: History) -> None:
    unanswered = without(history, Sent, lambda it: it.by == PHONE)
    assert check(unanswered) == []
    at = only(history, Sent, lambda it: it.by == PHONE)
    id = history[at].id  # type: ignore[attr-defined]
    nowhere = [it for it in unanswered if not (isinstance(it, Shown) and it.id == id)]
    assert Kind.MISSING not in kinds(nowhere)


def test_a_message_shown_twice_is_caught(history: History) -> None:
    shown = history[only(history, Shown, lambda it: it.on == BOBS)]
    assert isinstance(shown, Shown)
    assert kinds([*history, replace(shown, conv_seq=99)]) >= {Kind.TWICE, Kind.NUMBERS}
    at = only(history, Shown, lambda it: it.on == BOBS)
    assert kinds([*history[:at], shown, *history[at:]]) == {Kind.TWICE}


def test_two_numbers_for_one_id_are_caught(history: History) -> None:
    wrong = change(history, Shown, lambda it: it.on == LAPTOP and it.conv_seq == 5, conv_seq=6)
    assert Kind.NUMBERS in kinds(wrong)


def test_two_ids_for_one_number_are_caught(history: History) -> None:
    wrong = [
        replace(it, conv_seq=1) if isinstance(it, Shown | Sent) and it.conv_seq == 3 else it
        for it in history
    ]
    assert Kind.NUMBERS in kinds(wrong)


def test_a_history_out_of_order_is_caught(history: History) -> None:
    first = only(history, Shown, lambda it: it.on == LAPTOP and it.conv_seq == 1)
    second = only(history, Shown, lambda it: it.on == LAPTOP and it.conv_seq == 2)
    swapped = list(history)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert Kind.ORDER in kinds(swapped)


def test_rows_whose_numbers_fall_are_caught(history: History) -> None:
    wrong = change(history, Row, lambda it: it.on == LAPTOP and it.conv_seq == 2, conv_seq=1)
    assert Kind.ORDER in kinds(wrong)


def test_server_time_that_falls_is_caught(history: History) -> None:
    wrong = change(history, Sent, lambda it: it.conv_seq == 3, server_timestamp=0)
    assert kinds(wrong) == {Kind.ORDER}


def test_a_hole_in_the_numbers_is_caught_and_a_resync_accounts_for_it(history: History) -> None:
    at = only(history, Row, lambda it: it.on == LAPTOP and it.conv_seq == 3)
    row = history[at]
    assert isinstance(row, Row)
    id = only(history, Sent, lambda it: it.conv_seq == 3)
    holed = [
        it
        for it in without(history, Row, lambda it: it.on == LAPTOP and it.conv_seq == 3)
        if not (isinstance(it, Shown) and it.on == LAPTOP and it.conv_seq == 3)
    ]
    chained = change(holed, Row, lambda it: it.on == LAPTOP and it.conv_seq == 4, prev=row.prev)
    assert kinds(chained) == {Kind.HOLE, Kind.MISSING}
    expired = [*chained[:at], Resynced(LAPTOP, row.position), *chained[at:]]
    assert kinds([it for it in expired if it != history[id]]) == set()


def test_a_row_that_does_not_follow_is_caught(history: History) -> None:
    wrong = change(history, Row, lambda it: it.on == BOBS and it.conv_seq == 3, prev=1 << 40)
    assert kinds(wrong) == {Kind.CHAIN}


def test_a_row_taken_again_is_caught(history: History) -> None:
    row = history[only(history, Row, lambda it: it.on == BOBS)]
    assert Kind.CHAIN in kinds([*history, row])


def test_an_ack_ahead_of_what_was_committed_is_caught(history: History) -> None:
    wrong = change(history, Acked, lambda it: it.on == BOBS, position=1 << 40)
    assert kinds(wrong) == {Kind.AHEAD}


def test_a_tick_before_the_commit_is_caught(history: History) -> None:
    told = history[only(history, Told, lambda it: it.to == PHONE)]
    sent = only(history, Sent, lambda it: it.by == PHONE)
    assert kinds([*history[: sent + 1], told, *history[sent + 1 :]]) == {Kind.COVERED}


def test_a_tick_for_what_nobody_said_is_caught(history: History) -> None:
    wrong = change(history, Told, lambda it: it.to == PHONE, intervals=((1, 99),), union=((1, 99),))
    assert Kind.COVERED in kinds(wrong)


def test_ticks_that_fall_are_caught(history: History) -> None:
    last = max(i for i, it in enumerate(history) if isinstance(it, Told) and it.to == PHONE)
    told = history[last]
    assert isinstance(told, Told)
    # A late frame says less, which is no fault; to believe it is.
    late = replace(told, intervals=((1, 1),))
    assert check([*history, late]) == []
    assert kinds([*history, replace(late, union=((1, 1),))]) == {Kind.FELL}


def test_two_outcomes_of_one_id_are_caught(history: History) -> None:
    sent = history[only(history, Sent, lambda it: it.by == PHONE)]
    assert isinstance(sent, Sent)
    assert kinds([*history, replace(sent, server_timestamp=9)]) == {Kind.OUTCOME}
    assert kinds([*history, replace(sent, commitment=bytes(32))]) == {Kind.OUTCOME}
    refused = Refused(sent.by, sent.conversation, sent.id, "not_listed")
    assert kinds([*history, refused]) == {Kind.OUTCOME}
    assert kinds([*history, replace(refused, code="unavailable")]) == set()


def test_two_final_refusals_of_one_id_are_caught(history: History) -> None:
    refusals = [
        Refused(PHONE, bytes(16), b"i" * 16, code) for code in ("not_listed", "unknown_recipient")
    ]
    assert check([*history, refusals[0], refusals[0]]) == []
    assert kinds([*history, *refusals]) == {Kind.OUTCOME}


def test_an_outcome_of_what_was_never_tried_is_caught(history: History) -> None:
    untold = without(history, Tried, lambda it: it.by == PHONE)
    assert Kind.OUTCOME in kinds(untold)


def test_what_was_never_said_is_caught(history: History) -> None:
    shown = history[only(history, Shown, lambda it: it.on == BOBS)]
    assert isinstance(shown, Shown)
    stranger = replace(shown, id=b"x" * 16, conv_seq=0)
    assert kinds([*history, stranger]) == {Kind.INVENTED}
    elsewhere = replace(shown, on=Device(account(2), 1))
    assert kinds([*history, elsewhere]) == {Kind.INVENTED}


def test_altered_bytes_are_caught(history: History) -> None:
    wrong = change(history, Shown, lambda it: it.on == BOBS, digest=bytes(32))
    assert kinds(wrong) == {Kind.ALTERED}


def test_every_kind_of_violation_has_a_test() -> None:
    here = Path(__file__)
    source = here.read_text() + here.with_name("test_checker_groups.py").read_text()
    assert [kind for kind in Kind if f"Kind.{kind.name}" not in source] == []
