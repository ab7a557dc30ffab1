"""Device changes: which devices joined or left an account, noted as its lists are adopted.

Noted in the transaction that adopts the list, so none is missed. One's own account's become events
(`linnet.client.device_events`); what else follows from a device that left, such as new sender keys,
reads them here by their numbers. Whether the lists are genuine is for `linnet.client.lists`.
"""

from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client.sql import every, number
from linnet.signing.list_format import DeviceList

KEEP_MS: Final = 40 * 86_400_000


@dataclass(frozen=True, slots=True)
class Change:
    """A device that joined (or left). `seq` numbers the changes of all accounts."""

    seq: int
    account: bytes
    device: int
    identity: bytes
    kind: int
    name: bytes
    """As it stands in the list: encrypted, perhaps empty."""
    joined: bool


def note(db: apsw.Connection, before: DeviceList | None, after: DeviceList, now_ms: int) -> None:
    """Note the difference between two lists of an account; a first meeting is none.

    Lists under different account keys have no device in common.
    """
    if before is None:
        return
    same = before.key == after.key
    old = {(d.id, d.key) for d in before.devices} if same else set()
    new = {(d.id, d.key) for d in after.devices} if same else set()
    rows = [(d, 0) for d in before.devices if (d.id, d.key) not in new]
    rows += [(d, 1) for d in after.devices if (d.id, d.key) not in old]
    db.executemany(
        "INSERT INTO device_changes (account, device, identity, kind, name, joined, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(after.account, d.id, d.key, d.kind, d.name, joined, now_ms) for d, joined in rows],
    )


def since(db: apsw.Connection, seq: int, *, account: bytes | None = None) -> list[Change]:
    """Changes numbered above `seq`, oldest first, of one account or of all."""
    rows = every(
        db,
        "SELECT seq, account, device, identity, kind, name, joined FROM device_changes"
        " WHERE seq > ? AND (? IS NULL OR account = ?) ORDER BY seq",
        (seq, account, account),
    )
    return [
        Change(seq, whose, device, identity, kind, name, bool(joined))
        for seq, whose, device, identity, kind, name, joined in rows
    ]


def last(db: apsw.Connection) -> int:
    """The number of the newest change; 0 if there was none."""
    return number(db, "SELECT ifnull(max(seq), 0) FROM device_changes")


def prune(db: apsw.Connection, now_ms: int) -> None:
    """Forget old changes; the numbers go on."""
    db.execute("DELETE FROM device_changes WHERE at_ms < ?", (now_ms - KEEP_MS,))
