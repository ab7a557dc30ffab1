"""A sender key is replaced when somebody who has it may not read any more, and only then."""

from collections.abc import Awaitable, Callable

import apsw
import pytest
from tests.client.groups.choir import Choir, Singer

from linnet.client.groups import keys
from linnet.client.sql import every
from linnet.crypto.sender_key_record import SenderKeyRecord, SenderKeyState
from linnet.crypto.sender_key_rotation import MAX_AGE_MS, MAX_MESSAGES
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow

Departs = Callable[[Choir, list[Singer], GroupId], Awaitable[None]]


async def chain(singer: Singer, group: GroupId) -> SenderKeyState:
    found = await singer.device.store.read(lambda db: keys.own(db, group))
    assert found is not None
    return found


async def said(choir: Choir, singers: list[Singer], group: GroupId, text: str) -> SenderKeyState:
    """The first of them says something; the chain it did so under."""
    await singers[0].text(group, text)
    await choir.gather(*singers)
    return await chain(singers[0], group)


async def three(choir: Choir) -> tuple[list[Singer], GroupId]:
    singers = await choir.people(3)
    group = await singers[0].groups.create([it.account for it in singers[1:]])
    await choir.connect(*singers)
    return singers, group


async def test_everybody_reads_what_one_writes(choir: Choir) -> None:
    singers, group = await three(choir)
    await said(choir, singers, group, "la")
    await singers[1].text(group, "li")
    await choir.gather(*singers)
    for singer in singers:
        assert await singer.read(group) == ["la", "li"]


async def test_rotated_on_leave(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    await singers[2].groups.leave(group)
    after = await said(choir, singers, group, "two")
    assert (after.chain_id, after.signing_key) != (before.chain_id, before.signing_key)
    assert after.distribution_id == before.distribution_id
    assert await singers[1].read(group) == ["one", "two"]
    assert await singers[2].read(group) == ["one"]


async def test_rotated_on_removal(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    await singers[0].groups.remove(group, [singers[2].account])
    after = await said(choir, singers, group, "two")
    assert after.chain_id != before.chain_id
    holders = await singers[0].device.store.read(lambda db: keys.holders(db, group))
    assert {it.account for it in holders} == {singers[1].account}


async def test_rotated_when_a_members_device_drops_from_its_list(choir: Choir) -> None:
    singers, group = await three(choir)
    tablet = await choir.another(singers[2])
    await choir.connect(*singers, tablet)
    before = await said(choir, [*singers, tablet], group, "one")
    assert await tablet.read(group) == ["one"]
    choir.revoke(singers[2], tablet.device.sessions.me.device)
    after = await said(choir, singers, group, "two")
    assert after.chain_id != before.chain_id
    holders = await singers[0].device.store.read(lambda db: keys.holders(db, group))
    assert (singers[2].account, 2) not in {(it.account, it.device) for it in holders}


async def test_a_device_that_a_member_links_reads_from_the_next_message_on(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    tablet = await choir.another(singers[2])
    await choir.connect(tablet)
    after = await said(choir, [*singers, tablet], group, "two")
    assert after.chain_id == before.chain_id
    assert await tablet.read(group) == ["two"]


async def test_rotated_on_revocation_of_a_device_of_ones_own(choir: Choir) -> None:
    singers, group = await three(choir)
    tablet = await choir.another(singers[0])
    await choir.connect(*singers, tablet)
    before = await said(choir, singers, group, "one")
    choir.revoke(singers[0], tablet.device.sessions.me.device)
    after = await said(choir, singers, group, "two")
    assert after.chain_id != before.chain_id


async def test_rotated_after_a_thousand_messages(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    worn = SenderKeyState(
        before.distribution_id,
        before.chain_id,
        MAX_MESSAGES,
        before.chain_key,
        before.signing_private,
        before.signing_key,
        before.created_ms,
    )
    await singers[0].device.store.write(lambda db: keys.put_own(db, group, worn))
    after = await said(choir, singers, group, "two")
    assert after.chain_id != before.chain_id
    assert await singers[1].read(group) == ["one", "two"]


async def test_rotated_after_seven_days(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    choir.later(ms=MAX_AGE_MS - 1)
    assert (await said(choir, singers, group, "two")).chain_id == before.chain_id
    choir.later(ms=1)
    assert (await said(choir, singers, group, "three")).chain_id != before.chain_id


async def test_not_rotated_on_restart(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    singers[0] = await choir.restart(singers[0])
    after = await said(choir, singers, group, "two")
    assert (after.chain_id, after.iteration) == (before.chain_id, before.iteration + 1)
    assert await singers[1].read(group) == ["one", "two"]


async def test_not_rotated_on_rename(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    await singers[0].groups.retitle(group, "Choir")
    after = await said(choir, singers, group, "two")
    assert after.chain_id == before.chain_id
    assert (await singers[1].info(group)).title == "Choir"


async def test_not_rotated_for_a_joiner_who_gets_the_present_iteration(choir: Choir) -> None:
    singers, group = await three(choir)
    before = await said(choir, singers, group, "one")
    joiner = await choir.singer()
    await singers[0].groups.add(group, [joiner.account])
    await choir.connect(joiner)
    after = await said(choir, [*singers, joiner], group, "two")
    assert after.chain_id == before.chain_id
    assert await joiner.read(group) == ["two"]


async def removes_a_member(choir: Choir, singers: list[Singer], group: GroupId) -> None:
    await singers[0].groups.remove(group, [singers[2].account])


async def revokes_a_device(choir: Choir, singers: list[Singer], group: GroupId) -> None:
    choir.revoke(singers[2], 2)


@pytest.mark.parametrize("departs", [removes_a_member, revokes_a_device])
async def test_superseded_chains_are_erased_a_day_after_a_removal(
    choir: Choir, departs: Departs
) -> None:
    singers, group = await three(choir)
    tablet = await choir.another(singers[2])
    await choir.connect(*singers, tablet)
    for which in ([0, 1, 2], [1, 0, 2]):  # both have the newest lists
        await said(choir, [singers[it] for it in which], group, "before")
    await departs(choir, singers, group)
    for which in ([0, 1], [1, 0]):
        await said(choir, [singers[it] for it in which], group, "after")

    def count(db: apsw.Connection) -> int:
        rows = every(db, "SELECT record FROM sender_keys")
        return sum(len(SenderKeyRecord.from_bytes(row[0]).chains) for row in rows)

    async def chains() -> int:
        return await singers[1].device.store.read(count)

    assert await chains() == 2
    choir.later(hours=23)
    await choir.connect(singers[1])
    assert await chains() == 2
    choir.later(hours=2)
    await choir.connect(singers[1])
    assert await chains() == 1
