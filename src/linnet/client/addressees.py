"""Addressees: the devices that a message was encrypted for, as tries and accepted messages keep
them.

Those of a large group are the same for message after message: such a set is stored once, and named
by its hash where it is referred to.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import apsw
import msgspec

from linnet.client.remembered import Remembered
from linnet.client.sql import first

Addressee = tuple[bytes, int, bytes]
"""(account, device id, identity key)."""
Addressees = tuple[Addressee, ...]

FEW: Final = 32
"""So many are written out each time."""
_NAMED: Final = b"\xc1"
"""No value in MessagePack begins so: what follows is the hash of a set."""
_DECODER: Final = msgspec.msgpack.Decoder(Addressees)
_sets: Final = Remembered[Addressees](64)


def packed(db: apsw.Connection, addressees: Sequence[Addressee]) -> bytes:
    """The bytes to keep for these, their set stored if they are many."""
    data = msgspec.msgpack.encode(addressees)
    if len(addressees) <= FEW:
        return data
    name = sha256(data).digest()
    db.execute("INSERT OR IGNORE INTO addressee_sets VALUES (?, ?)", (name, data))
    return _NAMED + name


def unpacked(db: apsw.Connection, data: bytes) -> Addressees:
    """What `packed` made bytes of. The same object for the same large set."""
    if not data.startswith(_NAMED):
        return _DECODER.decode(data)
    name = data[len(_NAMED) :]

    def read() -> Addressees:
        row = first(db, "SELECT packed FROM addressee_sets WHERE hash = ?", (name,))
        return () if row is None else _DECODER.decode(row[0])

    return _sets.get(name, read)


def holds(db: apsw.Connection, data: bytes) -> bool:
    """Whether the set that these bytes name is stored; true where they name none."""
    if not data.startswith(_NAMED):
        return True
    name = data[len(_NAMED) :]
    return first(db, "SELECT 1 FROM addressee_sets WHERE hash = ?", (name,)) is not None


def prune(db: apsw.Connection) -> None:
    """Forget the sets that nothing refers to."""
    db.execute(
        "DELETE FROM addressee_sets WHERE hash NOT IN ("
        "SELECT substr(addressees, 2) FROM accepted WHERE length(addressees) = 33"
        " UNION SELECT substr(addressees, 2) FROM tries WHERE length(addressees) = 33"
        " UNION SELECT substr(withheld, 2) FROM tries WHERE length(withheld) = 33)"
    )
