"""Device alerts: every device of an account tells its person who joined and who left.

From the changes noted where the own list is adopted (`linnet.client.device_changes`), each told
once on each device.
"""

import apsw

from linnet.client import device_changes, facts
from linnet.client.device_events import DeviceAdded, DeviceRemoved
from linnet.client.events import Event
from linnet.client.facts import Fact, Identity, StorageKey
from linnet.crypto.device_name import BadName, open_name
from linnet.wire.ids import DeviceId


class ToldChanges(Fact, frozen=True, kw_only=True):
    """Number of the last change of one's own devices that the application was told of."""

    seq: int = 0


def untold(db: apsw.Connection) -> list[Event]:
    """Changes of one's own devices that nobody was told of yet; now they count as told."""
    identity, storage = facts.get(db, Identity), facts.get_or(db, StorageKey(key=b""))
    if identity is None:
        return []
    told = facts.get_or(db, ToldChanges()).seq
    changes = device_changes.since(db, told, account=identity.account)
    if changes:
        facts.put(db, ToldChanges(seq=changes[-1].seq))
    events: list[Event] = []
    for change in changes:
        kind = DeviceAdded if change.joined else DeviceRemoved
        name = name_of(storage.key, identity.account, change.device, change.name)
        events.append(kind(DeviceId(change.device), change.kind, name))
    return events


def name_of(storage_key: bytes, account: bytes, device: int, sealed: bytes) -> str:
    """The name of a device; none if it is under a key that is not here."""
    try:
        return open_name(storage_key, account, device, sealed)
    except BadName:
        return ""
