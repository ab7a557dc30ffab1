"""People, device sets and records for the tests of delivery."""

from __future__ import annotations

from tests.backends.people import blob

from linnet.server.ports.timeline import DeviceSet, Roster, Seat
from linnet.server.services.delivery.decide import Record
from linnet.wire.frames import FULL, Part, Send, Sets
from linnet.wire.ids import (
    TO_GROUP,
    AccountId,
    GroupId,
    MessageId,
    direct_conversation,
    message_id,
    to_account,
    to_group,
)

NOW_MS = 1_760_000_000_000
DAY_MS = 24 * 3600 * 1000
ALICE, BOB, CAROL = (AccountId(blob("account", number)) for number in range(3))
GROUP = GroupId(blob("group", 0))


def mailbox_of(account: bytes) -> bytes:
    """The mailbox of an account."""
    return blob("mailbox of " + account.hex(), 0)


def device_set(account: bytes, number: int = 1, devices: tuple[int, ...] = (1,)) -> DeviceSet:
    """An account's set."""
    return DeviceSet(account, mailbox_of(account), number, devices)


def fresh_id(number: int, at_ms: int = NOW_MS) -> MessageId:
    """The `number`th id of that millisecond."""
    return message_id(at_ms, blob("id", number, 10))


def parts(*devices: int) -> list[Part]:
    """A ciphertext for each device."""
    return [Part(device, 2, b"for %d" % device) for device in devices]


def send(
    id: bytes,
    to: bytes = BOB,
    sets: Sets | None = (1, 1),
    devices: tuple[int, ...] = (1,),
    own: tuple[int, ...] = (),
    mode: int = FULL,
) -> Send:
    """A 1:1 message as a client says it."""
    return Send(
        id,
        to_account(AccountId(to)),
        mode,
        b"c" * 32,
        NOW_MS - 5,
        sets,
        parts(*devices),
        parts(*own),
    )


def to_all(id: bytes, roster: int = 1, body: bytes = b"for all", group: bytes = GROUP) -> Send:
    """A group message as a client says it."""
    to = to_group(GroupId(group))
    return Send(id, to, FULL, b"c" * 32, NOW_MS - 5, roster=roster, body=body)


def roster_of(number: int, **members: tuple[int, ...]) -> Roster:
    """A roster of the group: who, in capitals, with which devices."""
    named = {"ALICE": ALICE, "BOB": BOB, "CAROL": CAROL}
    seats = tuple(
        Seat(named[name], mailbox_of(named[name]), 1, devices) for name, devices in members.items()
    )
    return Roster(GROUP, number, number, b"h" * 32, seats)


def record(
    frame: Send,
    sender: bytes = ALICE,
    device: int = 1,
    appended_ms: int = NOW_MS,
    stamped_ms: int = NOW_MS,
) -> Record:
    """The frame as it reaches the decision."""
    recipient = frame.to[1:]
    if frame.to[0] == TO_GROUP:
        return Record(recipient, sender, device, b"", frame, appended_ms, stamped_ms)
    conversation = direct_conversation(AccountId(sender), AccountId(recipient))
    return Record(conversation, sender, device, recipient, frame, appended_ms, stamped_ms)
