"""What a group of 1,024 members with two devices each costs one client, store and all.

python -m benchmarks.micro.groups_client; a message is written, sealed, answered by the server and
read by a member; then somebody is removed and the key goes to everybody anew through sessions that
are open. No network: what is measured is all that the client does between it and the application.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import apsw
import msgspec
from tests.client.post_office import CODEC, Clockwork, Device

from linnet.client import lists, outbox
from linnet.client.groups import book, changes, joining, log
from linnet.client.groups.changes import Author
from linnet.client.groups.log import Member, Page
from linnet.client.joining import joined_inbox
from linnet.client.outbox import Item, Way
from linnet.client.sealing_together import seal_together
from linnet.client.sessions import checked_bundle
from linnet.crypto.bodies import text_body
from linnet.signing.device_list import first_list, next_list
from linnet.signing.group_changes import Remove
from linnet.signing.keys import KeyPair, generate
from linnet.signing.list_format import KIND_TERMINAL, ListedDevice, countersign, decode_list
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.frames import SENDER_KEY, Deliver, Send, Sent
from linnet.wire.ids import message_id

MEMBERS = 1_024
MESSAGES = 30


class Report(msgspec.Struct):
    """Milliseconds or seconds of CPU; what the disk needs comes on top."""

    members: int
    send_ms_p50: float
    send_ms_max: float
    """Writing, sealing and being answered, three transactions."""
    seal_ms_p50: float
    receive_ms_p50: float
    first_send_s: float
    """Judging all lists, and a key message for each member into the outbox."""
    open_sessions_s: float
    rotate_s: float
    """Judging, a new key, and a ciphertext for every device, all of it durable."""


@dataclass
class Hall:
    """A sender and a reader of one group, and the bundles that all other devices share."""

    sender: Device
    reader: Device
    group: bytes
    bundles: dict[int, rest.Bundle]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=MEMBERS)
    given = parser.parse_args()
    report = asyncio.run(measure(given.members))
    for name, value in msgspec.structs.asdict(report).items():
        print(f"{name:20}{value:10.2f}")


async def measure(members: int) -> Report:
    """One run."""
    with tempfile.TemporaryDirectory() as place:
        hall = await gathered(Path(place), members)
        first_s = await timed(lambda: say(hall, "first"))
        open_s = await timed(lambda: distribute(hall))
        sends, seals, reads = [], [], []
        for number in range(MESSAGES):
            began = time.process_time()
            item = await written(hall, f"message {number}")
            middle = time.process_time()
            frame = await sealed(hall, item)
            after = time.process_time()
            await answered(hall, [frame])
            sends.append(1000 * (time.process_time() - began))
            seals.append(1000 * (after - middle))
            reads.append(1000 * await timed(lambda f=frame, n=number: read(hall, f, n)))  # type: ignore[misc]
        await removed(hall)
        rotate_s = await timed(lambda: rotate(hall))
        await hall.sender.store.close()
        await hall.reader.store.close()
    return Report(
        members=members,
        send_ms_p50=statistics.median(sends),
        send_ms_max=max(sends),
        seal_ms_p50=statistics.median(seals),
        receive_ms_p50=statistics.median(reads),
        first_send_s=first_s,
        open_sessions_s=open_s,
        rotate_s=rotate_s,
    )


async def gathered(place: Path, members: int) -> Hall:
    """The group, as its founder and one member know it."""
    clock = Clockwork()
    sender = await Device.make(place / "sender", 1, clock)
    reader = await Device.make(place / "reader", 2, clock)
    rng, now_s = sender.sessions.rng, clock.now_ms // 1000
    spare = await Device.make(place / "spare", 3, clock)
    shared = (reader.sessions.local.key, spare.sessions.local.key)
    key = generate(rng)
    others = [_two(rng(16), key, shared, now_s, rng) for _ in range(members - 2)]
    everybody = [reader.signed_list, *others]
    for device in (sender, reader):
        await device.store.write(
            lambda db, d=device: [  # type: ignore[misc]
                lists.adopt(db, decode_list(it.body).account, it, clock.now_ms)
                for it in (sender.signed_list, *everybody)
                if decode_list(it.body).account != d.account
            ]
        )
    author = Author(sender.account, 1, sender.sessions.local.key.private, rng)
    accounts = [decode_list(it.body).account for it in everybody]
    group, pending = await sender.store.write(
        lambda db: changes.founded(db, author, accounts, "A hall")
    )
    page = Page(group, [pending.entry], [sender.signed_list])
    for device in (sender, reader):
        me = Member(device.account, device.own_key)
        await device.store.write(lambda db, m=me: _known(db, page, m, clock.now_ms, 1))  # type: ignore[misc]
        device.inbox = joined_inbox(
            device.sessions,
            groups=joining.cipher(me, lambda page: None),
            reissue=joining.reissues(device.sessions.rng),
            member=joining.is_member,
        )
    bundles = {1: await reader.bundle(), 2: msgspec.structs.replace(await spare.bundle(), device=2)}
    await spare.store.close()
    return Hall(sender, reader, group, bundles)


def _known(db: apsw.Connection, page: Page, me: Member, now_ms: int, roster: int) -> None:
    log.take(db, page, me, now_ms)
    book.learn_roster(db, page.group, roster, roster)
    db.execute("DELETE FROM group_pending")


def _two(
    account: bytes,
    key: KeyPair,
    devices: tuple[KeyPair, KeyPair],
    now_s: int,
    rng: Callable[[int], bytes],
) -> SignedObject:
    """An account of two devices, of the two keys that all here have."""
    one = first_list(account, key, devices[0], b"", now_s, rng)
    mark = countersign(devices[1], account, key.public, 2, now_s, rng)
    second = ListedDevice(2, devices[1].public, b"", now_s, KIND_TERMINAL, mark)
    return next_list(one, key, (*decode_list(one.body).devices, second), now_s, rng)


async def written(hall: Hall, text: str) -> Item:
    """What `Groups.send` does."""
    sender, now_ms = hall.sender, hall.sender.clock.now_ms
    item = Item(
        id=message_id(now_ms, sender.sessions.rng(10)),
        conversation=hall.group,
        peer=hall.group,
        kind="text",
        body=text_body(text),
        sent_ms=now_ms,
        way=Way.GROUP,
    )
    await sender.store.write(lambda db: outbox.enqueue(db, item, sender.account, 1, sender.own_key))
    return item


async def sealed(hall: Hall, item: Item) -> bytes:
    sender = hall.sender
    found = await sender.store.write(
        lambda db: sender.sealer.seal(db, item, {}, sender.clock.now_ms)
    )
    assert isinstance(found, bytes), found
    return found


async def answered(hall: Hall, frames: list[bytes]) -> None:
    """The server takes them all."""
    sent = []
    for data in frames:
        frame = CODEC.client_frame(data)
        assert isinstance(frame, Send)
        sent.append(Sent(frame.id, 1, hall.sender.clock.now_ms, frame.commitment))
    await hall.sender.receive([*sent])


async def say(hall: Hall, text: str) -> None:
    await answered(hall, [await sealed(hall, await written(hall, text))])


async def read(hall: Hall, data: bytes, number: int) -> None:
    """The reader takes the row."""
    frame = CODEC.client_frame(data)
    assert isinstance(frame, Send)
    position = 10 * (number + 1)
    row = Deliver(
        position,
        position - 10 if number else 0,
        hall.group,
        number + 2,
        frame.id,
        hall.sender.account,
        1,
        frame.mode,
        SENDER_KEY,
        frame.body,
        frame.commitment,
        frame.timestamp,
        frame.timestamp,
        None,
        frame.roster,
    )
    await hall.reader.receive([row])


async def distribute(hall: Hall) -> None:
    """Open a session with every device and seal the key for it; the reader takes its own."""
    while items := await _waiting(hall.sender):
        for item in items:
            await _introduced(hall, item)


async def _introduced(hall: Hall, item: Item) -> None:
    sender, now_ms = hall.sender, hall.sender.clock.now_ms
    held = await sender.store.read(lambda db: lists.held(db, item.peer))
    assert held is not None
    bundles = {
        (item.peer, it.id): checked_bundle(hall.bundles[it.id], it) for it in held.list.devices
    }
    frame = await sender.store.write(lambda db: sender.sealer.seal(db, item, bundles, now_ms))
    assert isinstance(frame, bytes)
    if item.peer == hall.reader.account:
        await _given(hall, frame)
    await answered(hall, [frame])


async def _given(hall: Hall, data: bytes) -> None:
    frame = CODEC.client_frame(data)
    assert isinstance(frame, Send)
    row = Deliver(
        5, 0, bytes(16), 0, frame.id, hall.sender.account, 1, frame.mode, frame.parts[0].kind,
        frame.parts[0].ciphertext, frame.commitment, frame.timestamp, frame.timestamp,
    )  # fmt: skip
    await hall.reader.receive([row])


async def removed(hall: Hall) -> None:
    """Somebody is removed; the log and a roster say so."""
    sender = hall.sender
    author = Author(sender.account, 1, sender.sessions.local.key.private, sender.sessions.rng)

    def remove(db: apsw.Connection) -> None:
        held = book.group(db, hall.group)
        assert held is not None
        gone = sorted(held.settled.members.keys() - {sender.account, hall.reader.account})[0]
        changes.appended(db, author, hall.group, changes.plain(Remove((gone,))))
        pending = book.pending(db, hall.group)
        assert pending is not None
        page = Page(hall.group, [pending.entry], [sender.signed_list])
        _known(db, page, Member(sender.account, sender.own_key), sender.clock.now_ms, 2)

    await sender.store.write(remove)


async def rotate(hall: Hall) -> None:
    """The next message, and its new key to every device."""
    await say(hall, "rotated")
    sender, now_ms = hall.sender, hall.sender.clock.now_ms
    while items := await _waiting(sender):
        for start in range(0, len(items), 64):
            some = items[start : start + 64]
            frames = await sender.store.write(
                lambda db, s=some: seal_together(db, sender.sealer, s, now_ms)  # type: ignore[misc]
            )
            assert len(frames) == len(some)
            await answered(hall, list(frames.values()))


async def _waiting(device: Device) -> list[Item]:
    return [item for item in await device.due() if item.way is Way.CONTROL and item.frame is None]


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds of CPU, the store's thread included."""
    began = time.process_time()
    await work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
