"""Messages of a group by number, for those who are or were in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.backends.logs import step
from tests.server.gathering import refused
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    GROUP,
    fresh_id,
    roster_of,
    to_all,
)
from tests.server.services.delivery.world import World, running

from linnet.server.backends.memory.groups import MemoryGroups
from linnet.server.backends.memory.rosters import MemoryRosters
from linnet.server.services.group_pages import GroupPages
from linnet.server.services.tokens import Identity


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Alice and Bob, then Alice alone; a message of Alice's in each time."""
    async with running() as made:
        await made.delivery.change_roster(roster_of(1, ALICE=(1,), BOB=(1,)))
        await made.sent(to_all(fresh_id(1), body=b"for both"))
        await made.delivery.change_roster(roster_of(2, ALICE=(1,)))
        await made.sent(to_all(fresh_id(2), roster=2, body=b"alone"))
        yield made


@pytest.fixture
async def pages(world: World) -> GroupPages:
    groups = MemoryGroups(MemoryRosters())
    first = step(1, joined=(ALICE, BOB))
    assert first.group == GROUP
    await groups.create(first)
    await groups.append(step(2, first, left=(BOB,)))
    return GroupPages(groups, world.delivery.group_messages)


def phone(account: bytes) -> Identity:
    return Identity(account, 1, 1 << 60)


async def test_a_member_reads_messages_as_a_socket_would_carry_them(pages: GroupPages) -> None:
    page = await pages.page(phone(ALICE), GROUP, 1, 9)
    assert [(row["type"], row["conv_seq"]) for row in page.rows] == [("own", 1), ("own", 2)]
    assert (page.not_entitled, page.expired) == ([], [])


async def test_a_former_member_reads_what_was_for_it(pages: GroupPages) -> None:
    page = await pages.page(phone(BOB), GROUP, 1, 2)
    (row,) = page.rows
    assert (row["type"], row["conv_seq"], row["position"], row["prev"]) == ("message", 1, 0, 0)
    assert row["ciphertext"] == "Zm9yIGJvdGg="
    assert page.not_entitled == [(2, 2)]


async def test_a_stranger_reads_nothing(pages: GroupPages) -> None:
    await refused(pages.page(phone(CAROL), GROUP, 1, 2), "not_member")
    await refused(pages.page(phone(CAROL), bytes(16), 1, 2), "not_found")


async def test_a_range_that_ends_before_it_begins_is_malformed(pages: GroupPages) -> None:
    await refused(pages.page(phone(ALICE), GROUP, 2, 1), "malformed")
