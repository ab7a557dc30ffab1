"""This account's profile key, as its own devices have it in common."""

import apsw

from linnet.client import facts
from linnet.client.facts import Fact
from linnet.crypto.bodies_sync import SyncProfileKey


class Profile(Fact, frozen=True, kw_only=True):
    """This account's profile key. `registered`: the server has the hash of its delivery key."""

    key: bytes
    number: int
    registered: bool = False


def told(db: apsw.Connection) -> list[SyncProfileKey]:
    """What another own device is told of it: nothing before there is one."""
    held = facts.get(db, Profile)
    return [] if held is None else [SyncProfileKey(held.key, held.number)]


def adopt(db: apsw.Connection, said: SyncProfileKey) -> None:
    """Another own device told its profile key: the highest number holds, of equal ones the greater
    key."""
    held = facts.get(db, Profile)
    if held is None or (said.number, said.key) > (held.number, held.key):
        facts.put(db, Profile(key=said.key, number=said.number))


def unregistered(db: apsw.Connection) -> bool:
    """Whether the server does not know the key in force yet."""
    held = facts.get(db, Profile)
    return held is not None and not held.registered
