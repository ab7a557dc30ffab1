"""Decide: what becomes of one record. The only place where delivery is decided.

A pure function of the record and the state left by earlier records of its conversation: no clock,
no randomness, no store (docs/protocol/delivery.md). Both drivers call it; positions and prev are
theirs to give, because they belong to mailboxes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from linnet.server.ports.timeline import (
    Accepted,
    DeviceSet,
    Head,
    Member,
    Outcome,
    Refusal,
    outcomes_in_scope,
)
from linnet.wire.frames import CONTROL, FULL, NARROWED, Part, Send, Sets
from linnet.wire.ids import message_time_ms
from linnet.wire.limits import HORIZON_MS, ID_AHEAD_MS


class Record(msgspec.Struct, gc=False):
    """One thing a client asked for, with the facts it carries. Times in ms since the epoch.

    `recipient` is empty where the conversation is a group.
    """

    conversation: bytes
    sender: bytes
    device: int
    recipient: bytes
    frame: Send
    appended_ms: int
    stamped_ms: int


def ciphertext_bytes(frame: Send) -> int:
    """What a record weighs while it waits: all ciphertext in it."""
    size = len(frame.body)
    for part in frame.parts:
        size += len(part.ciphertext)
    for part in frame.own_parts:
        size += len(part.ciphertext)
    return size


Rows = list[tuple[bytes, list[Part]]]
"""(mailbox, parts for its account's devices) of each row to be placed."""


class Retry(msgspec.Struct, gc=False):
    """A refusal that leaves no outcome: the same id is judged anew when it comes again."""

    code: str
    sets: Sets | None = None
    roster: int = 0


class Decision(msgspec.Struct, gc=False):
    """`outcome` as stored (or to store), rows to place, and the head afterwards.

    With `repeat`, the outcome is an earlier one and nothing is to be stored.
    """

    outcome: Outcome | Retry
    rows: Rows
    head: Head
    repeat: bool = False


def decide(
    head: Head,
    known: Sequence[Outcome],
    sender: DeviceSet,
    recipient: DeviceSet | None,
    record: Record,
) -> Decision:
    """The outcome of a 1:1 record. `known` are the outcomes already stored under its id."""
    if (judged := judged_before(head, known, record)) is not None:
        return judged
    frame = record.frame
    if recipient is None:
        # Its registration may be on its way here; then the same message is accepted.
        return Decision(Retry("unknown_recipient"), [], head)
    sets = (recipient.number, sender.number)
    if frame.mode == FULL and frame.sets != sets:
        return Decision(Retry("devices_changed", sets), [], head)
    if not _addressed_rightly(record, sender, recipient):
        if frame.mode == NARROWED and frame.sets not in (None, sets):
            # The main device it was for was replaced: no reason to lose the message.
            return Decision(Retry("devices_changed", sets), [], head)
        return refuse(head, record, "not_listed")
    return _accept(head, record, sender, recipient)


def judged_before(head: Head, known: Sequence[Outcome], record: Record) -> Decision | None:
    """What is decided without a look at who is in the conversation: repeats, and ids whose time
    is too old or ahead. None: go on."""
    if known:
        first = outcomes_in_scope(known, record.conversation, record.sender, record.device)
        if first is not None:
            return Decision(first, [], head, repeat=True)
    born = message_time_ms(record.frame.id)
    earlier, later = record.appended_ms, record.stamped_ms
    if earlier > later:
        earlier, later = later, earlier
    if born < earlier - HORIZON_MS or born > later + ID_AHEAD_MS:
        # What clients put in an id must not decide where the store looks for ids.
        return Decision(Retry("id_time"), [], head)
    return None


def earliest_ms(record: Record) -> int:
    """The clock that `server_timestamp` follows: one that is ahead for a moment moves nothing."""
    appended_ms, stamped_ms = record.appended_ms, record.stamped_ms
    return appended_ms if appended_ms < stamped_ms else stamped_ms


def refuse(head: Head, record: Record, code: str) -> Decision:
    """A final refusal: the outcome of its id."""
    refusal = Refusal(record.conversation, record.frame.id, record.sender, record.device, code)
    return Decision(refusal, [], head)


def _addressed_rightly(record: Record, sender: DeviceSet, recipient: DeviceSet) -> bool:
    """Whether the ciphertexts are for exactly the devices that the mode asks for."""
    frame = record.frame
    mine, theirs = sender.devices, recipient.devices
    to_self = recipient.account == sender.account
    if len(mine) == len(theirs) == len(frame.parts) == 1 and not (frame.own_parts or to_self):
        # Nearly every message: one device on each side, so every mode asks for the same.
        return frame.parts[0].device == theirs[0] and mine[0] == record.device
    to = [part.device for part in frame.parts]
    own = [part.device for part in frame.own_parts]
    listed = set(theirs)
    others = set(mine) - {record.device}
    if record.device not in mine or len(set(to)) != len(to) or len(set(own)) != len(own):
        return False
    if to_self:
        listed -= {record.device}
        others = set()
    if frame.mode == FULL:
        return set(to) == listed and set(own) == others
    if frame.mode == NARROWED:
        return bool(to) and set(to) <= listed and set(own) <= others
    return bool(to) and set(to) <= listed and not own


def _accept(head: Head, record: Record, sender: DeviceSet, recipient: DeviceSet) -> Decision:
    frame = record.frame
    clock = earliest_ms(record)
    if clock < head.clock:
        clock = head.clock
    conv_seq = 0
    if frame.mode != CONTROL:
        conv_seq = head.conv_seq + 1
        members = _members(head, conv_seq, sender, recipient)
        head = Head(record.conversation, conv_seq, clock, members)
    else:
        head = Head(record.conversation, head.conv_seq, clock, head.members)
    accepted = Accepted(
        record.conversation,
        conv_seq,
        frame.id,
        record.sender,
        record.device,
        frame.mode,
        frame.timestamp,
        clock,
        frame.commitment,
        (recipient.number, sender.number),
    )
    rows = [(recipient.mailbox, frame.parts)]
    if recipient.mailbox != sender.mailbox:
        rows.append((sender.mailbox, frame.own_parts))
    return Decision(accepted, rows, head)


def _members(
    head: Head, conv_seq: int, sender: DeviceSet, recipient: DeviceSet
) -> dict[bytes, Member]:
    """Who is in the conversation; a device first seen now begins at this message."""
    members = head.members
    for account in (sender, recipient):
        member = members.get(account.account)
        if member is not None and member.set == account.number:
            continue
        starts = dict(member.starts) if member is not None else {}
        for device in account.devices:
            starts.setdefault(device, conv_seq)
        members = {**members, account.account: Member(account.number, starts)}
    return members
