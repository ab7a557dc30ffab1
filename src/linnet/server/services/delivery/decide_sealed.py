"""Decide, sealed: what becomes of a message whose sender nobody but its recipient knows.

Pure, like `decide`. The record's conversation is the recipient's mailbox, so an id is a duplicate
within it; there is no number, no row and no watermark for a sender, and no sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from linnet.server.ports.timeline import Accepted, DeviceSet, Head, Outcome
from linnet.server.services.delivery.decide import (
    Decision,
    Record,
    Retry,
    earliest_ms,
    judged_before,
    refuse,
)
from linnet.wire.frames import FULL, NARROWED, SESSION, Part, Send
from linnet.wire.rest import SealedSend

NOBODY: Final = bytes(16)
"""Sender of what is sealed."""
NO_DEVICE: Final = 0
NO_COMMITMENT: Final = bytes(32)


def sealed_record(account: bytes, mailbox: bytes, message: SealedSend) -> Record:
    """The record of a message to this account."""
    # The kind of a part is not stored as SEALED, which no frame of a client may say: it is shown.
    parts = [Part(part.device, SESSION, part.ciphertext) for part in message.parts]
    to, sets = b"\x01" + account, (message.set, 0)
    frame = Send(message.id, to, message.mode, NO_COMMITMENT, 0, sets, parts)
    return Record(mailbox, NOBODY, NO_DEVICE, account, frame, 0, 0)


def decide_sealed(
    head: Head, known: Sequence[Outcome], recipient: DeviceSet | None, record: Record
) -> Decision:
    """The outcome of a sealed record. `known` are the outcomes already stored under its id."""
    if (judged := judged_before(head, known, record)) is not None:
        return judged
    frame = record.frame
    if recipient is None:
        # Its registration is on its way here: whoever sent this was shown the account.
        return Decision(Retry("unavailable"), [], head)
    stale = frame.sets != (recipient.number, 0)
    rightly = _addressed_rightly(frame, recipient)
    if stale and (frame.mode == FULL or (frame.mode == NARROWED and not rightly)):
        return Decision(Retry("devices_changed"), [], head)
    if not rightly:
        return refuse(head, record, "not_listed")
    clock = max(earliest_ms(record), head.clock)
    accepted = Accepted(
        record.conversation,
        0,
        frame.id,
        NOBODY,
        NO_DEVICE,
        frame.mode,
        clock,
        clock,
        NO_COMMITMENT,
    )
    head = Head(record.conversation, 0, clock, head.members)
    return Decision(accepted, [(recipient.mailbox, frame.parts)], head)


def _addressed_rightly(frame: Send, recipient: DeviceSet) -> bool:
    """In full mode for every device, or for all but one: a copy to oneself leaves out the sending
    device, and who sends is not known here."""
    to = [part.device for part in frame.parts]
    listed = set(recipient.devices)
    if not to or len(set(to)) != len(to) or not set(to) <= listed:
        return False
    return frame.mode != FULL or len(to) >= len(listed) - 1
