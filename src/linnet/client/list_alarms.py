"""List alarms: proofs that an account signed two lists that contradict each other.

While there is one, nothing is sent to that account. It ends when a person accepted, having compared
safety numbers, and a version above both lists has come. Proofs are kept for good.
"""

import apsw

from linnet.client.events import ListConflict
from linnet.client.sql import every, first
from linnet.signing.list_alarm import ListConflict as Proof
from linnet.signing.list_format import decode_list
from linnet.wire.ids import AccountId


def sound(db: apsw.Connection, account: bytes, proof: Proof, now_ms: int) -> bool:
    """Keep the proof. False if it was known."""
    above = max(decode_list(proof.one.body).version, decode_list(proof.other.body).version)
    db.execute(
        "INSERT OR IGNORE INTO list_alarms (account, proof, above, raised_ms) VALUES (?, ?, ?, ?)",
        (account, proof.to_bytes(), above, now_ms),
    )
    return bool(db.changes())


def conflict_event(db: apsw.Connection, account: bytes) -> ListConflict:
    """What to tell of the newest alarm."""
    return ListConflict(AccountId(account), proofs(db, account)[-1])


def sounds(db: apsw.Connection, account: bytes) -> bool:
    """Whether sending to the account is stopped."""
    row = first(db, "SELECT 1 FROM list_alarms WHERE account = ? AND ended = 0", (account,))
    return row is not None


def accept(db: apsw.Connection, account: bytes) -> bool:
    """A person compared safety numbers: a higher version may end the alarm. False if none is on."""
    db.execute("UPDATE list_alarms SET accepted = 1 WHERE account = ? AND ended = 0", (account,))
    return bool(db.changes())


def may_end(db: apsw.Connection, account: bytes, version: int) -> bool:
    """Whether a list of this version is above all that contradict each other, and accepted."""
    row = first(
        db,
        "SELECT max(above), min(accepted) FROM list_alarms WHERE account = ? AND ended = 0",
        (account,),
    )
    return row is not None and row[0] is not None and bool(row[1]) and version > row[0]


def end(db: apsw.Connection, account: bytes) -> None:
    """A list came that ends it."""
    db.execute("UPDATE list_alarms SET ended = 1 WHERE account = ?", (account,))


def proofs(db: apsw.Connection, account: bytes) -> list[bytes]:
    """All proofs against an account, ended alarms too (`signing.list_alarm.read_conflict`)."""
    rows = every(
        db, "SELECT proof FROM list_alarms WHERE account = ? ORDER BY raised_ms", (account,)
    )
    return [row[0] for row in rows]
