"""Reading: messages that change something here instead of being shown.

A reader takes one kind of content, inside the transaction that opened the message: what it writes
is committed with the advanced session and the cursor, or not at all. Control messages are for
readers alone; of the numbered kinds those that have a reader are no rows of history.

To read a further kind, write `read(db, received) -> list[Event]` in a module of its own and name it
in `linnet.client.readers`. A reader raises `Damaged` for a body that is not one of its kind,
`Refused` for one that this sender may not send, and changes nothing then. It may put messages into
the outbox, which leave after the commit, and return rows of history that it added: those are told
from the store, in their order.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import health
from linnet.client.events import Event
from linnet.client.health import Count
from linnet.client.lists import Held
from linnet.client.sql import first
from linnet.crypto.content import Content, Damaged, Refused
from linnet.wire.frames import Deliver

KEEP_SEEN_MS: Final = 35 * 86_400_000
"""Longer than any server keeps a row: what was read cannot come again after that."""

_STORE_FAILED: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CorruptError,
    apsw.NoMemError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was opened, and whose content is what the frame says it is.

    `held` is the list in force of the sending account, on which the sending device is.
    """

    frame: Deliver
    content: Content
    held: Held
    now_ms: int


Reader = Callable[[apsw.Connection, Received], list[Event]]
Readers = Mapping[str, Reader]
"""Readers by kind of content."""


def read(db: apsw.Connection, reader: Reader, received: Received) -> list[Event]:
    """Have a message read and remember that it was. What to tell the application.

    Raises Damaged or Refused, and the reader has changed nothing. So it is with a reader that
    fails in any other way, which is a bug: it is counted, and the mailbox goes on.
    """
    remember(db, received.frame, received.now_ms)
    try:
        events: list[Event] = []
        with db:  # a savepoint: all of what the reader does, or nothing
            events = reader(db, received)
        return events
    except (Damaged, Refused, *_STORE_FAILED):
        raise
    except Exception as error:
        _log.error("reading %s failed: %s", received.content.kind, type(error).__name__)
        health.count(db, Count.READER_FAILED)
        return []


def remember(db: apsw.Connection, frame: Deliver, now_ms: int) -> None:
    """This message was taken in, whatever became of it; it leaves no row of history."""
    db.execute(
        "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?)",
        (frame.conversation, frame.sender, frame.id, now_ms),
    )


def seen(db: apsw.Connection, frame: Deliver) -> bool:
    """Whether `remember` was called for it."""
    found = first(
        db,
        "SELECT 1 FROM seen WHERE conversation = ? AND sender = ? AND id = ?",
        (frame.conversation, frame.sender, frame.id),
    )
    return found is not None


def prune(db: apsw.Connection, now_ms: int) -> None:
    """Forget what no server brings again."""
    db.execute("DELETE FROM seen WHERE seen_ms < ?", (now_ms - KEEP_SEEN_MS,))
