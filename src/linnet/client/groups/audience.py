"""The audience of a group: the devices that what we send to it is encrypted for.

Who is a member is what the log says, and which devices a member has is what its own list says; the
server's roster has no part in it. A member who shows another account key than the log names gets
nothing until `rekey`, one whose lists contradict each other nothing while the alarm is on; of one
that is narrowed, or whose list cannot be had, the main device alone. Judging 1,024 lists takes
time, so what was found is kept while nothing that it follows from has changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import apsw

from linnet.client import addressees, list_alarms, lists, resends, unobtainable
from linnet.client.lists import Held
from linnet.client.sendable import Missing, clock_stops
from linnet.client.sessions import Peer
from linnet.client.sql import number
from linnet.crypto.sender_key_rotation import Holder
from linnet.signing.group_state import GroupState
from linnet.signing.list_clock import is_early
from linnet.signing.list_format import ListedDevice

REJUDGE_MS: Final = 600_000
"""Lists expire, and narrow, with time: an audience is good for so long."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Devices by (account, account key, id), with their identity keys.

    `name` is a hash of just these; `packed` is what tries keep of them. `changes` and `at_ms` say
    until when it holds.
    """

    head: bytes
    changes: int
    at_ms: int
    devices: Mapping[Holder, bytes]
    name: bytes
    packed: bytes

    def still(self, state: GroupState, changes: int, now_ms: int) -> bool:
        """Whether nothing has changed since."""
        same = (self.head, self.changes) == (state.head, changes)
        return same and 0 <= now_ms - self.at_ms < REJUDGE_MS


class Audiences:
    """The audiences of one device's groups."""

    def __init__(self, me: Peer) -> None:
        self._me = me
        self._kept: dict[bytes, Audience] = {}

    def of(self, db: apsw.Connection, state: GroupState, now_ms: int) -> Audience | Missing:
        """Whom to encrypt for, or what keeps the message from being sealed. Called before the
        transaction changes any list."""
        changes = number(db, "SELECT n FROM list_changes")
        kept = self._kept.get(state.group)
        if kept is None or not kept.still(state, changes, now_ms):
            found = self._judged(db, state, changes, now_ms)
            if isinstance(found, Missing):
                return found
            kept = self._kept[state.group] = found
        elif not addressees.holds(db, kept.packed):
            addressees.packed(db, _addressees(kept.devices))
        return kept

    def _judged(
        self, db: apsw.Connection, state: GroupState, changes: int, now_ms: int
    ) -> Audience | Missing:
        """Every device that may read, by the lists held; or whose lists must be fetched."""
        devices: dict[Holder, bytes] = {}
        missing = []
        early = expired = False
        for account, member in state.members.items():
            held = lists.held(db, account)
            if held is not None and _shut_out(db, held):
                continue  # first: no list that could be fetched would change that
            wanting = held is None or held.stale(now_ms)
            if wanting and not unobtainable.given_up(db, account, now_ms):
                missing.append(account)
                continue
            if held is None or held.list.key != member.account_key:
                continue
            early |= is_early(held.list, now_ms // 1000)
            expired |= held.expired(now_ms)
            for device in _primary(held) if wanting else held.recipients(now_ms):
                if (account, device.id) != self._me:
                    devices[Holder(account, member.account_key, device.id)] = device.key
        if missing:
            return Missing(lists=tuple(missing))
        wrong = clock_stops(db, now_ms, early=early, expired=expired)
        if wrong is not None:
            return wrong
        resends.note_primaries(db, {holder.account for holder in devices})
        packed = addressees.packed(db, _addressees(devices))
        return Audience(state.head, changes, now_ms, devices, _name(devices), packed)


def _shut_out(db: apsw.Connection, held: Held) -> bool:
    """Whether a member gets nothing until a person has looked: it shows another account key, or its
    lists contradict each other."""
    return held.key_changed or list_alarms.sounds(db, held.list.account)


def _primary(held: Held) -> tuple[ListedDevice, ...]:
    """The main device alone, of a member whose newest list cannot be had."""
    return tuple(device for device in held.list.devices if device.id == held.list.primary)


def _addressees(devices: Mapping[Holder, bytes]) -> addressees.Addressees:
    return tuple((it.account, it.device, key) for it, key in devices.items())


def _name(devices: Mapping[Holder, bytes]) -> bytes:
    hasher = sha256()
    for account, account_key, device in sorted(devices):
        hasher.update(account + account_key + bytes([device]))
    return hasher.digest()
