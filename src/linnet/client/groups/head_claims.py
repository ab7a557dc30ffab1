"""Claims of heads: versions of a group's log that content cites and nobody can show.

Such a claim is a hint: the log is read on. If the server has nothing newer, sending to the group
pauses for an hour, once for the device that claims it, which is marked unconfirmed; whoever lies
stops nobody for longer. As `linnet.client.claims` has it for device lists.
"""

import apsw

from linnet.client.claims import PAUSE_MS
from linnet.client.events import Unconfirmed
from linnet.client.sql import every
from linnet.wire.ids import AccountId, DeviceId


def note(db: apsw.Connection, group: bytes, claimant: bytes, device: int, version: int) -> None:
    """A member's device cites this version of the group's log, which is not held."""
    db.execute(
        "INSERT INTO head_claims (id, claimant, device, version) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id, claimant, device) DO UPDATE SET version = excluded.version",
        (group, claimant, device, version),
    )


def judged(
    db: apsw.Connection, group: bytes, kept: int, now_ms: int
) -> tuple[Unconfirmed, ...] | None:
    """None if messages may be sent, the log having been read up to `kept`; else whom to tell of.

    Begins the pause of a claim that was not proven.
    """
    rows = every(
        db,
        "SELECT claimant, device, judged_ms FROM head_claims WHERE id = ? AND version > ?",
        (group, kept),
    )
    told = []
    paused = False
    for claimant, device, judged_ms in rows:
        if judged_ms is None:
            judged_ms = now_ms
            db.execute(
                "UPDATE head_claims SET judged_ms = ? WHERE id = ? AND claimant = ? AND device = ?",
                (now_ms, group, claimant, device),
            )
            told.append(Unconfirmed(AccountId(claimant), DeviceId(device)))
        paused |= 0 <= now_ms - judged_ms < PAUSE_MS
    return tuple(told) if paused else None
