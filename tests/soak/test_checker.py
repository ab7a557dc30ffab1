"""The checker of the soak finds what it is for: each fault is planted, and named."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.soak.checker import check
from tests.soak.handset import Handset
from tests.soak.journal import Journal
from tests.soak.kept import Kept
from tests.soak.line import Line, Weather

from linnet.client.events import Message, State, Undecryptable
from linnet.client.health import Health
from linnet.wire.ids import AccountId, ConversationId, DeviceId, MessageId, direct_conversation

ADA, BEN = AccountId(b"a" * 16), AccountId(b"b" * 16)
TALK = direct_conversation(ADA, BEN)
HEALTHY = Health(
    undecryptable=0,
    unverified=0,
    damaged=0,
    reader_failed=0,
    resends_asked=0,
    resends_answered=0,
    resends_refused=0,
    healed=0,
    parked=0,
    dropped={},
)


async def nothing(handset: Handset, client: object) -> None:
    """Acts not."""


def said(number: int, by: str, state: State) -> Message:
    at = datetime.fromtimestamp(100 + number, UTC)
    return Message(
        conversation=ConversationId(TALK),
        sender=ADA if by.startswith("ada") else BEN,
        device=DeviceId(int(by[-1])),
        id=MessageId(bytes([number]) * 16),
        conv_seq=number,
        sent_at=at,
        received_at=at,
        state=state,
        kind="text",
        text=f"{by} {number} x",
    )


def device(name: str, account: AccountId, *, linked_s: int = 0, last: int = 3) -> Kept:
    """What a device has of three messages that ada-1 wrote, if it was linked in time."""
    own = name == "ada-1"
    rows = [
        said(n, "ada-1", State.DELIVERED if account == ADA else State.RECEIVED)
        for n in range(1, last + 1)
        if 100 + n > linked_s
    ]
    handset = Handset(
        name=name,
        directory=Path(name),
        line=Line(0),
        rng=random.Random(0),
        journal=Journal(0),
        fates={},
        act=nothing,
        linking_ms=linked_s * 1000,
        born_ms=linked_s * 1000,
        device=int(name[-1]),
        account=account,
    )
    handset.heard = {row.id for row in rows}
    handset.said = {row.id: row.text or "" for row in rows} if own else {}
    return Kept(
        handset=handset,
        rows={TALK: list(rows)},
        addressees={},
        groups={},
        marks={},
        listed=frozenset({1, 2} if account == ADA else {1}),
        settings={},
        health=HEALTHY,
        busy=False,
        parked={},
    )


@pytest.fixture
def kept() -> list[Kept]:
    return [device("ada-1", ADA), device("ada-2", ADA, linked_s=102), device("ben-1", BEN)]


def test_one_story_is_in_order(kept: list[Kept]) -> None:
    assert len(kept[1].rows[TALK]) == 1
    assert check(kept) == []


def test_a_message_that_a_device_lacks_is_found(kept: list[Kept]) -> None:
    del kept[2].rows[TALK][1]
    assert any("ben-1: misses" in it for it in check(kept))


def test_a_message_that_was_taken_over_and_is_gone_is_found(kept: list[Kept]) -> None:
    kept[0].handset.said[MessageId(b"z" * 16)] = "ada-1 9"
    assert any("lost" in it for it in check(kept))


def test_another_message_at_one_place_is_found(kept: list[Kept]) -> None:
    kept[2].rows[TALK][0] = replace(kept[2].rows[TALK][0], id=MessageId(b"y" * 16))
    assert any("another message" in it for it in check(kept))


def test_a_message_at_two_places_is_found(kept: list[Kept]) -> None:
    kept[2].rows[TALK].append(replace(kept[2].rows[TALK][0], conv_seq=9))
    assert any("twice" in it for it in check(kept))


def test_another_order_than_it_was_written_in_is_found(kept: list[Kept]) -> None:
    for one in kept:
        one.rows[TALK] = [
            replace(row, conv_seq=9 - row.conv_seq) for row in one.rows[TALK] if row.conv_seq
        ]
    assert any("out of order" in it for it in check(kept))


def test_what_was_placed_before_linking_or_after_removal_is_found(kept: list[Kept]) -> None:
    kept[1].rows[TALK] = list(kept[0].rows[TALK])
    assert any("before it was linked" in it for it in check(kept))
    kept[2].handset.revoking_ms = kept[2].handset.revoked_ms = 101_500
    assert any("after it was removed" in it for it in check(kept))


def test_what_could_not_be_read_or_is_not_answered_is_found(kept: list[Kept]) -> None:
    row = kept[2].rows[TALK][2]
    unread = Undecryptable(
        conversation=row.conversation,
        sender=row.sender,
        device=row.device,
        id=row.id,
        conv_seq=row.conv_seq,
        sent_at=row.sent_at,
        received_at=row.received_at,
        state=State.UNDECRYPTABLE,
    )
    kept[2].rows[TALK][2] = unread
    assert any("Undecryptable" in it for it in check(kept))
    kept[0].rows[TALK][0] = replace(kept[0].rows[TALK][0], state=State.SENT)
    assert any("never ticked" in it for it in check(kept))
    assert any("outbox" in it for it in check([replace(kept[0], busy=True)]))
    assert any("health" in it for it in check([replace(kept[0], health=_sick())]))


def test_devices_that_hold_something_else_are_found(kept: list[Kept]) -> None:
    kept[1] = replace(kept[1], settings={b"theme": b"dark"}, listed=frozenset({1}))
    found = check(kept)
    assert any("settings differ" in it for it in found)
    assert any("lists of devices differ" in it for it in found)


async def test_a_line_carries_and_breaks() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Line.to(server.sockets[0].getsockname()[1]) as line:
        port = int(line.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"here")
        assert await reader.read(100) == b"here"
        line.become(Weather.CUT)
        with contextlib.suppress(ConnectionError):
            assert await reader.read(100) == b""
        writer.close()


def _sick() -> Health:
    return Health(
        **{**{name: getattr(HEALTHY, name) for name in HEALTHY.__struct_fields__}, "damaged": 1}
    )
