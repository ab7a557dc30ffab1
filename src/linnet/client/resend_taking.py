"""Taking a resend: a message that was lost here comes again, inside another, and takes its place.

`resend` = [original id, conv_seq, Z]. The Z must be what the original frame committed to; where no
original ever came (this device was left out, or replaced another) there is nothing to compare, and
the row says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import apsw

from linnet.client import health, history, lost, parking
from linnet.client.events import Event, Healed
from linnet.client.health import Count
from linnet.client.reading import Reader, Received
from linnet.client.sealed.frames import Unsealed, numbered, passed_on
from linnet.client.taking import NOTE_RESENT, Filed, Learned, Taker, known
from linnet.crypto.content import Content, Damaged, Refused, commitment, open_content
from linnet.crypto.errors import NoSenderKey
from linnet.wire.frames import SENDER_KEY, Deliver
from linnet.wire.ids import (
    TO_ACCOUNT,
    AccountId,
    ConversationId,
    MessageId,
    direct_conversation,
    message_time_ms,
)
from linnet.wire.limits import POSITION_END

WITHHELD_BACK_MS: Final = 35 * 86_400_000
"""What never came here is taken for so long."""


Admit = Callable[[apsw.Connection, Deliver, Content], None]
"""Judges content for a group, whichever way it came. Raises NoSenderKey while that cannot be
judged, Refused."""


def no_groups(db: apsw.Connection, frame: Deliver, content: Content) -> None:
    """Where there are no groups, nothing is for one."""
    raise Refused("no group is known")


@dataclass(frozen=True, slots=True)
class ResendReader:
    """Reads `resend` for an account, with the readers of what may be inside; `admit` judges what is
    for a group by the log, as if it had come itself."""

    me: bytes
    readers: Mapping[str, Reader]
    admit: Admit = no_groups

    def __call__(self, db: apsw.Connection, received: Received) -> list[Event]:
        """The reader. Raises Damaged or Refused."""
        id, conv_seq, z = _body(received.content.body)
        frame = received.frame
        taker = Taker(self.me, self.readers)
        original = lost.find(db, frame.sender, frame.device, id)
        if original is not None:
            content = taker.checked(original, z, received.held)
            # Of what was sealed there is no commitment to check it against.
            note = NOTE_RESENT if isinstance(original, Unsealed) else ""
        else:
            content, note = open_content(z), NOTE_RESENT
            original = self._never_came(received, id, conv_seq, z, content)
            if known(db, original):
                return []
            taker.check(original, content, received.held)
        if original.kind == SENDER_KEY and not self._admitted(db, original, content):
            return []
        inner = Received(original, content, received.held, received.now_ms)
        return self._take(db, taker, inner, note)

    def _admitted(self, db: apsw.Connection, original: Deliver, content: Content) -> bool:
        """False while the group's log is not here: it lies parked as before, and is tried with what
        comes, or asked for again. Raises Refused."""
        try:
            self.admit(db, original, content)
        except NoSenderKey:
            return False
        return True

    def _take(self, db: apsw.Connection, taker: Taker, inner: Received, note: str) -> list[Event]:
        frame = inner.frame
        key = (frame.conversation, frame.sender, frame.id)
        learned = Learned()
        parking.remove(db, frame)
        gone = inner.content.kind in self.readers and history.remove_unread(db, *key)
        filed = taker.take(db, inner, learned, note)
        lost.remove(db, frame.sender, frame.id)
        health.count(db, Count.HEALED)
        row = history.entry(db, *key)
        if gone or filed is Filed.HEALED:
            conversation, id = ConversationId(frame.conversation), MessageId(frame.id)
            learned.events.append(Healed(conversation, id, row))
        elif row is not None:
            learned.events.append(row)
        return learned.events

    def _never_came(
        self, received: Received, id: bytes, conv_seq: int, z: bytes, content: Content
    ) -> Deliver:
        """The frame of a message that never came here, as its sender tells it. Raises Refused for
        what no device may get so: a group's, or what is older than anyone keeps."""
        frame = received.frame
        if content.to[0] != TO_ACCOUNT or not content.counter:
            raise Refused("nothing to compare it with")
        if received.now_ms - message_time_ms(MessageId(id)) > WITHHELD_BACK_MS:
            raise Refused("too old to be sent again")
        other = content.to[1:] if frame.sender == self.me else frame.sender
        conversation = direct_conversation(AccountId(self.me), AccountId(other))
        came = passed_on(
            frame, conversation, id, frame.device, content.sent_ms, frame.server_timestamp
        )
        return came if not conv_seq else numbered(came, conv_seq, commitment(z))


def _body(body: Any) -> tuple[bytes, int, bytes]:
    match body:
        case [bytes(id), int(conv_seq), bytes(z), *_] if (
            len(id) == 16 and type(conv_seq) is int and 0 <= conv_seq < POSITION_END
        ):
            return id, conv_seq, z
    raise Damaged("not the body of a resend")
