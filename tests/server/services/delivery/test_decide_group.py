"""The decision over records to a group."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    DAY_MS,
    GROUP,
    NOW_MS,
    fresh_id,
    parts,
    record,
    roster_of,
    to_all,
)

from linnet.server.ports.timeline import Accepted, Head, Outcome, Refusal, Roster, Seat
from linnet.server.services.delivery.decide import Decision, Record, Retry
from linnet.server.services.delivery.decide_group import decide_group
from linnet.wire.frames import CONTROL, NARROWED, Send

HEAD = Head(GROUP, 6, NOW_MS - 9, {}, 3)
ROSTER = roster_of(3, ALICE=(1, 2), BOB=(1,))


def judge(
    asked: Record,
    known: tuple[Outcome, ...] = (),
    head: Head = HEAD,
    roster: Roster | None = ROSTER,
) -> Decision:
    seats: dict[bytes, Seat] = {it.account: it for it in roster.seats} if roster else {}
    return decide_group(head, known, roster, seats.get(asked.sender), asked)


def test_what_names_the_current_roster_is_accepted_and_numbered() -> None:
    decision = judge(record(to_all(fresh_id(1), 3)))
    accepted = decision.outcome
    assert isinstance(accepted, Accepted)
    assert (accepted.conversation, accepted.conv_seq, accepted.roster) == (GROUP, 7, 3)
    assert accepted.sets is None
    assert decision.head == Head(GROUP, 7, NOW_MS, {}, 3)
    assert not decision.repeat


@pytest.mark.parametrize("roster", [0, 1, 2, 4, 99])
def test_any_other_roster_is_stale_and_the_current_one_is_named(roster: int) -> None:
    decision = judge(record(to_all(fresh_id(1), roster)))
    assert decision.outcome == Retry("group_changed", roster=3)
    assert decision.head is HEAD


@pytest.mark.parametrize(("sender", "device"), [(CAROL, 1), (BOB, 2), (ALICE, 3)])
def test_who_is_not_on_the_roster_is_no_member_whatever_it_names(
    sender: bytes, device: int
) -> None:
    for roster in (3, 2):
        decision = judge(record(to_all(fresh_id(1), roster), sender, device))
        assert decision.outcome == Retry("not_member")


def test_a_group_nobody_has_heard_of_is_no_group_of_anybodys() -> None:
    asked = record(to_all(fresh_id(1), 1))
    assert judge(asked, head=Head(GROUP), roster=None).outcome == Retry("not_member")


@pytest.mark.parametrize(
    "change",
    [
        {"mode": NARROWED},
        {"mode": CONTROL},
        {"parts": parts(1)},
        {"own_parts": parts(2)},
        {"sets": (1, 1)},
        {"body": b""},
    ],
)
def test_what_is_not_one_body_for_all_is_malformed_for_good(change: dict[str, object]) -> None:
    frame: Send = msgspec.structs.replace(to_all(fresh_id(1), 3), **change)
    decision = judge(record(frame))
    assert decision.outcome == Refusal(GROUP, frame.id, ALICE, 1, "malformed")
    assert decision.head is HEAD


def test_a_repeat_is_answered_as_the_first_even_by_who_has_left() -> None:
    first = judge(record(to_all(fresh_id(1), 3), BOB)).outcome
    assert isinstance(first, Accepted)
    later = roster_of(4, ALICE=(1,))
    again = judge(record(to_all(fresh_id(1), 4), BOB), (first,), roster=later)
    assert again.repeat
    assert again.outcome is first


def test_the_same_id_from_another_device_is_another_message() -> None:
    first = judge(record(to_all(fresh_id(1), 3))).outcome
    assert isinstance(first, Accepted)
    other = judge(record(to_all(fresh_id(1), 3), ALICE, 2), (first,))
    assert isinstance(other.outcome, Accepted)
    assert not other.repeat


def test_the_time_of_an_id_is_judged_before_the_roster() -> None:
    for at_ms in (NOW_MS - 31 * DAY_MS, NOW_MS + 6 * 60 * 1000):
        decision = judge(record(to_all(fresh_id(1, at_ms), 99)))
        assert decision.outcome == Retry("id_time")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("roster"), st.sets(st.sampled_from("AB"), min_size=1)),
            st.tuples(st.just("send"), st.tuples(st.sampled_from("AB"), st.integers(0, 2))),
        ),
        max_size=30,
    ),
    st.lists(st.integers(-DAY_MS, DAY_MS), min_size=30, max_size=30),
)
def test_numbers_have_no_holes_clocks_never_fall_and_nobody_removed_is_heard(
    steps: list[tuple[str, object]], clocks: list[int]
) -> None:
    head, roster = Head(GROUP), roster_of(1, ALICE=(1,), BOB=(1,))
    names = {"A": ("ALICE", ALICE), "B": ("BOB", BOB)}
    accepted: list[Accepted] = []
    for n, (kind, what) in enumerate(steps):
        if kind == "roster":
            assert isinstance(what, set)
            here = {names[it][0]: (1,) for it in sorted(what)}
            roster = roster_of(roster.number + 1, **here)
            continue
        assert isinstance(what, tuple)
        name, behind = what
        sender = names[name][1]
        frame = to_all(fresh_id(n, NOW_MS), roster.number - behind)
        asked = record(frame, sender, 1, NOW_MS + clocks[n] // 1000, NOW_MS)
        before = msgspec.json.encode(asked.frame)
        decision = judge(asked, head=head, roster=roster)
        assert judge(asked, head=head, roster=roster) == decision
        assert msgspec.json.encode(asked.frame) == before
        member = sender in {seat.account for seat in roster.seats}
        assert isinstance(decision.outcome, Accepted) == (member and not behind)
        if isinstance(decision.outcome, Accepted):
            accepted.append(decision.outcome)
        head = decision.head
    assert [it.conv_seq for it in accepted] == list(range(1, len(accepted) + 1))
    times = [it.server_timestamp for it in accepted]
    assert times == sorted(times)
