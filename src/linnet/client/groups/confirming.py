"""Confirming: after a device of one's own was removed, an entry in every group that one administers
holds the account to the new list, so that the removed device can sign nothing more there.

The main device does this, which signed the removal.
"""

import apsw

from linnet.client import facts, lists
from linnet.client.facts import Identity
from linnet.client.groups import book
from linnet.signing.group_state import GroupState
from linnet.signing.list_format import DeviceList, decode_list


def due(db: apsw.Connection) -> list[bytes]:
    """The groups where an entry is owed."""
    identity = facts.get(db, Identity)
    own = None if identity is None else lists.held(db, identity.account)
    if identity is None or own is None or own.list.primary != identity.device:
        return []
    return [group for group in book.ids(db) if _owed(db, group, own.list)]


def _owed(db: apsw.Connection, group: bytes, own: DeviceList) -> bool:
    held = book.group(db, group)
    assert held is not None
    if held.alarm is not None or not held.settled.is_admin(own.account):
        return False
    if held.holding:
        return False  # it would vouch for what the removed device did: a person looks first
    return bool(_trusted(db, held.settled, own) - {device.id for device in own.devices})


def _trusted(db: apsw.Connection, state: GroupState, own: DeviceList) -> set[int]:
    """Ids of the devices that the log still lets sign for this account."""
    cited = state.cited.get(own.account + own.key)
    if cited is None:
        return set(range(1, own.next_id))  # it never acted: any list of it will do
    obj = book.lists(db, [cited.hash]).get(cited.hash)
    return set() if obj is None else {device.id for device in decode_list(obj.body).devices}
