"""Sealed messages: decided without a sender, in one mailbox, once by id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    DAY_MS,
    NOW_MS,
    device_set,
    fresh_id,
    mailbox_of,
    send,
)
from tests.server.services.delivery.world import Answer, Try, World, running

from linnet.server.ports.timeline import Accepted, DeviceSet, Head, Outcome, Refusal
from linnet.server.services.delivery.decide import Decision, Record, Retry
from linnet.server.services.delivery.decide_sealed import (
    NO_COMMITMENT,
    NOBODY,
    decide_sealed,
    sealed_record,
)
from linnet.server.services.delivery.view import view
from linnet.wire.frames import CONTROL, FULL, NARROWED, SEALED, Deliver, Row
from linnet.wire.rest import SealedPart, SealedSend

BOBS = device_set(BOB, 3, (1, 2, 5))
BOX = mailbox_of(BOB)
HEAD = Head(BOX, 0, NOW_MS - 9)


def sealed(id: bytes, *devices: int, to: bytes = BOB, mode: int = FULL, named: int = 3) -> Record:
    """A sealed message as the server meets it, at NOW_MS."""
    parts = [SealedPart(device=device, ciphertext=b"for %d" % device) for device in devices]
    message = SealedSend(id=id, mode=mode, set=named, parts=parts)
    made = sealed_record(to, mailbox_of(to), message)
    return replace(made, appended_ms=NOW_MS, stamped_ms=NOW_MS)


def judge(
    asked: Record, known: tuple[Outcome, ...] = (), recipient: DeviceSet | None = BOBS
) -> Decision:
    return decide_sealed(HEAD, known, recipient, asked)


# ---- the decision


def test_one_row_for_the_recipient_and_nobody_named() -> None:
    decision = judge(sealed(fresh_id(1), 1, 2, 5))
    accepted = decision.outcome
    assert isinstance(accepted, Accepted)
    assert (accepted.sender, accepted.device, accepted.commitment) == (NOBODY, 0, NO_COMMITMENT)
    assert (accepted.conv_seq, accepted.sets, accepted.roster) == (0, None, 0)
    assert accepted.server_timestamp == NOW_MS
    ((mailbox, parts),) = decision.rows
    assert mailbox == BOX
    assert [(part.device, part.ciphertext) for part in parts] == [
        (1, b"for 1"),
        (2, b"for 2"),
        (5, b"for 5"),
    ]
    assert decision.head == Head(BOX, 0, NOW_MS)


@pytest.mark.parametrize("named", [0, 2, 4])
def test_a_full_message_to_another_set_is_stale(named: int) -> None:
    decision = judge(sealed(fresh_id(1), 1, 2, 5, named=named))
    assert decision.outcome == Retry("devices_changed")
    assert judge(sealed(fresh_id(1), 1, mode=NARROWED, named=named)).rows
    assert judge(sealed(fresh_id(1), 1, mode=CONTROL, named=named)).rows


def test_a_narrowed_message_to_a_main_device_that_was_replaced_may_come_again() -> None:
    replaced = sealed(fresh_id(1), 6, mode=NARROWED, named=2)
    assert judge(replaced).outcome == Retry("devices_changed")
    control = judge(sealed(fresh_id(1), 6, mode=CONTROL, named=2)).outcome
    assert isinstance(control, Refusal)


@pytest.mark.parametrize(
    ("devices", "mode", "fits"),
    [
        ((1, 2, 5), FULL, True),
        ((2, 5), FULL, True),  # a copy to oneself leaves out the sending device
        ((1,), FULL, False),
        ((1, 2, 5, 6), FULL, False),
        ((1, 2, 6), FULL, False),
        ((1, 1, 2, 5), FULL, False),
        ((5,), NARROWED, True),
        ((6,), NARROWED, False),
        ((1, 1), NARROWED, False),
        ((2, 5), CONTROL, True),
        ((6,), CONTROL, False),
    ],
)
def test_ciphertexts_are_for_the_devices_that_the_mode_asks_for(
    devices: tuple[int, ...], mode: int, fits: bool
) -> None:
    outcome = judge(sealed(fresh_id(1), *devices, mode=mode)).outcome
    assert isinstance(outcome, Accepted if fits else Refusal)
    if isinstance(outcome, Refusal):
        assert outcome.code == "not_listed"


def test_of_an_only_device_nothing_may_be_left_out() -> None:
    alone = device_set(BOB, 3, (1,))
    assert isinstance(judge(sealed(fresh_id(1), 1), recipient=alone).outcome, Accepted)


@pytest.mark.parametrize("at_ms", [NOW_MS - 31 * DAY_MS, NOW_MS + 6 * 60_000])
def test_the_time_in_an_id_is_judged(at_ms: int) -> None:
    assert judge(sealed(fresh_id(1, at_ms), 1, 2, 5)).outcome == Retry("id_time")


def test_a_repeat_is_the_first_outcome_whatever_it_holds_now() -> None:
    first = judge(sealed(fresh_id(1), 1, 2, 5)).outcome
    assert isinstance(first, Accepted)
    again = judge(sealed(fresh_id(1), 7, named=9), (first,))
    assert (again.outcome, again.repeat, again.rows) == (first, True, [])


def test_an_id_of_another_mailbox_or_of_somebody_known_is_another_message() -> None:
    first = judge(sealed(fresh_id(1), 1, 2, 5)).outcome
    assert isinstance(first, Accepted)
    elsewhere = replace(first, conversation=mailbox_of(CAROL))
    open_one = replace(first, sender=ALICE, device=1)
    assert not judge(sealed(fresh_id(1), 1, 2, 5), (elsewhere, open_one)).repeat


def test_the_clock_never_falls_within_a_mailbox() -> None:
    ahead = Head(BOX, 0, NOW_MS + 50)
    decision = decide_sealed(ahead, (), BOBS, sealed(fresh_id(1), 1, 2, 5))
    assert isinstance(decision.outcome, Accepted)
    assert decision.outcome.server_timestamp == decision.head.clock == NOW_MS + 50


def test_an_account_on_its_way_is_unavailable() -> None:
    assert judge(sealed(fresh_id(1), 1), recipient=None).outcome == Retry("unavailable")


@given(
    devices=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    mode=st.integers(0, 2),
    named=st.integers(0, 5),
)
def test_whatever_is_accepted_is_for_listed_devices_once(
    devices: list[int], mode: int, named: int
) -> None:
    decision = judge(sealed(fresh_id(1), *devices, mode=mode, named=named))
    if isinstance(decision.outcome, Accepted):
        assert len(set(devices)) == len(devices)
        assert set(devices) <= {1, 2, 5}
        assert mode != FULL or (named == 3 and len(devices) >= 2)
    else:
        assert decision.rows == []
        assert decision.head is HEAD


# ---- the driver


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path if request.param == "sqlite" else None) as made:
        await made.set_devices(BOB, 3, 1, 2, 5)
        yield made


async def test_it_is_answered_when_durable_and_again_by_id(world: World) -> None:
    first = await _say(world, sealed(fresh_id(1), 1, 2, 5))
    assert first.accepted is not None
    assert [row.accepted for row in await world.rows(BOB)] == [first.accepted]
    assert await _say(world, sealed(fresh_id(1), 1, 2, 5)) == first
    await world.restart()
    assert await _say(world, sealed(fresh_id(1), 2, named=9)) == first
    assert len(await world.rows(BOB)) == 1
    assert await world.rows(ALICE) == []


async def test_the_same_id_twice_in_a_batch_is_one_row(world: World) -> None:
    answers = [_say(world, sealed(fresh_id(1), 1, 2, 5)) for _ in range(3)]
    first, *others = await asyncio.gather(*answers)
    assert first.accepted is not None
    assert others == [first, first]
    assert len(await world.rows(BOB)) == 1


async def test_one_id_in_two_mailboxes_is_two_messages(world: World) -> None:
    for to, devices, named in ((BOB, (1, 2, 5), 3), (CAROL, (1,), 1)):
        answer = await _say(world, sealed(fresh_id(1), *devices, to=to, named=named))
        assert answer.accepted is not None
        assert len(await world.rows(to)) == 1


async def test_nothing_is_said_of_what_could_not_be_stored(world: World) -> None:
    world.timeline.refuses_commits = True
    assert await _say(world, sealed(fresh_id(1), 1, 2, 5)) == Answer("rejected", "unavailable")
    world.timeline.refuses_commits = False
    assert (await _say(world, sealed(fresh_id(1), 1, 2, 5))).accepted is not None


async def test_a_refusal_stays_and_a_stale_try_does_not(world: World) -> None:
    stale = await _say(world, sealed(fresh_id(1), 1, 2, 5, named=2))
    assert (stale.code, stale.sets) == ("devices_changed", None)
    assert (await _say(world, sealed(fresh_id(1), 1, 2, 5))).accepted is not None
    assert (await _say(world, sealed(fresh_id(2), 7))).code == "not_listed"
    await world.restart()
    assert (await _say(world, sealed(fresh_id(2), 1, 2, 5))).code == "not_listed"


async def test_they_stand_among_the_others_in_order(world: World) -> None:
    await world.sent(send(fresh_id(1), sets=(3, 1), devices=(1, 2, 5)))
    await _say(world, sealed(fresh_id(2), 1, 2, 5))
    await world.sent(send(fresh_id(3), sets=(3, 1), devices=(1, 2, 5)))
    rows = await world.rows(BOB)
    assert [row.prev for row in rows] == [0, rows[0].position, rows[1].position]
    assert [row.accepted.conv_seq for row in rows] == [1, 0, 2]
    assert [entry.position for entry in world.notices if entry.mailbox == BOX] == [
        row.position for row in rows
    ]


async def test_a_device_is_shown_its_part_and_neither_sender_nor_conversation(
    world: World,
) -> None:
    await _say(world, sealed(fresh_id(1), 1, 5, mode=NARROWED))
    (row,) = await world.rows(BOB)
    shown = view(row, BOB, 5)
    assert shown == Deliver(
        row.position,
        0,
        bytes(16),
        0,
        fresh_id(1),
        bytes(16),
        0,
        NARROWED,
        SEALED,
        b"for 5",
        bytes(32),
        NOW_MS,
        NOW_MS,
    )
    assert view(row, BOB, 2) == Row(row.position, 0, bytes(16), 0)


async def test_an_ack_of_it_ticks_for_nobody(world: World) -> None:
    await _say(world, sealed(fresh_id(1), 1, 2, 5))
    world.delivered.clear()
    ack = await world.read(BOB)
    assert ack.runs == {}
    await world.ack(ack)
    assert world.delivered == []
    assert await world.delivery.watermarks([BOX], BOB) == []


def _say(world: World, asked: Record) -> asyncio.Future[Answer]:
    tried = Try()
    world.delivery.submit(asked, tried)
    return tried.answer
