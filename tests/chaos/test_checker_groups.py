"""The checker passes groups and sealed messages that are right, and catches every kind of wrong.
A change, a place or a device that is not as the log, the roster or the sender said is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos.checker import check
from tests.chaos.history import (
    Accounted,
    Changed,
    Device,
    Event,
    Gathered,
    Gone,
    History,
    Listed,
    Refused,
    Row,
    SealedSent,
    SealedShown,
    SealedTried,
    Sent,
    Settled,
    Shown,
    Told,
    Tried,
)
from tests.chaos.perfect import Perfect, account
from tests.chaos.violations import Kind

replace = msgspec.structs.replace
GROUP = b"a group of three"
ALICE, BOB, CAROL = account(0), account(1), account(2)
PHONE, BOBS, LAPTOP, CAROLS = Device(ALICE, 1), Device(BOB, 1), Device(BOB, 2), Device(CAROL, 1)


@pytest.fixture
def history() -> History:
    """Alice, Bob with a laptop, and Carol: Carol is out for messages 3 and 4, and comes back. Alice
    also writes to Bob's and her own mailbox without saying who she is."""
    world = Perfect([1, 2, 1])
    world.gather(GROUP, [ALICE, BOB, CAROL])
    _talk(world)
    world.gather(GROUP, [ALICE, BOB])
    _talk(world)
    world.gather(GROUP, [ALICE, BOB, CAROL])
    _talk(world)
    for to in (BOB, ALICE, BOB):
        world.seal(PHONE, to)
    _read(world)
    world.account_for(CAROLS, GROUP)
    return world.history


def _talk(world: Perfect) -> None:
    for by in (PHONE, BOBS):
        world.say_to(by, GROUP)
        _read(world)


def _read(world: Perfect) -> None:
    for device in world.devices:
        world.read(device)


def kinds(history: History) -> set[Kind]:
    return {violation.kind for violation in check(history)}


def change(
    history: History, of: type[Event], where: Callable[..., bool], **changes: object
) -> History:
    """The history with every such event changed."""
    assert any(type(event) is of and where(event) for event in history)
    return [
        replace(event, **changes) if type(event) is of and where(event) else event
        for event in history
    ]


def without(history: History, of: type[Event], where: Callable[..., bool]) -> History:
    """The history without such events."""
    left = [event for event in history if not (type(event) is of and where(event))]
    assert len(left) < len(history)
    return left


def first(history: History, of: type[Event], where: Callable[..., bool]) -> int:
    """Where the first such event is."""
    return next(i for i, event in enumerate(history) if type(event) is of and where(event))


def at(number: int, on: Device) -> Callable[[Shown | Row], bool]:
    """Of a message's number on a device."""
    return lambda it: (it.conversation, it.conv_seq, it.on) == (GROUP, number, on)


# ---- what is right


def test_a_right_history_passes(history: History) -> None:
    assert check(history) == []
    assert any(isinstance(event, Told) and event.account == CAROL for event in history)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 4)),
        st.tuples(st.just("seal"), st.integers(0, 4)),
        st.tuples(st.just("read"), st.integers(0, 4)),
        st.tuples(st.just("gather"), st.integers(1, 7)),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(actions)
def test_every_right_history_passes(script: list[tuple[str, int]]) -> None:
    world = Perfect([1, 2, 2])
    people = [account(number) for number in range(3)]
    world.gather(GROUP, people)
    inside = list(people)
    for action, number in script:
        device = world.devices[number % 5]
        if action == "say" and device.account in inside:
            world.say_to(device, GROUP, answered=number != 3)
        elif action == "seal":
            world.seal(device, people[number % 3], answered=number != 3)
        elif action == "read":
            world.read(device)
        elif action == "gather":
            inside = [it for place, it in enumerate(people) if number >> place & 1]
            world.gather(GROUP, inside)
    _read(world)
    for device in world.devices:
        world.account_for(device, GROUP)
    assert check(world.history) == []


# ---- whom a group's messages reach


def test_a_member_that_does_not_show_a_message_is_missed(history: History) -> None:
    # Its tick says that it did.
    assert kinds(without(history, Shown, at(2, CAROLS))) == {Kind.MISSING, Kind.COVERED}


def test_a_senders_other_device_that_does_not_show_it_is_missed(history: History) -> None:
    assert kinds(without(history, Shown, at(2, LAPTOP))) == {Kind.MISSING}


def test_a_member_of_the_roster_that_no_try_addressed_is_missed(history: History) -> None:
    seats = {ALICE: (1, (1,)), BOB: (1, (1, 2)), CAROL: (1, (1,))}
    wrong = change(history, Gathered, lambda it: it.number == 2, seats=seats)
    assert Kind.MISSING in kinds(wrong)


def test_a_message_placed_after_a_removal_has_leaked(history: History) -> None:
    shown = history[first(history, Shown, at(3, LAPTOP))]
    where = first(history, Row, at(5, CAROLS))
    leaked = [*history[:where], replace(shown, on=CAROLS), *history[where:]]
    assert kinds(leaked) >= {Kind.LEAKED, Kind.INVENTED}


def test_an_empty_row_placed_after_a_removal_has_leaked(history: History) -> None:
    row = history[first(history, Row, at(5, CAROLS))]
    assert isinstance(row, Row)
    where = first(history, Row, at(5, CAROLS))
    empty = replace(row, position=row.position - 1, conv_seq=4)
    leaked = [*history[:where], empty, replace(row, prev=row.position - 1), *history[where + 1 :]]
    assert kinds(leaked) == {Kind.LEAKED}


def test_what_an_unanswered_sender_said_leaks_as_well(history: History) -> None:
    unanswered = without(history, Sent, lambda it: it.conv_seq == 3)
    assert check(unanswered) == []
    row = history[first(unanswered, Row, at(3, LAPTOP))]
    assert Kind.LEAKED in kinds([*unanswered, Row(CAROLS, 1 << 40, 0, GROUP, 3)]), row


def test_a_device_that_the_roster_does_not_name_is_leaked_to(history: History) -> None:
    seats = {ALICE: (1, (1,)), BOB: (1, (1,)), CAROL: (1, (1,))}
    wrong = change(history, Gathered, lambda it: it.number == 1, seats=seats)
    assert kinds(wrong) == {Kind.LEAKED, Kind.ROSTER}


# ---- rosters and their places


def test_a_roster_with_two_contents_is_caught(history: History) -> None:
    told = history[first(history, Gathered, lambda it: it.number == 2)]
    assert isinstance(told, Gathered)
    assert check([*history, told]) == []
    other: Mapping[bytes, tuple[int, tuple[int, ...]]] = {ALICE: (1, (1,))}
    assert Kind.ROSTER in kinds([*history, replace(told, seats=other)])


def test_a_roster_with_other_members_than_the_log_is_caught(history: History) -> None:
    wrong = change(history, Changed, lambda it: it.version == 2, members=frozenset([ALICE]))
    assert kinds(wrong) == {Kind.ROSTER}


def test_a_roster_with_other_devices_than_the_set_is_caught(history: History) -> None:
    assert kinds(change(history, Listed, lambda it: it.account == BOB, devices=(1,))) == {
        Kind.ROSTER
    }


def test_a_roster_of_an_older_log_is_caught(history: History) -> None:
    wrong = change(history, Gathered, lambda it: it.number == 3, version=1)
    assert kinds(wrong) == {Kind.ROSTER}


def test_rosters_that_fall_along_the_numbers_are_caught(history: History) -> None:
    wrong = change(history, Sent, lambda it: it.conv_seq == 4, roster=1)
    assert Kind.ROSTER in kinds(wrong)


def test_what_is_accepted_under_a_replaced_roster_is_stale(history: History) -> None:
    early = first(history, Settled, lambda it: it.roster == 2)
    sent = first(history, Tried, lambda it: it.roster == 1)
    settled = history[early]
    assert kinds([*history[:sent], settled, *history[sent:]]) == {Kind.STALE}


def test_what_is_accepted_for_a_replaced_set_is_stale() -> None:
    world = Perfect([1, 1])
    world.say(PHONE, BOB)
    _read(world)
    assert check(world.history) == []
    where = first(world.history, Tried, lambda _: True)
    listed = Listed(BOB, 2, (1, 2))
    assert kinds([*world.history[:where], listed, *world.history[where:]]) == {Kind.STALE}
    where = first(world.history, Sent, lambda _: True)
    assert check([*world.history[:where], listed, *world.history[where:]]) == []


# ---- holes


def test_a_hole_that_nobody_asked_about_is_a_hole(history: History) -> None:
    assert kinds(without(history, Accounted, lambda _: True)) == {Kind.HOLE}


def test_a_device_that_is_gone_need_not_ask(history: History) -> None:
    assert check([*without(history, Accounted, lambda _: True), Gone(CAROLS)]) == []


def test_what_was_for_a_device_and_is_said_not_to_be_is_caught(history: History) -> None:
    wrong = change(history, Accounted, lambda _: True, not_entitled=((2, 4),))
    assert kinds(wrong) == {Kind.HOLE}


# ---- ticks, order, refusals


def test_a_tick_of_a_member_before_it_committed_is_caught(history: History) -> None:
    told = history[
        first(history, Told, lambda it: (it.to, it.account, it.union[-1][1]) == (PHONE, CAROL, 5))
    ]
    where = first(history, Row, at(5, CAROLS))
    assert kinds([*history[:where], told, *history[where:]]) == {Kind.COVERED}


def test_a_tick_for_what_came_while_a_member_was_out_is_caught(history: History) -> None:
    last = max(i for i, it in enumerate(history) if isinstance(it, Told) and it.account == CAROL)
    told = replace(history[last], intervals=((1, 6),), union=((1, 6),))
    assert kinds([*history, told]) == {Kind.COVERED}


def test_members_that_show_another_order_are_caught(history: History) -> None:
    one, two = (first(history, Shown, at(number, LAPTOP)) for number in (1, 2))
    swapped = list(history)
    swapped[one], swapped[two] = swapped[two], swapped[one]
    assert Kind.ORDER in kinds(swapped)


def test_no_member_is_refused_for_good(history: History) -> None:
    sent = history[first(history, Sent, lambda _: True)]
    assert isinstance(sent, Sent)
    refused = Refused(sent.by, GROUP, sent.id, "not_member")
    assert check([*history, refused]) == []
    assert kinds([*history, replace(refused, code="malformed")]) == {Kind.OUTCOME}


# ---- sealed


def test_a_sealed_message_that_a_device_does_not_show_is_missed(history: History) -> None:
    assert kinds(without(history, SealedShown, lambda it: it.on == LAPTOP)) == {Kind.MISSING}
    lost = without(history, SealedShown, lambda it: it.on == LAPTOP)
    unanswered = without(lost, SealedSent, lambda _: True)
    assert check(unanswered) == []
    assert check([*lost, Gone(LAPTOP)]) == []


def test_a_sealed_message_shown_twice_is_caught(history: History) -> None:
    shown = history[first(history, SealedShown, lambda it: it.on == BOBS)]
    where = first(history, SealedShown, lambda it: it.on == BOBS)
    assert kinds([*history[:where], shown, *history[where:]]) == {Kind.TWICE}


def test_two_answers_for_one_sealed_id_are_caught(history: History) -> None:
    sent = history[first(history, SealedSent, lambda it: it.to == BOB)]
    assert isinstance(sent, SealedSent)
    assert check([*history, sent]) == []
    assert kinds([*history, replace(sent, server_timestamp=1)]) == {Kind.OUTCOME}
    wrong = change(history, SealedSent, lambda it: it == sent, server_timestamp=1)
    assert kinds(wrong) == {Kind.OUTCOME}


def test_a_sealed_message_that_nobody_said_is_caught(history: History) -> None:
    shown = history[first(history, SealedShown, lambda it: it.on == BOBS)]
    assert Kind.INVENTED in kinds([*history, replace(shown, id=bytes(16))])
    assert Kind.INVENTED in kinds([*history, replace(shown, on=CAROLS)])
    untold = without(history, SealedTried, lambda it: it.to == BOB)
    assert kinds(untold) == {Kind.INVENTED, Kind.OUTCOME}


def test_altered_sealed_bytes_are_caught(history: History) -> None:
    wrong = change(history, SealedShown, lambda it: it.on == BOBS, digest=bytes(32))
    assert kinds(wrong) == {Kind.ALTERED}


def test_a_mailbox_whose_sealed_times_fall_is_caught(history: History) -> None:
    times = [it for it in history if isinstance(it, SealedShown) and it.on == BOBS]
    where = [history.index(it) for it in times]
    swapped = list(history)
    swapped[where[0]], swapped[where[1]] = times[1], times[0]
    assert kinds(swapped) == {Kind.ORDER}
