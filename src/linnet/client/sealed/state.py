"""Which conversations are sealed, and who is blocked.

Kept among what own devices hold in common (`linnet.client.synced`), as an entry that is stamped
with the number of the switch: the highest number holds, and of two with one number the one that
switches on.
"""

from typing import Final

import apsw

from linnet.client import synced
from linnet.client.sql import first
from linnet.client.synced import Entry
from linnet.crypto.bodies import Sealed

SCOPE: Final = "sealed"
BLOCKED: Final = "blocked"
YES: Final = b"\x01"
_ON: Final = b"\x01"
_OFF: Final = b"\x02"


def on(db: apsw.Connection, account: bytes) -> bool:
    """Whether what is said to an account is sealed."""
    return synced.value(db, SCOPE, account) == _ON


def any_on(db: apsw.Connection) -> bool:
    """Whether any conversation is sealed."""
    return any(value == _ON for _, value in synced.of_scope(db, SCOPE))


def number(db: apsw.Connection, account: bytes) -> int:
    """The number of the last switch known; 0 if there was none."""
    row = first(db, "SELECT stamp_ms FROM synced WHERE scope = ? AND key = ?", (SCOPE, account))
    return 0 if row is None else int(row[0]) // 2


def switch(db: apsw.Connection, account: bytes, body: Sealed) -> bool:
    """Take a switch if it is the newer one; whether it changed anything."""
    before = on(db, account)
    value = _ON if body.on else _OFF
    synced.merge(db, Entry(SCOPE, account, value, 2 * body.number + body.on))
    return on(db, account) != before


def blocked(db: apsw.Connection, account: bytes) -> bool:
    """Whether an account is blocked."""
    return synced.value(db, BLOCKED, account) == YES
