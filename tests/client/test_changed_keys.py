"""Somebody registers anew as somebody else: what was written before stays as it was, and whose."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.client.post_office import Device
from tests.client.town import House, Town, held, say, shown, texts

from linnet.client import facts, history, keys, lists, missing_lists, outbox
from linnet.client.errors import KeyChanged
from linnet.client.events import Message, State
from linnet.client.facts import Keys
from linnet.client.lists import Adopted
from linnet.client.outbox import Item
from linnet.wire.ids import direct_conversation, message_id


class Street:
    """Alice and Bob have talked; then somebody else registers as Bob."""

    def __init__(self, town: Town, alice: House, bob: House) -> None:
        self.town, self.alice, self.bob = town, alice, bob

    @property
    def me(self) -> Device:
        return self.alice[1]

    async def settle(self) -> None:
        houses = list(self.town.houses.values())
        await self.town.settle(*(d for house in houses for d in house.devices.values()))

    async def register_as(self, victim: House) -> House:
        """Another account key and device under the victim's AccountId, as the server shows it."""
        device = await self.town._device(lambda store, rng: (victim.account, 1, None))
        own = await device.store.read(lambda db: facts.get(db, Keys))
        assert own is not None
        return House(victim.account, keys.account_key(own), [device.signed_list], {1: device})

    async def author_key(self, id: bytes) -> bytes:
        rows = await self.me.store.read(
            lambda db: db.execute("SELECT author_key FROM messages WHERE id = ?", (id,)).fetchall()
        )
        return rows[0][0]  # type: ignore[return-value]


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    town = Town(tmp_path)
    street = Street(town, await town.account(), await town.account())
    await say(street.me, street.bob, "hi")
    await street.settle()
    await say(street.bob[1], street.alice, "I owe you 100")
    await street.settle()
    yield street
    for house in (street.alice, street.bob):
        town.houses.setdefault(house.account, house)
    await town.close()
    await street.bob[1].store.close()


async def test_after_a_fake_re_registration_of_a_peer_nothing_goes_out_without_a_tap(
    street: Street,
) -> None:
    fake = await street.register_as(street.bob)
    street.town.shown[street.bob.account] = fake.newest
    await street.town.fetch(street.me, street.bob.account)
    assert (await held(street.me, street.bob.account)).key_changed
    await say(street.me, street.bob, "for Bob")
    with pytest.raises(KeyChanged):
        await street.town.send(street.me)
    await fake[1].store.close()


async def test_after_a_fake_re_registration_of_a_peer_old_messages_stay_as_they_were(
    street: Street,
) -> None:
    *_, old = await shown(street.me, street.bob)
    assert isinstance(old, Message)
    old_key = await street.author_key(old.id)
    assert old_key == street.bob.key.public
    fake = await street.register_as(street.bob)
    street.town.houses[street.bob.account] = fake
    await street.town.fetch(street.me, street.bob.account)
    accept = lists.accept_changed
    assert await street.me.store.write(
        lambda db: accept(db, street.bob.account, street.me.clock.now_ms)
    )
    await street.town.fetch(fake[1], street.alice.account)
    for kind, body in (("edit", [old.id, ["I owe you nothing"]]), ("delete", [old.id])):
        await write_kind(fake[1], street.alice, kind, body)
    await street.settle()
    first, second, *new = await shown(street.me, street.bob)
    assert second == old
    assert [entry.text for entry in (first, second) if isinstance(entry, Message)] == [
        "hi",
        "I owe you 100",
    ]
    assert len(new) == 2
    for entry in new:
        assert await street.author_key(entry.id) == fake.key.public != old_key
    await fake[1].store.close()


async def write_kind(device: Device, to: House, kind: str, body: object) -> None:
    """A numbered message of a kind."""
    item = Item(
        id=message_id(device.clock.now_ms, device.sessions.rng(10)),
        conversation=direct_conversation(device.account, to.account),
        peer=to.account,
        kind=kind,
        body=body,  # type: ignore[arg-type]
        sent_ms=device.clock.now_ms,
    )
    await device.store.write(lambda db: outbox.enqueue(db, item, device.account, 1, device.own_key))


async def test_a_fake_re_registration_of_oneself_is_told_and_never_believed(
    street: Street,
) -> None:
    fake = await street.register_as(street.alice)
    me, now_ms = street.alice.account, street.me.clock.now_ms
    adopted = await street.me.store.write(lambda db: lists.adopt(db, me, fake.newest, now_ms))
    assert adopted is Adopted.CHANGED_KEY
    assert (await held(street.me, me)).list.key == street.alice.key.public
    assert not await street.me.store.write(lambda db: lists.accept_changed(db, me, now_ms))
    id = await say(street.me, street.bob, "still me")
    await street.settle()
    state = await street.me.store.read(lambda db: history.state(db, me, id))
    assert state in (State.SENT, State.DELIVERED)
    assert (await texts(street.bob[1], street.alice))[-1] == "still me"
    await fake[1].store.close()


async def test_messages_of_whoever_registered_as_a_peer_wait_for_the_tap(
    street: Street,
) -> None:
    fake = await street.register_as(street.bob)
    street.town.houses[street.bob.account] = fake
    await street.town.fetch(fake[1], street.alice.account)
    await say(fake[1], street.alice, "it is me, Bob")
    await street.town.send(fake[1])
    await street.town.sync(street.me)
    assert (await held(street.me, street.bob.account)).key_changed
    assert "it is me, Bob" not in await texts(street.me, street.bob), "parked"
    me, now_ms = street.me, street.me.clock.now_ms
    await me.store.write(lambda db: lists.accept_changed(db, street.bob.account, now_ms))
    await me.store.write(lambda db: me.inbox.unpark(db, street.bob.account, now_ms))
    *_, entry = await shown(me, street.bob)
    assert isinstance(entry, Message)
    assert entry.text == "it is me, Bob"
    assert await street.author_key(entry.id) == fake.key.public
    await fake[1].store.close()


async def test_what_was_missing_under_the_old_key_does_not_narrow_the_new_one(
    street: Street,
) -> None:
    account, now_ms = street.bob.account, street.town.clock.now_ms
    await street.me.store.write(lambda db: missing_lists.note(db, account, now_ms, version=50))
    fake = await street.register_as(street.bob)
    street.town.shown[account] = fake.newest
    await street.town.fetch(street.me, account)
    assert await street.me.store.write(lambda db: lists.accept_changed(db, account, now_ms))
    assert not (await held(street.me, account)).narrowed(now_ms + 49 * 3_600_000)
