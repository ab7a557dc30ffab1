"""What a server, a member or a removed device may try with a group's log, and what comes of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import apsw
import msgspec
import pytest
from tests.client.groups.choir import Choir, Log, Singer
from tests.client.post_office import Device
from tests.client.town import health

from linnet.client import lists, outbox
from linnet.client.errors import GroupRefused
from linnet.client.events import Unconfirmed
from linnet.client.groups import keys
from linnet.client.groups.events import GroupChanged, GroupForked, GroupHeld, GroupJoined, GroupLeft
from linnet.client.groups.log import Page
from linnet.client.groups.sealing import GroupSealer
from linnet.client.lists import Held
from linnet.client.outbox import Item, Way
from linnet.client.sealing import Sealers
from linnet.crypto.content import Content
from linnet.signing.device_list import first_list
from linnet.signing.group_changes import Remove
from linnet.signing.group_entry import sign_entry
from linnet.signing.group_fork import read_fork
from linnet.signing.group_state import GroupState, Role, next_entry
from linnet.signing.keys import generate
from linnet.wire.frames import Deliver
from linnet.wire.ids import DeviceId, GroupId

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Liar(GroupSealer):
    """Cites another head than there is."""

    head: tuple[int, bytes] = (99, bytes(32))

    def _content(self, db: apsw.Connection, item: Item, state: GroupState, own: Held) -> Content:
        true = GroupSealer._content(self, db, item, state, own)
        return msgspec.structs.replace(true, head=self.head, attached=None)


def lies(singer: Singer, head: tuple[int, bytes]) -> None:
    """From now on this device cites that head."""
    old = singer.device.sealer
    liar = Liar(singer.device.sessions, head)
    singer.device.sealer = Sealers(old.me, {**old.by_way, Way.GROUP: liar})


async def met(choir: Choir, count: int) -> tuple[list[Singer], GroupId]:
    """People of one group, each of whom has said something."""
    singers = await choir.people(count)
    group = await singers[0].groups.create([it.account for it in singers[1:]])
    await choir.connect(*singers)
    for number, singer in enumerate(singers):
        await singer.text(group, f"hello {number}")
    await choir.gather(*singers)
    return singers, group


async def test_a_forked_log_to_two_members_is_noticed_when_they_talk(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    await ada.groups.promote(group, ben.account)
    await choir.connect(ada, ben, cleo)
    base = choir.logs[group].copy()
    choir.shown_logs[group, ben.account] = choir.shown_logs[group, cleo.account] = base
    await ada.groups.promote(group, cleo.account)
    await ben.groups.demote(group, ada.account)
    await choir.connect(ada, ben, cleo)
    assert choir.events(cleo, GroupForked) == []
    choir.accepts_anything = True
    await ada.text(group, "as I see it")
    await choir.gather(ada, cleo)
    (alarm,) = choir.events(cleo, GroupForked)
    assert read_fork(base.states[1], alarm.proof)
    assert (await cleo.info(group)).forked
    assert "as I see it" not in await cleo.read(group)
    await cleo.text(group, "anybody?")
    await choir.gather(cleo)
    assert choir.failures(cleo) == ["group_forked"]
    with pytest.raises(GroupRefused, match="group_forked"):
        await cleo.groups.leave(group)


async def test_a_fork_is_told_of_once_and_by_those_who_saw_it(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    split = choir.logs[group].copy()
    await ada.groups.promote(group, ben.account)
    await choir.connect(ada, ben, cleo)
    author, newest = ada.groups.author, choir.houses[ada.account].newest
    entry = next_entry(split.state, Remove((ben.account,)), ada.account, 1, newest.hash)
    split.take(sign_entry(entry, author.private, author.rng), newest)
    page = Page(group, split.entries, split.lists)
    for _ in range(2):
        cleo.keeper.offer(page)
        await cleo.keeper.once()
    assert len(choir.events(cleo, GroupForked)) == 1
    assert not (await ben.info(group)).forked


async def test_a_withheld_removal_and_an_outbox_flushed_after_it(choir: Choir) -> None:
    (ada, ben, cleo, dan), group = await met(choir, 4)
    choir.shown_logs[group, ben.account] = choir.logs[group].copy()
    choir.shown_rosters[group, ben.account] = choir.rosters[group]
    await ada.groups.remove(group, [cleo.account])
    await choir.connect(ada, ben, cleo, dan)
    choir.accepts_anything = True
    await ben.text(group, "still for cleo")
    await choir.gather(ben)
    await choir.gather(ada, dan)
    for singer in (ada, dan):
        assert "still for cleo" not in await singer.read(group)
    assert (await ben.info(group)).version == 1
    await ada.text(group, "without cleo")  # it brings the entry that the server keeps back
    await choir.gather(ada, ben, dan)
    assert "without cleo" in await ben.read(group)
    assert cleo.account not in (await ben.info(group)).members
    await ben.text(group, "now I know")
    await choir.gather(ben, ada, dan)
    holders = await ben.device.store.read(lambda db: keys.holders(db, group))
    assert cleo.account not in {it.account for it in holders}
    assert "now I know" in await dan.read(group)


async def test_an_older_roster_than_one_before_it_is_refused(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    await ada.groups.promote(group, ben.account)
    await choir.connect(ada, ben, cleo)
    await ada.text(group, "under the new roster")
    await choir.gather(ada, ben, cleo)

    def falls(device: Device, row: Deliver) -> Deliver:
        return msgspec.structs.replace(row, roster=1) if row.kind == 7 else row

    await ben.text(group, "the roster falls")
    await choir.gather(ben)
    choir.tamper = falls
    await choir.gather(cleo)
    assert (await cleo.read(group))[-1] == "undecryptable"


async def test_concurrent_admins_end_the_same_everywhere(choir: Choir) -> None:
    (ada, ben, cleo, dan), group = await met(choir, 4)
    eve = await choir.singer()
    await ada.groups.promote(group, ben.account)
    await choir.connect(ada, ben, cleo, dan)
    ada.api.before_entry = _taken(choir, ben, group, Remove((cleo.account,)))
    await ada.groups.add(group, [eve.account])
    await choir.connect(ada, ben, cleo, dan, eve)
    infos = [await singer.info(group) for singer in (ada, ben, dan, eve)]
    assert {it.version for it in infos} == {4}
    assert len({tuple(sorted(it.members.items())) for it in infos}) == 1
    assert infos[0].members.keys() == {it.account for it in (ada, ben, dan, eve)}
    assert choir.events(cleo, GroupLeft) == [GroupLeft(group, ben.account)]


async def test_two_changes_of_one_device_at_once_are_both_made(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    await asyncio.gather(
        ada.groups.promote(group, ben.account),
        ada.groups.retitle(group, "Choir"),
        ada.groups.remove(group, [cleo.account]),
    )
    info = await ada.info(group)
    assert (info.version, info.title) == (4, "Choir")
    assert info.members == {ada.account: Role.ADMIN, ben.account: Role.ADMIN}


def _taken(choir: Choir, by: Singer, group: GroupId, change: Remove) -> Callable[[], None]:
    """Appends an entry of somebody else, when called."""

    def append() -> None:
        newest, author = choir.houses[by.account].newest, by.groups.author
        entry = next_entry(choir.logs[group].state, change, by.account, author.device, newest.hash)
        choir.append(sign_entry(entry, author.private, author.rng))

    return append


async def test_a_revoked_laptop_signing_under_the_old_list_is_held(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    laptop = await choir.another(ada)
    await choir.connect(ada, ben, cleo, laptop)
    old = choir.houses[ada.account].newest
    choir.revoke(ada, 2)
    for singer in (ada, ben):
        await choir.fetch(singer.device, ada.account)
    author = laptop.groups.author
    entry = next_entry(choir.logs[group].state, Remove((cleo.account,)), ada.account, 2, old.hash)
    choir.logs[group].take(sign_entry(entry, author.private, author.rng), old)
    choir.recompute(group)
    await choir.connect(ben)
    assert choir.events(ben, GroupHeld) == [GroupHeld(group, ada.account)]
    assert cleo.account in (await ben.info(group)).members
    await ben.text(group, "is this right?")
    await choir.gather(ben)
    assert (await ben.read(group))[-1] == "is this right?"
    assert await ben.device.store.read(outbox.busy)
    # Ada's main device does not vouch for it without being asked.
    await choir.connect(ada)
    assert choir.logs[group].state.version == 2
    await ada.groups.confirm(group)
    assert cleo.account not in (await ada.info(group)).members
    await ada.groups.add(group, [cleo.account])
    await choir.connect(ada, ben, cleo)
    assert cleo.account in (await ben.info(group)).members
    choir.later(hours=1)
    await choir.gather(ben, ada, cleo)
    assert not await ben.device.store.read(outbox.busy)


async def test_what_is_held_lets_go_on_who_accepts_it(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    laptop = await choir.another(ada)
    await choir.connect(ada, ben, cleo, laptop)
    await laptop.groups.leave(group)
    choir.revoke(ada, 2)
    await choir.fetch(ben.device, ada.account)
    await choir.connect(ben)
    assert choir.events(ben, GroupHeld) == [GroupHeld(group, ada.account)]
    await ben.text(group, "is she gone?")
    await choir.gather(ben)
    assert await ben.device.store.read(outbox.busy)
    await ben.groups.accept_held(group)
    assert ada.account not in (await ben.info(group)).members
    await choir.connect(cleo)
    await choir.gather(ben, cleo)
    assert (await cleo.read(group))[-1] == "is she gone?"


async def test_an_admin_whose_device_was_removed_confirms_its_new_list(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    laptop = await choir.another(ada)
    await choir.connect(ada, ben, cleo, laptop)
    await laptop.groups.promote(group, ben.account)
    await choir.connect(ada, ben)
    choir.revoke(ada, 2)
    await choir.fetch(ada.device, ada.account)
    await choir.connect(ada, ben)
    changes = choir.events(ben, GroupChanged)
    assert [(it.what, it.by) for it in changes][-1] == ("confirm", ada.account)
    version = choir.logs[group].state.version
    await choir.connect(ada)
    assert choir.logs[group].state.version == version


async def test_one_liar_quoting_false_heads_stops_nobody(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    lies(cleo, (99, bytes(32)))
    await cleo.text(group, "the log is much longer")
    await choir.gather(cleo, ben)
    assert (await health(ben.device)).parked == 1
    await ben.text(group, "goes on")
    await choir.gather(ben, ada)
    assert "goes on" not in await ada.read(group)  # an hour at most, once
    assert choir.events(ben, Unconfirmed) == [Unconfirmed(cleo.account, DeviceId(1))]
    choir.later(hours=1)
    await choir.gather(ben, ada)
    assert "goes on" in await ada.read(group)
    await cleo.text(group, "and longer still")
    await choir.gather(cleo, ben)
    await ben.text(group, "and on")
    await choir.gather(ben, ada)
    assert "and on" in await ada.read(group)


async def test_what_waits_for_a_log_is_not_asked_of_its_sender(choir: Choir) -> None:
    (_, ben, cleo), group = await met(choir, 3)
    lies(cleo, (99, bytes(32)))
    await cleo.text(group, "the log is much longer")
    await choir.gather(cleo, ben)
    choir.later(hours=1)
    assert (await health(ben.device)).parked == 1
    assert await choir.heal(ben.device) == 0


async def test_what_is_sent_again_before_the_log_is_here_waits_on(choir: Choir) -> None:
    (_, ben, cleo), group = await met(choir, 3)
    lies(cleo, (99, bytes(32)))
    await cleo.text(group, "the log is much longer")
    await choir.gather(cleo, ben)
    choir.later(hours=1)
    await ben.device.store.write(lambda db: db.execute("ALTER TABLE sender_keys RENAME TO away"))
    await ben.device.store.write(
        lambda db: db.execute("CREATE TABLE sender_keys AS SELECT * FROM away LIMIT 0")
    )
    assert await choir.heal(ben.device) == 1
    await ben.device.store.write(lambda db: db.execute("DROP TABLE sender_keys"))
    await ben.device.store.write(lambda db: db.execute("ALTER TABLE away RENAME TO sender_keys"))
    await choir.gather(ben, cleo, ben)
    assert (await health(cleo.device)).resends_answered
    found = await health(ben.device)
    assert (found.parked, found.damaged, found.healed) == (1, 0, 0)


async def test_an_old_head_under_a_new_roster_is_refused(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    head = choir.logs[group].state.head
    await ada.groups.promote(group, ben.account)
    await choir.connect(ada, ben, cleo)
    lies(cleo, (1, head))
    await cleo.text(group, "from yesterday")
    await choir.gather(cleo, ben)
    assert (await ben.read(group))[-1] == "undecryptable"


async def test_what_arrives_under_a_state_before_one_joined_is_refused(choir: Choir) -> None:
    (ada, ben), group = await met(choir, 2)
    head = choir.logs[group].state.head
    dan = await choir.singer()
    await ada.groups.add(group, [dan.account])
    await choir.connect(ada, ben, dan)
    await dan.device.store.write(lambda db: db.execute("DELETE FROM group_rosters"))
    lies(ada, (1, head))
    await ada.text(group, "not for dan")
    await choir.gather(ada, dan)
    assert await dan.read(group) == ["undecryptable"]


async def test_what_a_former_member_says_is_not_shown_even_if_it_is_sent_again(
    choir: Choir,
) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    head = choir.logs[group].state
    await ada.groups.remove(group, [cleo.account])
    await choir.connect(ada, ben)
    lies(cleo, (1, head.head))
    choir.accepts_anything = True
    choir.shown_logs[group, cleo.account] = before_all(choir, group)
    choir.shown_rosters[group, cleo.account] = choir.rosters[group]
    await cleo.text(group, "I never left")
    await choir.gather(cleo, ben)
    assert (await ben.read(group))[-1] == "undecryptable"
    choir.later(hours=1)
    assert await choir.heal(ben.device) >= 0
    await choir.gather(ben, cleo, ben)
    assert "I never left" not in await ben.read(group)


async def test_a_former_member_and_a_server_that_makes_rosters_up_say_nothing(
    choir: Choir,
) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    head = choir.logs[group].state
    await ada.groups.remove(group, [cleo.account])
    await choir.connect(ada, ben)
    lies(cleo, (1, head.head))
    choir.accepts_anything = True
    choir.shown_logs[group, cleo.account] = before_all(choir, group)
    choir.shown_rosters[group, cleo.account] = choir.rosters[group]
    await cleo.text(group, "I never left")
    await choir.gather(cleo)

    def made_up(device: Device, row: Deliver) -> Deliver:
        return msgspec.structs.replace(row, roster=1 << 40) if row.kind == 7 else row

    choir.tamper = made_up
    await choir.gather(ben)
    assert (await ben.read(group))[-1] == "undecryptable"


def before_all(choir: Choir, group: bytes) -> Log:
    copy = choir.logs[group].copy()
    del copy.states[1:], copy.entries[1:], copy.lists[1:]
    return copy


async def test_a_message_of_one_group_is_none_of_another(choir: Choir) -> None:
    (ada, ben), group = await met(choir, 2)
    other = await ada.groups.create([ben.account])
    await choir.connect(ada, ben)

    def moved(device: Device, row: Deliver) -> Deliver:
        return msgspec.structs.replace(row, conversation=other) if row.kind == 7 else row

    choir.tamper = moved
    await ada.text(group, "for the first")
    await choir.gather(ada, ben)
    assert "for the first" not in await ben.read(other)


async def test_a_message_at_a_head_not_yet_read_waits_for_the_log(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    await ada.groups.promote(group, cleo.account)
    await ada.text(group, "at the new head")
    await choir.send(ada.device)
    choir.offline.add(ben.account)
    await choir.sync(ben.device)
    await choir.sync(ben.device)
    assert (await health(ben.device)).parked == 1
    assert "at the new head" not in await ben.read(group)
    device, now_ms = ben.device, choir.clock.now_ms
    effects = await device.store.write(lambda db: device.inbox.unpark(db, ada.account, now_ms))
    assert not effects.parked
    assert not effects.groups
    assert (await health(device)).parked == 1
    choir.offline.clear()
    await choir.gather(ben)
    assert (await ben.read(group))[-1] == "at the new head"
    assert (await health(ben.device)).undecryptable == 0


async def test_a_fake_new_registration_of_an_admin_gets_nothing_and_changes_nothing(
    choir: Choir,
) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    before = await ben.device.store.read(lambda db: keys.own(db, group))
    rng = ada.device.sessions.rng
    key, device = generate(rng), generate(rng)
    fake = first_list(ada.account, key, device, b"", choir.clock.now_ms // 1000, rng)
    choir.shown[ada.account] = fake
    await choir.fetch(ben.device, ada.account)
    await ben.text(group, "not for the stranger")
    await choir.gather(ben, cleo)
    after = await ben.device.store.read(lambda db: keys.own(db, group))
    holders = await ben.device.store.read(lambda db: keys.holders(db, group))
    assert before is not None
    assert after is not None
    assert after.chain_id != before.chain_id
    assert {it.account for it in holders} == {cleo.account}
    entry = next_entry(choir.logs[group].state, Remove((cleo.account,)), ada.account, 1, fake.hash)
    log = choir.logs[group].copy()
    log.entries.append(sign_entry(entry, device.private, rng))
    log.lists.append(fake)
    log.states.append(log.state)
    choir.shown_logs[group, ben.account] = log
    await choir.connect(ben)
    assert cleo.account in (await ben.info(group)).members
    assert (await ben.info(group)).version == 1


async def test_a_rekeyed_member_is_an_ordinary_one_under_its_new_key(choir: Choir) -> None:
    (ada, _, cleo), group = await met(choir, 3)
    rng = cleo.device.sessions.rng
    key, device = generate(rng), generate(rng)
    new = first_list(cleo.account, key, device, b"", choir.clock.now_ms // 1000, rng)
    await ada.groups.promote(group, cleo.account)
    choir.shown[cleo.account] = new
    choir.houses[cleo.account].lists.append(new)
    choir.set_changed(cleo.account)
    await choir.fetch(ada.device, cleo.account)
    with pytest.raises(Exception, match="account_key"):
        await ada.groups.rekey(group, cleo.account)
    now_ms = choir.clock.now_ms
    await ada.device.store.write(lambda db: lists.accept_changed(db, cleo.account, now_ms))
    await ada.groups.rekey(group, cleo.account)
    state = choir.logs[group].state
    assert state.members[cleo.account].account_key == key.public
    assert state.members[cleo.account].role is Role.MEMBER
    await choir.connect(cleo)
    assert choir.events(cleo, GroupLeft) == [GroupLeft(group, ada.account)]


async def test_removed_and_added_again_one_reads_what_came_after(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir, 3)
    await ada.groups.remove(group, [cleo.account])
    await ada.text(group, "without cleo")
    await choir.connect(ada, ben, cleo)
    await ada.groups.add(group, [cleo.account])
    await choir.connect(ada, ben, cleo)
    assert len(choir.events(cleo, GroupJoined)) == 2
    await ada.text(group, "with cleo")
    await cleo.text(group, "from cleo")
    await choir.gather(ada, ben, cleo)
    for text in ("with cleo", "from cleo"):
        assert text in await cleo.read(group)
        assert text in await ben.read(group)
    assert "without cleo" not in await cleo.read(group)
