"""Lists that are quoted, hidden, expired or contradict each other: what is sent, and to whom."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.client.post_office import Clockwork, Device
from tests.client.town import House, Town, health, held, say, shown, texts

from linnet.client import claims, list_alarms, lists, parking
from linnet.client.events import ClockWrong, ListConflict, Message, Unconfirmed
from linnet.client.lists import Adopted
from linnet.client.outbox import Item
from linnet.client.sealing_pair import PairSealer
from linnet.crypto.content import Content, Ref
from linnet.signing.device_list import decode_list
from linnet.signing.list_alarm import read_conflict
from linnet.wire.frames import FULL, NARROWED, Deliver, Send
from linnet.wire.ids import DeviceId

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


class Street:
    """Alice and Bob, who have talked, in a town."""

    def __init__(self, town: Town, alice: House, bob: House) -> None:
        self.town, self.alice, self.bob = town, alice, bob

    @property
    def me(self) -> Device:
        return self.alice[1]

    async def settle(self) -> None:
        everyone = [*self.alice.devices.values(), *self.bob.devices.values()]
        await self.town.settle(*everyone)

    async def talk(self) -> None:
        await say(self.me, self.bob, "hi")
        await self.settle()
        await say(self.bob[1], self.alice, "hello")
        await self.settle()

    async def try_to_say(self, text: str) -> list[Send]:
        """Alice writes; the frames that leave her at once."""
        before = len(self.town.left)
        await say(self.me, self.bob, text)
        await self.town.send(self.me)
        return [frame for _, frame in self.town.left[before:]]

    async def again(self) -> list[Send]:
        """What leaves Alice now, of what waited."""
        before = len(self.town.left)
        await self.town.send(self.me)
        return [frame for _, frame in self.town.left[before:]]

    def told(self, kind: type) -> list[object]:
        return [e for e in self.town.told.get((self.alice.account, 1), []) if isinstance(e, kind)]

    async def quote(self, device: Device, **quoted: Ref) -> None:
        """A device of Bob says something, and quotes lists as it likes."""
        real = PairSealer._content

        def content(*args: object) -> Content:
            return msgspec.structs.replace(real(*args), attached=None, **quoted)  # type: ignore[arg-type]

        await say(device, self.alice, "trust me")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PairSealer, "_content", content)
            await self.town.send(device)
        await self.town.sync(self.me)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    town = Town(tmp_path)
    street = Street(town, await town.account(), await town.account())
    await street.talk()
    yield street
    await town.close()


LIE = (9, bytes(32))


# ---- claims


async def test_a_list_that_a_message_brings_proves_itself(street: Street) -> None:
    laptop = await street.town.link(street.bob)
    street.town.shown[street.bob.account] = street.bob.lists[0]
    await say(laptop, street.alice, "I am new")
    await say(street.bob[1], street.alice, "this is my laptop")
    await street.town.fetch(street.bob[1], street.bob.account)
    street.town.shown.clear()
    await street.town.fetch(street.bob[1], street.bob.account)
    street.town.shown[street.bob.account] = street.bob.lists[0]
    await street.town.send(street.bob[1])
    await street.town.sync(street.me)
    assert (await held(street.me, street.bob.account)).list.version == 2
    assert [frame.mode for frame in await street.try_to_say("welcome")] == [FULL]
    assert street.told(Unconfirmed) == []


async def test_a_claim_that_nobody_can_prove_pauses_sending_for_an_hour(street: Street) -> None:
    await street.quote(street.bob[1], own_list=LIE)
    assert await street.try_to_say("wait") == []
    assert street.told(Unconfirmed) == [Unconfirmed(street.bob.account, DeviceId(1))]
    assert await street.me.store.read(lambda db: claims.unconfirmed(db, street.bob.account)) == [1]
    street.town.later(ms=HOUR_MS - 1)
    assert await street.again() == []
    street.town.later(ms=1)
    assert [frame.mode for frame in await street.again()] == [FULL]
    assert street.town.asked.count(street.bob.account) >= 2, "it was asked for again meanwhile"


async def test_one_liar_stops_nobody_for_longer_than_one_hour(street: Street) -> None:
    await street.quote(street.bob[1], own_list=LIE)
    await street.try_to_say("wait")
    street.town.later(ms=HOUR_MS)
    assert len(await street.again()) == 1
    for version in range(10, 14):
        await street.quote(street.bob[1], own_list=(version, bytes(32)))
        assert len(await street.try_to_say("no more")) == 1
    assert len(street.told(Unconfirmed)) == 1


async def test_each_device_has_one_pause(street: Street) -> None:
    laptop = await street.town.link(street.bob)
    await street.town.fetch(street.me, street.bob.account)
    await street.quote(street.bob[1], own_list=LIE)
    await street.try_to_say("wait")
    street.town.later(ms=HOUR_MS)
    assert len(await street.again()) == 1
    await street.quote(laptop, own_list=LIE)
    assert await street.try_to_say("wait again") == []
    assert len(street.told(Unconfirmed)) == 2


async def test_a_liar_stops_no_other_conversation(street: Street) -> None:
    carol = await street.town.account()
    await street.quote(street.bob[1], own_list=LIE, peer_list=LIE)
    assert await street.try_to_say("wait") == []
    await say(street.me, carol, "hello")
    assert len(await street.again()) == 1


async def test_a_claim_that_proves_true_ends_the_pause(street: Street) -> None:
    obj = street.town.relist(street.bob)
    street.town.shown[street.bob.account] = street.bob.lists[0]
    await street.quote(street.bob[1], own_list=(2, obj.hash))
    assert await street.try_to_say("wait") == []
    street.town.shown.clear()
    street.town.later(ms=claims.ASK_AGAIN_MS)
    assert len(await street.again()) == 1
    assert await street.me.store.read(lambda db: claims.unconfirmed(db, street.bob.account)) == []


async def test_another_hash_of_the_held_version_is_a_claim_and_no_alarm(street: Street) -> None:
    await street.quote(street.bob[1], own_list=(1, bytes(32)))
    assert await street.try_to_say("wait") == []
    assert street.told(ListConflict) == []
    assert len(street.told(Unconfirmed)) == 1


async def test_an_older_list_is_no_claim(street: Street) -> None:
    street.town.relist(street.bob)
    await street.town.fetch(street.me, street.bob.account)
    assert (await held(street.bob[1], street.bob.account)).list.version == 1
    await say(street.bob[1], street.alice, "quotes what it has")
    await street.town.send(street.bob[1])
    await street.town.sync(street.me)
    assert len(await street.try_to_say("go on")) == 1


async def test_a_claim_about_ones_own_list_is_asked_for_too(street: Street) -> None:
    laptop = await street.town.link(street.alice)
    street.town.relist(street.alice)
    await street.town.fetch(street.bob[1], street.alice.account)
    await say(street.bob[1], street.alice, "your list is new")
    await street.town.send(street.bob[1])
    await street.town.sync(laptop)
    assert (await held(laptop, street.alice.account)).list.version == 2
    await say(laptop, street.bob, "thanks")
    await street.town.send(laptop)
    assert (await held(laptop, street.alice.account)).list.version == 3


# ---- narrowing


async def test_a_list_hidden_for_48_h_narrows_to_the_primary(street: Street) -> None:
    laptop = await street.town.link(street.bob)
    street.town.shown[street.bob.account] = street.bob.lists[0]
    tries = await street.try_to_say("to whom?")
    for _ in range(47):
        street.town.later(hours=1)
        tries += await street.again()
    assert {frame.mode for frame in tries} == {FULL}
    assert len(tries) == 11, "refused each time, and tried ever more rarely"
    street.town.later(hours=1.1)
    [narrowed] = await street.again()
    assert (narrowed.mode, [part.device for part in narrowed.parts]) == (NARROWED, [1])
    await street.settle()
    *_, entry = await shown(street.bob[1], street.alice)
    assert isinstance(entry, Message)
    assert (entry.text, entry.note) == ("to whom?", "narrowed")
    assert await texts(laptop, street.alice) == []


async def test_a_hidden_list_that_is_shown_in_time_narrows_nothing(street: Street) -> None:
    laptop = await street.town.link(street.bob)
    street.town.shown[street.bob.account] = street.bob.lists[0]
    await street.try_to_say("to both")
    street.town.later(hours=40)
    street.town.shown.clear()
    assert [frame.mode for frame in await street.again()] == [FULL]
    await street.settle()
    assert await texts(laptop, street.alice) == ["to both"]
    street.town.later(hours=40)
    assert [frame.mode for frame in await street.try_to_say("and again")] == [FULL]


async def test_a_set_that_the_server_takes_back_narrows_nothing(street: Street) -> None:
    street.town.tamper = lambda device, row: msgspec.structs.replace(row, sets=(9, 9))
    await say(street.bob[1], street.alice, "news")
    await street.settle()
    assert (await held(street.me, street.bob.account)).missing_since_ms is not None
    assert [frame.mode for frame in await street.try_to_say("all the same")] == [FULL]
    street.town.later(hours=60)
    assert [frame.mode for frame in await street.try_to_say("and later")] == [FULL]


async def test_a_quoted_list_alone_never_narrows(street: Street) -> None:
    await street.quote(street.bob[1], own_list=LIE)
    await street.try_to_say("later")
    street.town.later(hours=60)
    assert [frame.mode for frame in await street.again()] == [FULL]


async def test_weekly_signing_bounces_nobody(street: Street) -> None:
    for week in range(6):
        street.town.later(days=7)
        street.town.relist(street.alice)
        street.town.relist(street.bob)
        await street.town.fetch(street.me, street.alice.account)
        await street.town.fetch(street.bob[1], street.bob.account)
        assert [frame.mode for frame in await street.try_to_say(f"week {week}")] == [FULL]
        await say(street.bob[1], street.alice, "yes")
        await street.settle()
    assert len(await texts(street.bob[1], street.alice)) == 14
    assert (await health(street.me)).undecryptable == 0
    assert street.told(Unconfirmed) == []


async def test_a_primary_away_for_60_days_has_its_list_narrowed_and_is_read_when_it_is_back(
    street: Street,
) -> None:
    laptop = await street.town.link(street.bob)
    await street.try_to_say("before")
    await street.settle()
    for _ in range(5):
        street.town.later(days=12)
        street.town.relist(street.alice)
        await street.town.fetch(street.me, street.alice.account)
        await street.try_to_say("are you there?")
        await street.town.settle(street.me, laptop)
    narrowed = [frame for _, frame in street.town.left if frame.mode == NARROWED]
    assert len(narrowed) == 2, "after 36 days, not before"
    assert all([part.device for part in frame.parts] == [1] for frame in narrowed)
    # Back: it takes what its mailbox still has, and signs.
    await street.town.sync(street.bob[1])
    street.town.relist(street.bob)
    await street.town.fetch(street.bob[1], street.bob.account)
    await street.town.fetch(street.me, street.bob.account)
    await street.town.follow(street.me)
    await street.settle()
    assert (await texts(laptop, street.alice)).count("are you there?") == 5
    assert [frame.mode for frame in await street.try_to_say("welcome back")] == [FULL]


async def test_an_own_list_that_expired_leaves_out_ones_own_other_devices(street: Street) -> None:
    laptop = await street.town.link(street.alice)
    await street.town.link(street.alice)
    street.town.later(days=37)
    street.town.relist(street.bob)
    await say(laptop, street.bob, "my phone is lost")
    await street.town.send(laptop)
    _, frame = street.town.left[-1]
    assert frame.mode == NARROWED
    assert [part.device for part in frame.parts] == [1]
    assert [part.device for part in frame.own_parts] == [1], "the primary alone"


# ---- the clock


async def friends(street: Street, count: int) -> list[House]:
    found = []
    for _ in range(count):
        house = await street.town.account()
        await street.town.fetch(street.me, house.account)
        found.append(house)
    return found


async def test_a_clock_40_days_ahead_asks_about_the_clock_and_stops(street: Street) -> None:
    await friends(street, 3)
    street.me.clock = Clockwork(street.town.clock.now_ms + 40 * DAY_MS)
    for _ in range(5):
        assert await street.again() == await street.try_to_say("hello?") == []
    assert street.told(ClockWrong) == [ClockWrong()]
    street.me.clock = street.town.clock
    assert {frame.mode for frame in await street.again()} == {FULL}


async def test_a_clock_40_days_behind_asks_about_the_clock_and_stops(street: Street) -> None:
    street.me.clock = Clockwork(street.town.clock.now_ms - 40 * DAY_MS)
    assert await street.try_to_say("hello?") == []
    assert street.told(ClockWrong) == [ClockWrong()]
    street.me.clock = street.town.clock
    assert [frame.mode for frame in await street.again()] == [FULL]


async def test_one_expired_list_among_good_ones_is_the_others_trouble(street: Street) -> None:
    others = await friends(street, 3)
    street.town.later(days=37)
    for house in (street.alice, *others):
        street.town.relist(house)
    await street.town.fetch(street.me, street.alice.account)
    assert [frame.mode for frame in await street.try_to_say("hello?")] == [NARROWED]
    assert street.told(ClockWrong) == []


# ---- the alarm


async def two_lists(street: Street) -> tuple[object, object]:
    """Bob's account key signs two lists of version 2; Alice holds the first."""
    one = street.town.relist(street.bob)
    street.town.clock.now_ms += 5_000
    other = street.town.relist(street.bob, upon=street.bob.lists[0])
    assert decode_list(one.body).version == decode_list(other.body).version
    await street.town.fetch(street.me, street.bob.account)
    street.town.shown[street.bob.account] = other
    return one, other


async def test_the_same_version_with_two_hashes_is_an_alarm_and_stops_sending(
    street: Street,
) -> None:
    one, other = await two_lists(street)
    await street.town.fetch(street.me, street.bob.account)
    [alarm] = street.told(ListConflict)
    assert isinstance(alarm, ListConflict)
    assert alarm.account == street.bob.account
    proof = read_conflict(alarm.proof)
    assert {proof.one.hash, proof.other.hash} == {one.hash, other.hash}  # type: ignore[attr-defined]
    assert (await held(street.me, street.bob.account)).obj == one
    assert await street.try_to_say("nothing") == []
    street.town.later(days=3)
    assert await street.again() == []
    await say(street.bob[1], street.alice, "I can still be read")
    await street.settle()
    assert (await texts(street.me, street.bob))[-2:] == ["I can still be read", "nothing"]


async def test_an_alarm_ends_with_a_tap_and_a_higher_version(street: Street) -> None:
    await two_lists(street)
    await street.town.fetch(street.me, street.bob.account)
    await street.try_to_say("held back")
    account = street.bob.account
    street.town.shown[account] = three = street.town.relist(street.bob)
    street.town.later(hours=1)
    assert await street.again() == [], "a higher version alone is not enough"
    assert await street.me.store.write(lambda db: list_alarms.accept(db, account))
    street.town.shown[account] = street.bob.lists[1]
    street.town.later(hours=1)
    assert await street.again() == [], "a tap alone is not enough"
    street.town.shown[account] = three
    street.town.later(hours=1)
    assert [frame.mode for frame in await street.again()] == [FULL]
    assert (await held(street.me, account)).obj == three
    assert len(await street.me.store.read(lambda db: list_alarms.proofs(db, account))) == 1
    assert not await street.me.store.write(lambda db: list_alarms.accept(db, account))


async def test_an_attached_list_raises_the_alarm_too(street: Street) -> None:
    _, other = await two_lists(street)
    street.town.shown.clear()
    phone = street.bob[1]
    await phone.store.write(lambda db: lists.adopt(db, phone.account, other, phone.clock.now_ms))  # type: ignore[arg-type]
    await say(phone, street.alice, "with the other list")
    await street.town.send(phone)
    await street.town.sync(street.me)
    assert len(street.told(ListConflict)) == 1


async def test_a_rollback_is_refused_and_nothing_else(street: Street) -> None:
    street.town.relist(street.bob)
    await street.town.fetch(street.me, street.bob.account)
    first = street.bob.lists[0]

    def offer(db: apsw.Connection) -> Adopted:
        return lists.adopt(db, street.bob.account, first, street.me.clock.now_ms, fetched=False)

    assert await street.me.store.write(offer) is Adopted.KNOWN
    assert (await held(street.me, street.bob.account)).list.version == 2
    assert street.told(ListConflict) == []


# ---- parking


async def test_a_flooded_park_drops_the_oldest_of_that_sender_alone(street: Street) -> None:
    eve = await street.town.account()
    await say(street.bob[1], street.alice, "parked too")
    await street.me.store.write(
        lambda db: db.execute("DELETE FROM lists WHERE account = ?", (street.bob.account,)).close()
    )
    await street.town.send(street.bob[1])
    [bobs] = [
        row
        for row in street.town.rows(street.me, await street.me.cursor())
        if isinstance(row, Deliver)
    ]

    def flood(db: apsw.Connection) -> tuple[int, int]:
        parking.park(db, bobs, street.me.clock.now_ms)
        for number in range(2 * parking.PARK_MESSAGES):
            row = msgspec.structs.replace(
                bobs, sender=eve.account, id=number.to_bytes(16, "big"), ciphertext=bytes(30_000)
            )
            parking.park(db, row, street.me.clock.now_ms)
        sizes = [len(frame.ciphertext) for frame, _ in parking.take(db, eve.account)]
        return sum(sizes), len(parking.take(db, street.bob.account))

    size, of_bob = await street.me.store.write(flood)
    assert 0 < size <= parking.PARK_BYTES
    assert of_bob == 1


def test_an_item_says_nothing_of_what_it_holds() -> None:
    item = Item(id=b"", conversation=b"", peer=b"", kind="text", body=["secret"], sent_ms=0)
    assert "secret" not in repr(item)
