"""Control messages: they have a lane of their own, and readers instead of rows of history."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.client.post_office import CODEC, Clockwork, Device, PostOffice, two_devices

from linnet.client import health, lists, outbox
from linnet.client.errors import Unaddressed
from linnet.client.events import Event, IdentityChanged, Message
from linnet.client.joining import joined_inbox
from linnet.client.reading import Received
from linnet.client.sql import number
from linnet.crypto.content import Damaged, Refused
from linnet.signing.packing import Value
from linnet.wire.frames import CONTROL, Deliver, Rejected, Resync, Send, Sent


@dataclass
class Notebook:
    """A reader that writes down what it reads."""

    read: list[Value] = field(default_factory=list)
    fails: Exception | None = None
    tells: list[Event] = field(default_factory=list)

    def __call__(self, db: apsw.Connection, received: Received) -> list[Event]:
        lists.doubt(db, received.frame.sender, set=77)
        if self.fails is not None:
            raise self.fails
        self.read.append(received.content.body)
        return self.tells


@dataclass
class Rig:
    alice: Device
    bob: Device
    office: PostOffice
    notebook: Notebook

    async def send(self) -> list[Send]:
        """Have Alice send what may leave now."""
        frames = await self.alice.frames({self.bob.account: self.bob})
        for frame in frames:
            await self.alice.receive([self.office.post(self.alice, frame)])
        return [CODEC.client_frame(frame) for frame in frames]  # type: ignore[misc]

    def rows(self) -> list[Deliver]:
        return self.office.rows(self.bob.account, 0)  # type: ignore[return-value]

    async def wanted_set(self) -> int:
        held = await self.bob.store.read(lambda db: lists.held(db, self.alice.account))
        assert held is not None
        return held.wanted_set

    async def health(self) -> health.Health:
        return await self.bob.store.read(health.read)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    notebook = Notebook()
    bob.inbox = joined_inbox(bob.sessions, more={"receipt": notebook, "read": notebook})
    yield Rig(alice, bob, PostOffice(clock), notebook)
    await alice.store.close()
    await bob.store.close()


async def test_a_control_message_is_read_and_is_no_row_of_any_history(rig: Rig) -> None:
    await rig.alice.write_control(rig.bob, "receipt", ["one"])
    [sent] = await rig.send()
    assert (sent.mode, sent.sets, sent.own_parts) == (CONTROL, None, [])
    effects = await rig.bob.receive([*rig.rows()])
    assert rig.notebook.read == [["one"]]
    assert effects.read
    assert not effects.arrived
    assert await rig.bob.shown(rig.alice) == []
    assert await rig.alice.shown(rig.bob) == []
    assert await rig.alice.due() == []


async def test_control_messages_keep_their_order_and_hold_no_text_up(rig: Rig) -> None:
    first = await rig.alice.write_control(rig.bob, "receipt", ["one"])
    await rig.alice.write_control(rig.bob, "receipt", ["two"])
    text = await rig.alice.write_text(rig.bob, "hello")
    assert [item.id for item in await rig.alice.due()] == [first, text]
    assert [frame.id for frame in await rig.send()] == [first, text]
    assert len(await rig.send()) == 1
    await rig.bob.receive([*rig.rows()])
    assert rig.notebook.read == [["one"], ["two"]]
    assert [type(entry) for entry in await rig.bob.shown(rig.alice)] == [Message]


async def test_texts_count_on_as_if_no_control_message_had_been_between(rig: Rig) -> None:
    await rig.alice.write_text(rig.bob, "one")
    await rig.alice.write_control(rig.bob, "receipt", None)
    await rig.alice.write_text(rig.bob, "two")
    numbered = [item.counter for _ in range(2) for item in await rig.alice.due()]
    await rig.send()
    numbered += [item.counter for item in await rig.alice.due()]
    assert set(numbered) == {0, 1, 2}
    await rig.send()
    assert [row.conv_seq for row in rig.rows()] == [1, 0, 2]


async def test_what_a_server_brings_twice_is_read_once(rig: Rig) -> None:
    await rig.alice.write_control(rig.bob, "receipt", ["one"])
    await rig.send()
    await rig.bob.receive([*rig.rows()])
    await rig.bob.receive([Resync(0), *rig.rows()])
    assert rig.notebook.read == [["one"]]
    assert (await rig.health()).undecryptable == 0


@pytest.mark.parametrize("error", [Damaged("body"), Refused("sender")], ids=["damaged", "refused"])
async def test_a_body_that_is_none_changes_nothing_and_is_counted(
    rig: Rig, error: Exception
) -> None:
    rig.notebook.fails = error
    await rig.alice.write_control(rig.bob, "receipt", ["one"])
    await rig.send()
    [row] = rig.rows()
    effects = await rig.bob.receive([row])
    assert effects.ack == row.position
    assert await rig.wanted_set() == 0, "what the reader wrote is undone"
    assert (await rig.health()).dropped == {type(error).__name__.lower(): 1}


async def test_a_reader_that_fails_stops_no_mailbox(rig: Rig) -> None:
    rig.notebook.fails = ZeroDivisionError()
    await rig.alice.write_control(rig.bob, "receipt", ["one"])
    await rig.alice.write_text(rig.bob, "hello")
    await rig.send()
    effects = await rig.bob.receive([*rig.rows()])
    assert effects.ack == rig.rows()[-1].position
    assert await rig.wanted_set() == 0
    assert (await rig.health()).reader_failed == 1
    assert [type(entry) for entry in await rig.bob.shown(rig.alice)] == [Message]


async def test_a_disk_that_fails_a_reader_acknowledges_nothing(rig: Rig) -> None:
    rig.notebook.fails = apsw.FullError()
    await rig.alice.write_control(rig.bob, "receipt", ["one"])
    await rig.send()
    with pytest.raises(Exception, match="FullError"):
        await rig.bob.receive([*rig.rows()])
    assert await rig.bob.cursor() == 0
    rig.notebook.fails = None
    await rig.bob.receive([*rig.rows()])
    assert rig.notebook.read == [["one"]]


async def test_a_control_kind_that_nobody_reads_is_dropped_and_counted(rig: Rig) -> None:
    await rig.alice.write_control(rig.bob, "signal_key", [])
    await rig.send()
    await rig.bob.receive([*rig.rows()])
    assert (await rig.health()).dropped == {"unread": 1}


async def test_an_ordinary_kind_may_not_come_as_a_control_message(rig: Rig) -> None:
    await rig.alice.write_control(rig.bob, "read", [])
    await rig.send()
    await rig.bob.receive([*rig.rows()])
    assert rig.notebook.read == []
    assert (await rig.health()).dropped == {"refused": 1}


async def test_what_a_reader_tells_is_told_after_the_commit(rig: Rig) -> None:
    rig.notebook.tells = [IdentityChanged(rig.alice.account)]
    await rig.alice.write_control(rig.bob, "receipt", [])
    await rig.send()
    effects = await rig.bob.receive([*rig.rows()])
    assert effects.events == rig.notebook.tells


# ---- what the server refuses


async def test_a_device_that_is_not_listed_any_more_is_left_out_under_another_id(rig: Rig) -> None:
    id = await rig.alice.write_control(rig.bob, "receipt", ["one"])
    await rig.alice.frames({rig.bob.account: rig.bob})
    effects = await rig.alice.receive([Rejected(id, "not_listed", False)])
    assert effects.over == [id]
    [item] = await rig.alice.due()
    assert item.id != id
    assert item.frame is None
    held = await rig.alice.store.read(lambda db: lists.held(db, rig.bob.account))
    assert held is not None
    assert held.stale(rig.alice.clock.now_ms), "the list is fetched before it is sealed again"
    await rig.alice.meet(rig.bob)
    assert [sent.id for sent in await rig.send()] == [item.id]
    await rig.bob.receive([*rig.rows()])
    assert rig.notebook.read == [["one"]]


async def test_a_server_that_contradicts_its_own_list_is_not_asked_for_ever(rig: Rig) -> None:
    await rig.alice.write_control(rig.bob, "receipt", ["one"])
    for _ in range(10):
        for item in await rig.alice.due():
            await rig.alice.seal(item, {rig.bob.account: rig.bob})
            await rig.alice.receive([Rejected(item.id, "not_listed", False)])
            await rig.alice.meet(rig.bob)
    assert await rig.alice.due() == []


async def test_without_a_listed_device_there_is_nowhere_to_go(rig: Rig) -> None:
    id = await rig.alice.write_control(rig.bob, "receipt", [])
    await rig.alice.store.write(
        lambda db: db.execute("UPDATE outbox SET devices = x'09' WHERE id = ?", (id,)).close()
    )
    [item] = await rig.alice.due()
    assert item.devices == (9,)
    with pytest.raises(Unaddressed):
        await rig.alice.seal(item, {rig.bob.account: rig.bob})


async def test_an_unanswered_control_message_is_offered_with_the_same_bytes(rig: Rig) -> None:
    await rig.alice.write_control(rig.bob, "receipt", ["one"])
    [first] = await rig.alice.frames({rig.bob.account: rig.bob})
    rig.alice = await rig.alice.reopened()
    [second] = await rig.alice.frames({rig.bob.account: rig.bob})
    assert second == first
    answers = [rig.office.post(rig.alice, frame) for frame in (first, second)]
    assert answers[0] == answers[1]
    assert isinstance(answers[0], Sent)


# ---- numbered kinds that are no rows


async def test_a_numbered_kind_with_a_reader_is_no_row_of_history(rig: Rig) -> None:
    now_ms = rig.alice.clock.now_ms
    await rig.alice.write_text(rig.bob, "one")

    def write(db: apsw.Connection) -> None:
        [text] = outbox.due(db, now_ms)
        item = msgspec.structs.replace(text, id=bytes(16), kind="read", body=[1])
        item.id = text.id[:-1] + bytes((text.id[-1] ^ 1,))
        outbox.enqueue_unshown(db, item)

    await rig.alice.store.write(write)
    await rig.send()
    [sent] = await rig.send()
    assert sent.sets is not None
    await rig.bob.receive([*rig.rows()])
    assert rig.notebook.read == [[1]]
    assert len(await rig.bob.shown(rig.alice)) == len(await rig.alice.shown(rig.bob)) == 1
    left = await rig.alice.store.read(lambda db: number(db, "SELECT count(*) FROM outbox"))
    assert left == 0
