"""Health: how often messages could not be read, were dropped, asked for again, or healed.

Counted in the transaction of what is counted, so the numbers are as durable as the messages. They
name rules, never messages or people.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import apsw
import msgspec

from linnet.client.sql import every, number

DROPPED: Final = "dropped."
"""Dropped messages are counted by rule: `dropped.refused`, `dropped.damaged`, …"""


class Count(StrEnum):
    """What is counted besides what is dropped."""

    UNDECRYPTABLE = "undecryptable"
    UNVERIFIED = "unverified"
    DAMAGED = "damaged"
    READER_FAILED = "reader_failed"
    """A reader of ours raised what it must not: a bug."""
    RESENDS_ASKED = "resends_asked"
    RESENDS_ANSWERED = "resends_answered"
    RESENDS_REFUSED = "resends_refused"
    HEALED = "healed"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one account on this device, since it was registered or linked.

    `undecryptable` counts messages that no session or sender key opened, each once, healed later or
    not; `unverified` those that waited in vain for the device list or sender key of their sender.
    In a healthy run both are 0. `damaged`: opened, and not what they claimed to be. `reader_failed`
    is a bug of ours. `resends_asked` counts requests; `resends_answered` and `resends_refused` what
    others asked of this device, by message; `healed` what came again and took its place. `parked`
    is how many wait now. `dropped` counts by rule.
    """

    undecryptable: int
    unverified: int
    damaged: int
    reader_failed: int
    resends_asked: int
    resends_answered: int
    resends_refused: int
    healed: int
    parked: int
    dropped: Mapping[str, int]


def count(db: apsw.Connection, what: Count) -> None:
    """Count one more."""
    _count(db, what.value)


def dropped(db: apsw.Connection, rule: str) -> None:
    """Count a message that a rule dropped."""
    _count(db, DROPPED + rule)


def read(db: apsw.Connection) -> Health:
    """The numbers as they are."""
    counts: dict[str, int] = dict(every(db, "SELECT name, count FROM counts"))
    return Health(
        **{what.value: counts.get(what.value, 0) for what in Count},
        parked=number(db, "SELECT count(*) FROM parked"),
        dropped={
            name.removeprefix(DROPPED): times
            for name, times in counts.items()
            if name.startswith(DROPPED)
        },
    )


def _count(db: apsw.Connection, name: str) -> None:
    db.execute(
        "INSERT INTO counts VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1",
        (name,),
    )
