"""The rule itself: checks in order, modes, numbers, members; and that it is a pure function."""

from __future__ import annotations

import copy
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    DAY_MS,
    NOW_MS,
    device_set,
    fresh_id,
    mailbox_of,
    record,
    send,
)

from linnet.server.ports.timeline import Accepted, DeviceSet, Head, Member, Outcome, Refusal
from linnet.server.services.delivery.decide import Decision, Record, Retry, decide
from linnet.wire.frames import CONTROL, FULL, NARROWED
from linnet.wire.ids import direct_conversation, message_time_ms
from linnet.wire.limits import HORIZON_MS, ID_AHEAD_MS

CONVERSATION = direct_conversation(ALICE, BOB)
HEAD = Head(CONVERSATION)


def decided(
    said: Record,
    head: Head = HEAD,
    known: list[Outcome] | None = None,
    sender: DeviceSet | None = None,
    recipient: DeviceSet | None = None,
) -> Decision:
    """The decision between Alice and Bob, with one device each unless told."""
    return decide(
        head, known or [], sender or device_set(ALICE), recipient or device_set(BOB), said
    )


def accepted(decision: Decision) -> Accepted:
    assert isinstance(decision.outcome, Accepted)
    return decision.outcome


def code(decision: Decision) -> str:
    assert isinstance(decision.outcome, Refusal | Retry)
    assert decision.rows == []
    assert decision.head is HEAD
    return decision.outcome.code


# ---- what an accepted message is


def test_a_message_is_numbered_timed_and_placed_in_both_mailboxes() -> None:
    said = record(send(fresh_id(1)))
    decision = decided(said)
    outcome = accepted(decision)
    assert (outcome.conv_seq, outcome.server_timestamp, outcome.sets) == (1, NOW_MS, (1, 1))
    assert (outcome.sender, outcome.device, outcome.id) == (ALICE, 1, said.frame.id)
    assert decision.rows == [
        (mailbox_of(BOB), said.frame.parts),
        (mailbox_of(ALICE), []),
    ]
    assert decision.head.conv_seq == 1
    assert not decision.repeat


def test_own_copies_go_to_the_senders_mailbox() -> None:
    said = record(send(fresh_id(1), sets=(1, 4), own=(2, 3)))
    decision = decided(said, sender=device_set(ALICE, 4, (1, 2, 3)))
    assert decision.rows[1] == (mailbox_of(ALICE), said.frame.own_parts)


# ---- the checks, in their order


def test_a_repeated_id_gets_its_first_outcome_whatever_has_changed_since() -> None:
    said = record(send(fresh_id(1)))
    first = accepted(decided(said))
    late = record(
        send(said.frame.id, sets=(7, 7), devices=(9,)),
        appended_ms=NOW_MS + 31 * DAY_MS,
        stamped_ms=NOW_MS + 31 * DAY_MS,
    )
    again = decide(HEAD, [first], device_set(ALICE, 3), None, late)
    assert (again.outcome, again.repeat, again.rows) == (first, True, [])
    assert again.head is HEAD


def test_a_final_refusal_repeated_gives_the_same_code() -> None:
    said = record(send(fresh_id(1), devices=(9,)))
    refused = decided(said)
    assert isinstance(refused.outcome, Refusal)
    assert refused.outcome.code == "not_listed"
    again = decided(said, known=[refused.outcome])
    assert (again.outcome, again.repeat) == (refused.outcome, True)


@pytest.mark.parametrize("other", ["sender", "device", "conversation"])
def test_an_id_used_in_another_scope_is_another_message(other: str) -> None:
    said = record(send(fresh_id(1)))
    first = accepted(decided(said))
    changed = {"sender": CAROL, "device": 2, "conversation": direct_conversation(ALICE, CAROL)}
    elsewhere = copy.copy(first)
    setattr(elsewhere, other, changed[other])
    decision = decided(said, known=[elsewhere])
    assert accepted(decision).conv_seq == 1
    assert not decision.repeat


@pytest.mark.parametrize(
    ("born", "taken"),
    [
        (NOW_MS - HORIZON_MS, True),
        (NOW_MS - HORIZON_MS - 1, False),
        (NOW_MS + ID_AHEAD_MS, True),
        (NOW_MS + ID_AHEAD_MS + 1, False),
    ],
)
def test_an_id_may_be_30_days_old_and_5_minutes_ahead(born: int, taken: bool) -> None:
    decision = decided(record(send(fresh_id(1, born))))
    if taken:
        accepted(decision)
    else:
        assert code(decision) == "id_time"


@pytest.mark.parametrize("wall_ahead", [True, False])
def test_too_old_is_by_the_earlier_clock_and_too_far_ahead_by_the_later(wall_ahead: bool) -> None:
    early, late = NOW_MS, NOW_MS + 40 * DAY_MS
    steady, wall = (early, late) if wall_ahead else (late, early)
    for born in (early - HORIZON_MS, early, late + ID_AHEAD_MS):
        outcome = accepted(decided(record(send(fresh_id(1, born)), ALICE, 1, steady, wall)))
        assert outcome.server_timestamp == early
    for born in (early - HORIZON_MS - 1, late + ID_AHEAD_MS + 1):
        assert code(decided(record(send(fresh_id(1, born)), ALICE, 1, steady, wall))) == "id_time"


def test_a_refused_time_leaves_no_outcome() -> None:
    refused = decided(record(send(fresh_id(1, NOW_MS + DAY_MS))))
    assert refused.outcome == Retry("id_time")


@pytest.mark.parametrize("named", [None, (1, 2), (2, 1), (3, 1), (1, 1)])
def test_a_full_message_naming_other_sets_is_stale_and_told_the_newest(
    named: tuple[int, int] | None,
) -> None:
    decision = decided(
        record(send(fresh_id(1), sets=named)),
        sender=device_set(ALICE, 2),
        recipient=device_set(BOB, 2),
    )
    assert decision.outcome == Retry("devices_changed", (2, 2))
    assert decision.head is HEAD


def test_the_checks_stand_in_their_order() -> None:
    """Each message breaks every later rule too."""
    bad = record(send(fresh_id(1, 0), sets=None, devices=(9,)))
    refusal = Refusal(CONVERSATION, bad.frame.id, ALICE, 1, "not_listed")
    assert decide(HEAD, [refusal], device_set(ALICE), None, bad).outcome is refusal
    assert code(decide(HEAD, [], device_set(ALICE), None, bad)) == "id_time"
    bad.frame.id = fresh_id(1)
    assert code(decide(HEAD, [], device_set(ALICE), None, bad)) == "unknown_recipient"
    assert code(decided(bad)) == "devices_changed"
    bad.frame.sets = (1, 1)
    assert code(decided(bad)) == "not_listed"


# ---- modes


def test_a_narrowed_message_is_numbered_and_never_stale() -> None:
    said = record(send(fresh_id(1), sets=None, devices=(1,), mode=NARROWED))
    outcome = accepted(decided(said, recipient=device_set(BOB, 5, (1, 2))))
    assert (outcome.conv_seq, outcome.mode, outcome.sets) == (1, NARROWED, (5, 1))


def test_a_narrowed_message_to_a_main_device_that_was_replaced_may_come_again() -> None:
    for sets, said in ((4, 1), "devices_changed"), ((5, 1), "not_listed"), (None, "not_listed"):
        asked = record(send(fresh_id(1), sets=sets, devices=(1,), mode=NARROWED))
        decision = decided(asked, HEAD, recipient=device_set(BOB, 5, (2,)))
        assert code(decision) == said
        assert isinstance(decision.outcome, Retry) == (said == "devices_changed")


def test_a_control_message_has_no_number_and_joins_nobody() -> None:
    head = Head(CONVERSATION, 7, NOW_MS, {ALICE: Member(1, {1: 1})})
    said = record(send(fresh_id(1), sets=None, mode=CONTROL), appended_ms=NOW_MS + 5)
    decision = decided(said, head, recipient=device_set(BOB, 5, (1, 2)))
    assert accepted(decision).conv_seq == 0
    assert decision.head == Head(CONVERSATION, 7, NOW_MS, head.members)
    assert decision.head.members is head.members
    assert [mailbox for mailbox, _ in decision.rows] == [mailbox_of(BOB), mailbox_of(ALICE)]


def test_a_note_to_self_is_one_row_for_the_other_devices() -> None:
    mine = device_set(ALICE, 3, (1, 2))
    said = record(send(fresh_id(1), to=ALICE, sets=(3, 3), devices=(2,)))
    decision = decide(Head(said.conversation), [], mine, mine, said)
    assert decision.rows == [(mailbox_of(ALICE), said.frame.parts)]
    assert accepted(decision).conv_seq == 1


def test_a_note_to_self_with_one_device_holds_no_ciphertext() -> None:
    mine = device_set(ALICE)
    alone = record(send(fresh_id(1), to=ALICE, devices=()))
    assert accepted(decide(HEAD, [], mine, copy.copy(mine), alone)).conv_seq == 1
    to_itself = record(send(fresh_id(1), to=ALICE, devices=(1,)))
    for other in (mine, copy.copy(mine)):
        assert code(decide(HEAD, [], mine, other, to_itself)) == "not_listed"


def rightly(
    mode: int, mine: set[int], device: int, theirs: set[int], to: list[int], own: list[int]
) -> bool:
    """The modes as docs/protocol/delivery.md words them."""
    if device not in mine or len(set(to)) < len(to) or len(set(own)) < len(own):
        return False
    others = mine - {device}
    return {
        FULL: set(to) == theirs and set(own) == others,
        NARROWED: bool(to) and set(to) <= theirs and set(own) <= others,
        CONTROL: bool(to) and set(to) <= theirs and not own,
    }[mode]


_DEVICES = st.sets(st.integers(1, 3), min_size=1, max_size=3)
_ADDRESSED = st.lists(st.integers(1, 3), max_size=3)


@given(
    st.sampled_from([FULL, NARROWED, CONTROL]),
    _DEVICES,
    st.integers(1, 3),
    _DEVICES,
    _ADDRESSED,
    _ADDRESSED,
    st.booleans(),
)
def test_ciphertexts_are_for_exactly_the_devices_that_the_mode_asks_for(
    mode: int,
    mine: set[int],
    device: int,
    theirs: set[int],
    to: list[int],
    own: list[int],
    to_self: bool,
) -> None:
    sender = device_set(ALICE, 1, tuple(mine))
    recipient = copy.copy(sender) if to_self else device_set(BOB, 1, tuple(theirs))
    frame = send(
        fresh_id(1), ALICE if to_self else BOB, devices=tuple(to), own=tuple(own), mode=mode
    )
    decision = decide(HEAD, [], sender, recipient, record(frame, device=device))
    if to_self:
        expected = not own and rightly(mode, mine, device, mine - {device}, to, [])
        expected |= mode == FULL and device in mine and not own and set(to) == mine - {device}
        expected &= len(set(to)) == len(to)
    else:
        expected = rightly(mode, mine, device, theirs, to, own)
    assert isinstance(decision.outcome, Accepted) == expected
    if not expected:
        assert isinstance(decision.outcome, Refusal)
        assert decision.outcome.code == "not_listed"


# ---- members


def test_a_device_linked_later_begins_at_the_first_message_after_its_set_change() -> None:
    first = decided(record(send(fresh_id(1)))).head
    assert first.members == {ALICE: Member(1, {1: 1}), BOB: Member(1, {1: 1})}
    second = decided(record(send(fresh_id(2))), first).head
    assert second.members is first.members
    linked = device_set(BOB, 2, (1, 2))
    said = record(send(fresh_id(3), sets=(2, 1), devices=(1, 2)))
    third = decided(said, second, recipient=linked).head
    assert third.members[BOB] == Member(2, {1: 1, 2: 3})
    assert third.members[ALICE] is first.members[ALICE]
    assert first.members[BOB] == Member(1, {1: 1})


def test_a_device_that_left_keeps_its_beginning() -> None:
    head = Head(CONVERSATION, 4, 0, {BOB: Member(2, {1: 1, 2: 3}), ALICE: Member(1, {1: 1})})
    said = record(send(fresh_id(1), sets=(3, 1), devices=(1, 3)))
    after = decided(said, head, recipient=device_set(BOB, 3, (1, 3))).head
    assert after.members[BOB] == Member(3, {1: 1, 2: 3, 3: 5})


# ---- purity and order

_RECORDS = st.builds(
    record,
    st.builds(
        send,
        st.builds(
            fresh_id,
            st.integers(0, 5),
            st.sampled_from([NOW_MS, NOW_MS - DAY_MS, NOW_MS + DAY_MS, 0]),
        ),
        st.sampled_from([ALICE, BOB]),
        st.sampled_from([None, (1, 1), (2, 2), (1, 2)]),
        st.sampled_from([(1,), (1, 2), (), (2,)]),
        st.sampled_from([(), (2,)]),
        st.sampled_from([FULL, NARROWED, CONTROL]),
    ),
    st.just(ALICE),
    st.integers(1, 2),
    st.integers(NOW_MS - DAY_MS, NOW_MS + DAY_MS),
    st.integers(NOW_MS - DAY_MS, NOW_MS + DAY_MS),
)
_SETS: Callable[[bytes], st.SearchStrategy[DeviceSet]] = lambda account: st.sampled_from(  # noqa: E731
    [device_set(account), device_set(account, 2, (1, 2))]
)


def bytes_of(*things: object) -> bytes:
    return msgspec.msgpack.encode(things)


@given(st.lists(st.tuples(_RECORDS, _SETS(ALICE), st.none() | _SETS(BOB)), max_size=12))
def test_deciding_is_pure_numbers_without_holes_and_answers_one_id_once(
    script: list[tuple[Record, DeviceSet, DeviceSet | None]],
) -> None:
    head = HEAD
    outcomes: dict[bytes, list[Outcome]] = {}
    numbers: list[int] = []
    for said, sender, other in script:
        recipient = sender if said.recipient == ALICE else other
        known = outcomes.get(said.frame.id, [])
        before = bytes_of(head, known, sender, recipient, said)
        decision = decide(head, known, sender, recipient, said)
        assert bytes_of(head, known, sender, recipient, said) == before
        again = decide(*copy.deepcopy((head, known, sender, recipient, said)))
        assert bytes_of(again) == bytes_of(decision)
        outcome = decision.outcome
        if isinstance(outcome, Accepted) and not decision.repeat:
            numbers += [outcome.conv_seq] if outcome.conv_seq else []
            assert outcome.conv_seq == (0 if said.frame.mode == CONTROL else head.conv_seq + 1)
            assert decision.head.clock == outcome.server_timestamp >= head.clock
            assert message_time_ms(outcome.id) >= outcome.server_timestamp - HORIZON_MS - DAY_MS
        else:
            assert decision.head is head
            assert decision.rows == []
        if not decision.repeat and not isinstance(outcome, Retry):
            outcomes[said.frame.id] = [*known, outcome]
        head = decision.head
    assert numbers == list(range(1, len(numbers) + 1))
