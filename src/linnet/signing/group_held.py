"""Entries that take no effect yet, because a device that was revoked may have signed them.

The log proves that a listed device signed, not when. So what a device signs after its revocation,
under the list before, looks valid; who holds the newer list holds such entries back until an
admin whose device is listed today has built on them. Pure: which lists are held is the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from linnet.signing.group_entry import Entry
from linnet.signing.group_state import GroupState
from linnet.signing.list_format import DeviceList


@dataclass(frozen=True, slots=True)
class Step:
    """A folded entry that may not have taken effect: who acted, and the group after it.

    `suspect` is what `is_suspect` said when the entry was first seen; it is stored, never asked
    again, because a later revocation does not undo what was done before it.
    """

    actor: bytes
    after: GroupState
    suspect: bool


def is_suspect(entry: Entry, cited: DeviceList, newest: DeviceList | None) -> bool:
    """Tell whether a newer list lacks the device that signed.

    `newest` is the newest list held of the actor's account under the account key that is accepted
    for it, or None. A server refuses to append such an entry; a client holds it back.
    """
    if newest is None or (newest.key == cited.key and newest.version <= cited.version):
        return False
    key = cited.device_keys().get(entry.device)
    return newest.key != cited.key or newest.device_keys().get(entry.device) != key


def effective(settled: GroupState, steps: Sequence[Step]) -> int:
    """Return how many of `steps`, which follow `settled`, take effect; the others are held.

    A suspect entry and all after it are held until a later one that is not suspect itself and is
    by an admin, who was one, under the same account key, before the first held entry as well: or
    a revoked device could make the admin who releases what it did.
    """
    count, base, holding = 0, settled, False
    before = settled
    for place, step in enumerate(steps, 1):
        holding = holding or step.suspect
        vouched = not step.suspect and _vouches(step.actor, base, before)
        if not holding or vouched:
            count, base, holding = place, step.after, False
        before = step.after
    return count


def _vouches(actor: bytes, base: GroupState, before: GroupState) -> bool:
    if not (base.is_admin(actor) and before.is_admin(actor)):
        return False
    return base.members[actor].account_key == before.members[actor].account_key
