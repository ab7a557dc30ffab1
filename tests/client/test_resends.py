"""What could not be read is asked for, and sent again to nobody else than whom it was for."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.client.post_office import Device
from tests.client.town import House, Town, broken, health, say, shown, texts

from linnet.client import accepted, facts, keys, lists, outbox, read_marks
from linnet.client.accepted import Accepted, Addressee
from linnet.client.events import Healed, Message, Sent, State, Undecryptable
from linnet.client.facts import Keys
from linnet.client.joining import joined_inbox
from linnet.client.resends import Resends
from linnet.client.sql import every
from linnet.crypto.content import Content, Reference, commitment, seal_content
from linnet.signing.device_list import first_list
from linnet.signing.keys import generate
from linnet.wire.frames import CONTROL, NARROWED, PREKEY, Deliver, Rejected, Send
from linnet.wire.ids import direct_conversation

DAY_MS = 86_400_000


class Street:
    """Alice and Bob, who know each other, in a town."""

    def __init__(self, town: Town, alice: House, bob: House) -> None:
        self.town, self.alice, self.bob = town, alice, bob

    @property
    def phone(self) -> Device:
        return self.bob[1]

    def break_once(self, *ids: bytes, device: Device | None = None) -> None:
        """These messages reach a device (Bob's phone) broken."""
        target = device or self.phone

        def tamper(to: Device, row: Deliver) -> Deliver:
            return broken(row) if to.sessions is target.sessions and row.id in ids else row

        self.town.tamper = tamper

    async def talk(self) -> None:
        """A few words each way, so that sessions are open and answered."""
        await say(self.alice[1], self.bob, "hi")
        await self.settle()
        await say(self.phone, self.alice, "hello")
        await self.settle()

    async def settle(self) -> None:
        everyone = [*self.alice.devices.values(), *self.bob.devices.values()]
        await self.town.settle(*everyone)

    async def lose(self, *words: str) -> list[bytes]:
        """Alice says these, and Bob's phone cannot read them."""
        ids = [bytes(await say(self.alice[1], self.bob, word)) for word in words]
        self.break_once(*ids)
        await self.settle()
        self.break_once()
        return ids

    async def ask(self, device: Device | None = None) -> int:
        """A minute online: the device asks, and everybody answers."""
        asked = await self.town.heal(device or self.phone)
        await self.settle()
        return asked

    async def request(self, device: Device, *ids: bytes) -> None:
        """A device asks Alice for ids, whatever it knows of them."""
        await device.store.write(
            lambda db: outbox.enqueue_control(
                db,
                id=outbox.new_id(db, self.town.clock.now_ms, device.sessions.rng),
                peer=self.alice.account,
                devices=(1,),
                kind="resend_request",
                body=[list(ids)],
                sent_ms=self.town.clock.now_ms,
            )
        )
        await self.settle()

    def sent(self, *, by: Device, mode: int) -> list[Send]:
        """Frames of a mode that left a device."""
        return [
            frame
            for device, frame in self.town.left
            if device.sessions is by.sessions and frame.mode == mode
        ]


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    town = Town(tmp_path)
    alice, bob = await town.account(), await town.account()
    yield Street(town, alice, bob)
    await town.close()


async def test_a_message_that_could_not_be_read_appears_where_it_belongs(street: Street) -> None:
    await street.talk()
    [id] = await street.lose("lost")
    await say(street.alice[1], street.bob, "after")
    await street.settle()
    assert await texts(street.phone, street.alice) == ["hi", "hello", "Undecryptable", "after"]
    assert await street.ask() == 1
    assert await texts(street.phone, street.alice) == ["hi", "hello", "lost", "after"]
    [healed] = [e for e in street.town.told[street.bob.account, 1] if isinstance(e, Healed)]
    assert healed.id == id
    assert isinstance(healed.message, Message)
    assert (healed.message.text, healed.message.note) == ("lost", "")
    mine, hers = await health(street.phone), await health(street.alice[1])
    assert (mine.undecryptable, mine.resends_asked, mine.healed) == (1, 1, 1)
    assert hers.resends_answered == 1


async def test_a_healed_message_is_a_message_of_its_conversation_in_every_respect(
    street: Street,
) -> None:
    await street.talk()
    await street.lose("lost")
    await street.ask()
    *_, entry = await shown(street.phone, street.alice)
    assert isinstance(entry, Message)
    assert entry.state is State.RECEIVED
    assert (entry.conv_seq, entry.sender, entry.device) == (3, street.alice.account, 1)
    assert [e.id for e in await shown(street.alice[1], street.bob)] == [
        e.id for e in await shown(street.phone, street.alice)
    ]


async def test_all_that_is_lost_is_asked_for_at_once_in_a_session_of_its_own(
    street: Street,
) -> None:
    await street.talk()
    await street.lose("one", "two", "three")
    assert await street.ask() == 1
    [request, *_] = street.sent(by=street.phone, mode=CONTROL)
    assert [part.kind for part in request.parts] == [PREKEY]
    assert await texts(street.phone, street.alice) == ["hi", "hello", "one", "two", "three"]


async def test_the_old_session_is_kept_until_the_new_one_is_answered(street: Street) -> None:
    await street.talk()
    await street.lose("lost")
    await say(street.alice[1], street.bob, "under way in the old session")
    await street.town.send(street.alice[1])
    await street.town.heal(street.phone)
    await street.town.send(street.phone)
    await street.settle()
    assert (await texts(street.phone, street.alice))[2:] == ["lost", "under way in the old session"]
    assert (await health(street.phone)).undecryptable == 1


async def test_a_device_is_asked_once_an_hour_and_three_times_for_one_message(
    street: Street,
) -> None:
    await street.talk()
    await street.lose("lost")
    asked = []
    for _ in range(6):
        asked.append(await street.town.heal(street.phone))
        asked.append(await street.town.heal(street.phone))
        street.town.later(hours=1)
    assert asked == [1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]


async def test_a_resend_that_is_lost_too_is_asked_for_again(street: Street) -> None:
    await street.talk()
    await street.lose("lost")
    street.town.tamper = lambda device, row: broken(row) if row.mode == CONTROL else row
    await street.town.heal(street.phone)
    await street.town.send(street.phone)
    street.town.tamper = lambda device, row: row
    await street.town.sync(street.alice[1])
    await street.town.send(street.alice[1])
    street.town.tamper = lambda device, row: broken(row) if row.mode == CONTROL else row
    await street.town.sync(street.phone)
    street.town.tamper = lambda device, row: row
    assert (await texts(street.phone, street.alice))[2:] == ["Undecryptable"]
    street.town.later(hours=1)
    await street.ask()
    assert (await texts(street.phone, street.alice))[2:] == ["lost"]


async def test_a_first_message_to_a_session_that_was_lost_is_healed(street: Street) -> None:
    """The recipient's store went back: it knows nothing of the session in use."""
    await street.talk()
    await street.phone.store.write(lambda db: db.execute("DELETE FROM sessions").close())
    await say(street.alice[1], street.bob, "into the void")
    await street.settle()
    assert (await texts(street.phone, street.alice))[2:] == ["Undecryptable"]
    await street.ask()
    await say(street.alice[1], street.bob, "and on")
    await street.settle()
    assert (await texts(street.phone, street.alice))[2:] == ["into the void", "and on"]


async def test_an_own_copy_that_could_not_be_read_comes_from_the_device_that_wrote_it(
    street: Street,
) -> None:
    laptop = await street.town.link(street.bob)
    await street.talk()
    id = await say(street.phone, street.alice, "from the phone")
    street.break_once(id, device=laptop)
    await street.settle()
    street.break_once()
    await street.ask(laptop)
    *_, entry = await shown(laptop, street.alice)
    assert isinstance(entry, Message)
    assert (entry.text, entry.state) == ("from the phone", State.SENT)


# ---- who gets nothing


async def test_a_resend_oracle_is_none_for_a_new_device(street: Street) -> None:
    await street.talk()
    [id] = await street.lose("before the laptop")
    laptop = await street.town.link(street.bob)
    await street.request(laptop, id)
    assert await texts(laptop, street.alice) == []
    hers = await health(street.alice[1])
    assert (hers.resends_answered, hers.resends_refused) == (0, 1)


async def test_a_resend_oracle_is_none_for_a_stranger(street: Street) -> None:
    await street.talk()
    [id] = await street.lose("for bob alone")
    eve = await street.town.account()
    await street.request(eve[1], id)
    await street.town.settle(eve[1], street.alice[1])
    assert (await health(street.alice[1])).resends_answered == 0
    assert (await health(street.alice[1])).resends_refused == 1


async def test_a_resend_oracle_is_none_for_a_revoked_device(street: Street) -> None:
    laptop = await street.town.link(street.bob)
    await street.talk()
    id = await say(street.alice[1], street.bob, "for both")
    street.break_once(id, device=laptop)
    await street.settle()
    street.town.relist(street.bob, without=2)
    await street.town.fetch(street.alice[1], street.bob.account)
    # The server lets it in nevertheless.
    assert await street.town.heal(laptop)
    [item] = await laptop.due()
    data = await street.town.seal(laptop, item)
    assert data is not None
    row = msgspec.structs.replace(
        (await self_row(street, laptop, data)), position=10_000, prev=street.town.position
    )
    await street.alice[1].receive([row])
    assert (await health(street.alice[1])).resends_answered == 0


async def self_row(street: Street, device: Device, data: bytes) -> Deliver:
    """What a server that knows no rules would deliver to Alice."""
    frame = msgspec.msgpack.decode(data, type=Send)
    [part] = frame.parts
    conversation = (await device.due())[0].conversation
    return Deliver(
        0,
        0,
        conversation,
        0,
        frame.id,
        device.account,
        device.sessions.me.device,
        frame.mode,
        part.kind,
        part.ciphertext,
        frame.commitment,
        frame.timestamp,
        street.town.clock.now_ms,
    )


@pytest.mark.parametrize("member", [True, False], ids=["member", "ex-member"])
async def test_a_resend_oracle_is_none_for_an_ex_member(street: Street, member: bool) -> None:
    await street.talk()
    alice, phone = street.alice[1], street.phone
    group = bytes(16)

    def is_member(db: apsw.Connection, asked: bytes, device: Addressee) -> bool:
        assert (asked, device[:2]) == (group, (street.bob.account, 1))
        return member

    alice.inbox = joined_inbox(alice.sessions, member=is_member)
    theirs = (street.bob.account, 1, phone.sessions.local.key.public)
    message = Accepted(
        bytes(16), group, group, "text", b"z", (theirs,), None, 5, street.town.clock.now_ms
    )
    await alice.store.write(lambda db: accepted.keep(db, message))
    await street.request(phone, bytes(16))
    assert (await health(alice)).resends_answered == int(member)


async def test_what_was_replied_to_is_not_sent_again(street: Street) -> None:
    await street.talk()
    id = await say(street.alice[1], street.bob, "a question")
    await street.settle()
    await reply(street, street.phone, id)
    await street.request(street.phone, id)
    assert (await health(street.alice[1])).resends_refused == 1


async def test_a_receipt_says_that_a_device_needs_no_resend(street: Street) -> None:
    await street.talk()
    id = await say(street.alice[1], street.bob, "a question")
    await street.settle()
    await street.phone.store.write(
        lambda db: outbox.enqueue_control(
            db,
            id=outbox.new_id(db, street.town.clock.now_ms, street.phone.sessions.rng),
            peer=street.alice.account,
            devices=None,
            kind="receipt",
            body=[[id], street.town.clock.now_ms],
            sent_ms=street.town.clock.now_ms,
        )
    )
    await street.settle()
    await street.request(street.phone, id)
    assert (await health(street.alice[1])).resends_refused == 1


async def test_one_device_that_read_it_takes_nothing_from_the_other(street: Street) -> None:
    laptop = await street.town.link(street.bob)
    await street.talk()
    id = await say(street.alice[1], street.bob, "for both")
    street.break_once(id, device=laptop)
    await street.settle()
    street.break_once()
    await reply(street, street.phone, id)
    await street.ask(laptop)
    assert "for both" in await texts(laptop, street.alice)


async def reply(street: Street, device: Device, id: bytes) -> None:
    """A message that replies to one of Alice's, as a later version of the SDK sends it."""
    held = await device.store.read(lambda db: lists.held(db, street.bob.account))
    assert held is not None
    now_ms = street.town.clock.now_ms
    new = await device.store.read(lambda db: outbox.new_id(db, now_ms, device.sessions.rng))
    content = Content(
        id=new,
        to=b"\x01" + street.alice.account,
        sender=device.account,
        device=device.sessions.me.device,
        counter=9,
        sent_ms=now_ms,
        own_list=held.ref,
        reply=Reference(street.alice.account, street.alice.key.public, id),
        kind="text",
        body=["an answer"],
    )
    await say(device, street.alice, "in place of this")
    [item] = await device.due()
    data = await street.town.seal(device, item)
    assert data is not None
    z = seal_content(content, bytes(32))
    peer = (street.alice.account, 1)
    sealed = await device.store.write(
        lambda db: device.sessions.encrypt(
            db, peer, street.alice[1].sessions.local.key.public, z, now_ms
        )
    )
    row = await self_row(street, device, data)
    row = msgspec.structs.replace(
        row,
        position=street.town.position + 1,
        prev=0,
        id=new,
        conv_seq=99,
        commitment=commitment(z),
        kind=sealed.type,
        ciphertext=sealed.data,
    )
    await street.alice[1].receive([row])
    await street.settle()


async def test_a_message_is_sent_again_three_times_to_one_device(street: Street) -> None:
    await street.talk()
    [id] = await street.lose("lost")
    for _ in range(5):
        await street.request(street.phone, id)
    hers = await health(street.alice[1])
    assert (hers.resends_answered, hers.resends_refused) == (3, 2)


@pytest.mark.parametrize(("days", "answered"), [(13.9, 1), (14.1, 0)])
async def test_what_is_older_than_two_weeks_is_not_sent_again(
    street: Street, days: float, answered: int
) -> None:
    await street.talk()
    [id] = await street.lose("lost")
    street.town.later(days=days)
    street.town.relist(street.alice)
    street.town.relist(street.bob)
    await street.request(street.phone, id)
    assert (await health(street.alice[1])).resends_answered == answered


async def test_another_account_key_gets_nothing_that_was_written_before(street: Street) -> None:
    await street.talk()
    [id] = await street.lose("lost")
    alice, phone = street.alice[1], street.phone
    own = await phone.store.read(lambda db: facts.get(db, Keys))
    assert own is not None
    anew = first_list(
        street.bob.account,
        generate(phone.sessions.rng),
        keys.device_key(own),
        b"",
        street.town.clock.now_ms // 1000,
        phone.sessions.rng,
    )
    street.bob.lists.append(anew)
    await street.town.fetch(alice, street.bob.account)
    accept = await alice.store.write(
        lambda db: lists.accept_changed(db, street.bob.account, street.town.clock.now_ms)
    )
    assert accept
    await phone.store.write(
        lambda db: db.execute("DELETE FROM lists WHERE account = ?", (street.bob.account,)).close()
    )
    await phone.store.write(
        lambda db: lists.adopt(db, street.bob.account, anew, street.town.clock.now_ms)
    )
    await street.request(phone, id)
    hers = await health(alice)
    assert (hers.resends_answered, hers.resends_refused) == (0, 1)


# ---- what is checked of a resend


async def test_a_resend_with_another_text_is_not_believed(street: Street) -> None:
    await street.talk()
    [id] = await street.lose("lost")
    await street.alice[1].store.write(lambda db: forge(db, id))
    await street.ask()
    assert (await texts(street.phone, street.alice))[2:] == ["Undecryptable"]
    assert (await health(street.phone)).dropped == {"damaged": 1}
    assert (await health(street.phone)).healed == 0


def forge(db: apsw.Connection, id: bytes) -> None:
    """The sender keeps another text under this id than it sent then."""
    [(z,)] = db.execute("SELECT z FROM accepted WHERE id != ? AND kind = 'text'", (id,)).fetchall()[
        :1
    ]
    db.execute("UPDATE accepted SET z = ? WHERE id = ?", (z, id))


async def test_what_was_read_is_not_replaced_by_a_resend(street: Street) -> None:
    await street.talk()
    id = await say(street.alice[1], street.bob, "as it was")
    await street.settle()
    await street.request(street.phone, id)
    assert (await health(street.alice[1])).resends_answered == 1
    assert (await texts(street.phone, street.alice))[2:] == ["as it was"]
    assert (await health(street.phone)).healed == 0


@pytest.mark.parametrize(
    "body",
    [None, [], ["x"], [[b"short"]], [[bytes(16)] * 201], [[7]]],
    ids=["nil", "empty", "text", "short", "many", "number"],
)
async def test_a_request_that_is_none_is_dropped(street: Street, body: object) -> None:
    await street.talk()
    await street.phone.write_control(street.alice[1], "resend_request", body)  # type: ignore[arg-type]
    await street.settle()
    assert (await health(street.alice[1])).dropped == {"damaged": 1}


@pytest.mark.parametrize(
    "body", [None, [bytes(16)], [bytes(16), -1, b""], [bytes(16), 1, bytes(160)], [b"x", 1, b""]]
)
async def test_a_resend_that_is_none_is_dropped(street: Street, body: object) -> None:
    await street.talk()
    await street.phone.write_control(street.alice[1], "resend", body)  # type: ignore[arg-type]
    await street.settle()
    assert (await health(street.alice[1])).dropped == {"damaged": 1}


async def test_a_lost_control_message_is_answered_by_who_knows_its_kind(street: Street) -> None:
    await street.talk()
    alice = street.alice[1]
    asked: list[tuple[str, bytes, Addressee]] = []

    def reissue(db: apsw.Connection, message: Accepted, device: Addressee, now_ms: int) -> None:
        asked.append((message.kind, message.id, device))
        assert message.z == b"", "what a control message carried is not kept"

    alice.inbox = joined_inbox(alice.sessions, reissue={"sender_key": reissue})
    id = await alice.write_control(street.phone, "sender_key", ["secret"])
    street.break_once(id)
    await street.settle()
    street.break_once()
    await street.ask()
    device = (street.bob.account, 1, street.phone.sessions.local.key.public)
    assert asked == [("sender_key", id, device)]


# ---- one id, several tries


async def test_one_id_with_two_z_after_a_lost_sent_reaches_the_difference(street: Street) -> None:
    await street.talk()
    alice = street.alice[1]
    street.town.lose = lambda frame: True
    id = await say(alice, street.bob, "which of the two?")
    await street.town.send(alice, rounds=1)
    laptop = await street.town.link(street.bob)
    # A server that lost its word says the sets are stale, and then that the first try stands.
    await alice.receive([Rejected(id, "devices_changed", True, (2, 1))])
    street.town.lose = lambda frame: False
    await street.town.send(alice)
    await street.settle()
    events = street.town.told[street.alice.account, 1]
    assert [event.id for event in events if isinstance(event, Sent)][-1] == id
    assert (await texts(street.phone, street.alice))[2:] == ["which of the two?"]
    [entry] = await shown(laptop, street.alice)
    assert isinstance(entry, Message)
    assert (entry.text, entry.note, entry.conv_seq) == ("which of the two?", "resent", 3)
    tries = [frame for frame in street.sent(by=alice, mode=0) if frame.id == id]
    assert len({frame.commitment for frame in tries}) == 2
    assert {len(frame.parts) for frame in tries} == {1, 2}


# ---- devices that were left out


async def test_a_device_withheld_by_narrowing_gets_it_once_a_valid_list_shows_it(
    street: Street,
) -> None:
    laptop = await street.town.link(street.bob)
    await street.talk()
    street.town.later(days=37)
    street.town.relist(street.alice)
    await street.town.fetch(street.alice[1], street.alice.account)
    await say(street.alice[1], street.bob, "only for the phone")
    await street.settle()
    assert street.sent(by=street.alice[1], mode=NARROWED)
    assert (await texts(laptop, street.alice))[-1] != "only for the phone"
    *_, on_phone = await shown(street.phone, street.alice)
    assert on_phone.note == "narrowed"
    await street.town.follow(street.alice[1])
    await street.settle()
    assert (await texts(laptop, street.alice))[-1] != "only for the phone", "the list is expired"
    street.town.relist(street.bob)
    await street.town.fetch(street.alice[1], street.bob.account)
    for _ in range(2):
        await street.town.follow(street.alice[1])
    await street.settle()
    *_, entry = await shown(laptop, street.alice)
    assert isinstance(entry, Message)
    assert (entry.text, entry.note) == ("only for the phone", "resent")
    assert (await health(street.alice[1])).resends_answered == 1


async def test_a_withheld_device_under_another_key_gets_nothing(street: Street) -> None:
    laptop = await street.town.link(street.bob)
    await street.talk()
    street.town.later(days=37)
    street.town.relist(street.alice)
    await street.town.fetch(street.alice[1], street.alice.account)
    await say(street.alice[1], street.bob, "only for the phone")
    await street.settle()
    street.town.relist(street.bob, without=2)
    await street.town.link(street.bob)
    await street.town.fetch(street.alice[1], street.bob.account)
    await street.town.follow(street.alice[1])
    await street.settle()
    assert (await texts(laptop, street.alice))[-1] != "only for the phone"
    assert await texts(street.bob[3], street.alice) == []


async def test_a_replaced_main_device_gets_what_the_old_one_never_showed_to_have(
    street: Street,
) -> None:
    await street.talk()
    id = await say(street.alice[1], street.bob, "to the phone in the river")
    await street.town.send(street.alice[1])
    new = await street.town.link(street.bob)
    street.town.relist(street.bob, primary=2)
    street.town.relist(street.bob, without=1)
    await street.town.fetch(street.alice[1], street.bob.account)
    del street.bob.devices[1]
    await street.town.follow(street.alice[1])
    await street.settle()
    entries = await shown(new, street.alice)
    assert id in [entry.id for entry in entries]
    assert {entry.note for entry in entries} == {"resent"}


async def test_a_replaced_main_device_gets_nothing_of_a_group(street: Street) -> None:
    await street.talk()
    alice, group = street.alice[1], bytes(16)
    alice.inbox = joined_inbox(alice.sessions, member=lambda db, asked, device: True)
    theirs = (street.bob.account, 1, street.phone.sessions.local.key.public)
    message = Accepted(
        bytes(16), group, group, "text", b"z", (theirs,), None, 5, street.town.clock.now_ms
    )
    await alice.store.write(lambda db: accepted.keep(db, message))
    await street.town.link(street.bob)
    street.town.relist(street.bob, primary=2)
    street.town.relist(street.bob, without=1)
    await street.town.fetch(alice, street.bob.account)
    del street.bob.devices[1]
    await street.town.follow(alice)
    resent = await alice.store.read(lambda db: every(db, "SELECT id FROM resent"))
    assert (message.id,) not in resent
    assert resent  # what was said to Bob alone


async def test_a_replaced_main_device_gets_nothing_that_was_read(street: Street) -> None:
    await street.talk()
    await say(street.alice[1], street.bob, "was read")
    await say(street.alice[1], street.bob, "was not")
    await street.town.send(street.alice[1])
    conversation = direct_conversation(street.alice.account, street.bob.account)
    await street.alice[1].store.write(
        lambda db: read_marks.raise_to(db, conversation, street.bob.account, 3)
    )
    new = await street.town.link(street.bob)
    street.town.relist(street.bob, primary=2)
    street.town.relist(street.bob, without=1)
    await street.town.fetch(street.alice[1], street.bob.account)
    del street.bob.devices[1]
    await street.town.follow(street.alice[1])
    await street.settle()
    assert await texts(new, street.alice) == ["was not"]


async def test_a_main_device_that_handed_over_is_not_replaced(street: Street) -> None:
    await street.talk()
    await street.town.link(street.bob)
    street.town.relist(street.bob, primary=2)
    await street.town.fetch(street.alice[1], street.bob.account)
    await street.town.follow(street.alice[1])
    assert (await health(street.alice[1])).resends_answered == 0


def test_nobody_is_a_member_unless_a_group_says_so() -> None:
    db = apsw.Connection(":memory:")
    resends = Resends(bytes(16), lambda size: bytes(size))
    assert not resends.member(db, bytes(16), (bytes(16), 1, bytes(33)))


async def test_what_nobody_ever_read_stays_marked_so(street: Street) -> None:
    await street.talk()
    await street.lose("lost")
    for _ in range(4):
        street.break_once()
        street.town.tamper = lambda device, row: broken(row) if row.mode == CONTROL else row
        await street.ask()
        street.town.later(hours=1)
    assert isinstance((await shown(street.phone, street.alice))[2], Undecryptable)
