"""The process dies at any store write, or with any request; opened again, the group ends the same.

No iteration of a sender key is ever used for two plaintexts, and no half-made group stays.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest
from tests.client.groups.choir import Choir, Singer
from tests.client.post_office import Killed

from linnet.client.errors import GroupRefused, Offline
from linnet.client.groups import book
from linnet.client.groups.events import GroupJoined
from linnet.client.outbox import Item
from linnet.client.sealing import Missing, Sealer, Sealers
from linnet.client.sessions import Peer
from linnet.crypto.prekeys import PreKeyBundle
from linnet.crypto.sender_keys import parse_message
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow

Story = Callable[[Choir, Singer, Singer, Singer], Awaitable[None]]


async def whole_story(choir: Choir, ada: Singer, ben: Singer, cleo: Singer) -> None:
    """What Ada's application does, from wherever it stopped: make a group, write to it, add Cleo,
    write, remove her, write."""
    groups = await ada.groups.all()
    group = groups[0].group if groups else await ada.groups.create([ben.account], "Choir")
    await said(choir, ada, group, "one")
    if (await ada.info(group)).version < 2:
        await ada.groups.add(group, [cleo.account])
    await said(choir, ada, group, "two")
    if (await ada.info(group)).version < 3:
        await ada.groups.remove(group, [cleo.account])
    await said(choir, ada, group, "three")


async def said(choir: Choir, ada: Singer, group: GroupId, text: str) -> None:
    if text not in await ada.read(group):
        await ada.groups.send(group, text)
    await choir.connect(ada)


async def begun(directory: Path) -> tuple[Choir, Singer, Singer, Singer]:
    choir = Choir(directory)
    ada, ben, cleo = await choir.people(3)
    await choir.fetch(ada.device, ben.account)
    await choir.fetch(ada.device, cleo.account)
    ada.device.store.writes = 0
    return choir, ada, ben, cleo


async def ends_the_same(choir: Choir, ada: Singer, ben: Singer, cleo: Singer) -> None:
    """Everybody comes online, and what was to happen has happened, once."""
    await choir.connect(ada, ben, cleo)
    choir.later(hours=1)
    await choir.gather(ada, ben, cleo)
    (group,) = [it.group for it in await ada.groups.all()]
    assert len(choir.logs) == 1
    assert (await ada.info(group)).version == 3
    assert await ada.device.store.read(book.all_pending) == []
    assert await ada.read(group) == await ben.read(group) == ["one", "two", "three"]
    assert await cleo.read(group) == ["two"]
    assert (await ben.info(group)).title == "Choir"
    assert not used_twice(choir)


def used_twice(choir: Choir) -> list[tuple[bytes, int, int]]:
    """Iterations of a chain under which two ciphertexts left."""
    seen: dict[tuple[bytes, int, int], bytes] = {}
    found = []
    for _, frame in choir.left:
        if not frame.body:
            continue
        message = parse_message(frame.body)
        key = (message.distribution_id, message.chain_id, message.iteration)
        if seen.setdefault(key, frame.body) != frame.body:
            found.append(key)
    return found


async def writes_of(directory: Path, story: Story) -> int:
    choir, ada, ben, cleo = await begun(directory)
    await story(choir, ada, ben, cleo)
    writes = ada.device.store.writes
    await choir.close()
    return writes


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
async def test_killed_at_any_write_the_group_ends_the_same(
    tmp_path: Path, after_commit: bool
) -> None:
    writes = await writes_of(tmp_path / "dry", whole_story)
    assert writes > 40
    for dies_at in range(1 + after_commit, writes + 1, 3):
        choir, ada, ben, cleo = await begun(tmp_path / str(dies_at))
        ada.device.store.dies_at, ada.device.store.after_commit = dies_at, after_commit
        with pytest.raises(Killed):
            await whole_story(choir, ada, ben, cleo)
        ada = await choir.restart(ada)
        await choir.connect(ada)
        await whole_story(choir, ada, ben, cleo)
        await ends_the_same(choir, ada, ben, cleo)
        await choir.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_group_whose_making_was_cut_off_is_made_when_the_server_is_reached(
    tmp_path: Path, when: str
) -> None:
    choir, ada, ben, _ = await begun(tmp_path)
    ada.api.fails = when
    with pytest.raises(Offline):
        await ada.groups.create([ben.account], "Choir")
    ada = await choir.restart(ada)
    await choir.connect(ada, ben)
    (group,) = await ada.groups.all()
    assert (group.title, group.version) == ("Choir", 1)
    assert choir.events(ada, GroupJoined) == [GroupJoined(group.group, ada.account)]
    assert len(choir.logs) == 1
    assert await ada.device.store.read(book.all_pending) == []
    assert (await ben.info(group.group)).title == "Choir"
    await choir.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_change_that_was_cut_off_is_made_once(tmp_path: Path, when: str) -> None:
    choir, ada, ben, cleo = await begun(tmp_path)
    group = await ada.groups.create([ben.account, cleo.account])
    ada.api.fails = when
    with pytest.raises(Offline):
        await ada.groups.remove(group, [cleo.account])
    ada = await choir.restart(ada)
    await choir.connect(ada)
    info = await ada.info(group)
    assert (info.version, cleo.account in info.members) == (2, False)
    with pytest.raises(GroupRefused, match="no_such_member"):
        await ada.groups.remove(group, [cleo.account])
    await choir.close()


async def test_a_change_that_was_cut_off_and_lost_its_place_is_undone(tmp_path: Path) -> None:
    choir, ada, ben, cleo = await begun(tmp_path)
    group = await ada.groups.create([ben.account, cleo.account])
    await choir.connect(ada, ben, cleo)
    ada.api.fails = "before"
    with pytest.raises(Offline):
        await ada.groups.remove(group, [cleo.account])
    await ben.groups.leave(group)
    ada = await choir.restart(ada)
    await choir.connect(ada)
    assert await ada.device.store.read(book.all_pending) == []
    assert (await ada.info(group)).members.keys() == {ada.account, cleo.account}
    await ada.groups.remove(group, [cleo.account])
    await choir.close()


async def test_a_rotation_that_was_rolled_back_gives_everybody_the_next_key(tmp_path: Path) -> None:
    choir, ada, ben, cleo = await begun(tmp_path)
    group = await ada.groups.create([ben.account, cleo.account])
    await choir.connect(ada, ben, cleo)
    await ada.groups.remove(group, [cleo.account])
    await ada.groups.send(group, "once more")
    real = ada.device.sealer
    by_way = {way: _FullDisk(sealer) for way, sealer in real.by_way.items()}
    ada.device.sealer = Sealers(real.me, by_way)
    with pytest.raises(Killed):
        await choir.send(ada.device)
    ada.device.sealer = real
    await choir.connect(ada, ben)
    assert "once more" in await ben.read(group)
    await choir.close()


class _FullDisk:
    """Seals, and then nothing of it can be stored."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        found = self._sealer.seal(db, item, bundles, now_ms)
        if isinstance(found, bytes):
            raise Killed
        return found
