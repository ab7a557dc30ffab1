"""Device lists as this device holds them: pinned on first use, checked, refetched when needed.

Here is what is kept and what is asked for. The rules of a list are `linnet.signing.device_list`;
where a list comes from (server, or attached to a message) makes no difference to what it must
prove. Lists under a new account key are set aside until somebody accepts them.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import apsw

from linnet.client import device_changes, facts, list_alarms, missing_lists
from linnet.client.errors import NotTrusted
from linnet.client.facts import Identity
from linnet.client.sql import first
from linnet.crypto.content import Ref
from linnet.signing.device_list import (
    DeviceList,
    ListedDevice,
    check_list,
    decode_list,
    prove_list,
)
from linnet.signing.errors import ListReason, ListRejected
from linnet.signing.list_alarm import conflict
from linnet.signing.list_clock import addressees, is_expired, must_narrow, needs_refetch
from linnet.signing.objects import SignedObject

REFETCH_EXPIRED_MS: Final = 3_600_000
"""An expired list is asked for again this often."""


class Adopted(Enum):
    """What became of an offered list."""

    NEW = "held from now on"
    KNOWN = "the same or an older one is held"
    CHANGED_KEY = "set aside: it is under another account key"
    CONFLICT = "the account signed this and the held one, which cannot both be: an alarm"
    STOPPED = "not taken while an alarm is on"


@dataclass(frozen=True, slots=True)
class Held:
    """The list in force for an account, under its pinned key."""

    obj: SignedObject
    list: DeviceList
    fetched_ms: int
    wanted_set: int
    wanted_version: int
    key_changed: bool
    missing_since_ms: int | None = None
    """Since when a newer list is known to exist that cannot be had."""

    @property
    def ref(self) -> Ref:
        """What content quotes: (version, hash)."""
        return self.list.version, self.obj.hash

    def expired(self, now_ms: int) -> bool:
        """Whether its time is over by this device's clock."""
        return is_expired(self.list, now_ms // 1000)

    def narrowed(self, now_ms: int) -> bool:
        """Whether only the primary may still be written to."""
        return must_narrow(self.list, now_ms // 1000, self._missing_since_s())

    def stale(self, now_ms: int) -> bool:
        """Whether it must be fetched again before it is used."""
        return (
            self.wanted_set > self.list.set
            or self.wanted_version > self.list.version
            or needs_refetch(self.fetched_ms // 1000, now_ms // 1000)
            or (self.expired(now_ms) and now_ms - self.fetched_ms > REFETCH_EXPIRED_MS)
        )

    def recipients(self, now_ms: int) -> tuple[ListedDevice, ...]:
        """The devices a message goes to: all, or the primary alone if sending is narrowed."""
        return addressees(self.list, now_ms // 1000, self._missing_since_s())

    def _missing_since_s(self) -> int | None:
        return None if self.missing_since_ms is None else self.missing_since_ms // 1000


def held(db: apsw.Connection, account: bytes) -> Held | None:
    """The list in force, or None for an account never met."""
    row = first(
        db,
        "SELECT body, sig, fetched_ms, wanted_set, wanted_version, changed_body IS NOT NULL,"
        " (SELECT since_ms FROM missing_lists m WHERE m.account = lists.account)"
        " FROM lists WHERE account = ?",
        (account,),
    )
    if row is None:
        return None
    body, sig, *rest = row
    fetched_ms, wanted_set, wanted_version, changed, missing_since_ms = rest
    obj = SignedObject(body, sig)
    listed = decode_list(body)
    return Held(
        obj, listed, fetched_ms, wanted_set, wanted_version, bool(changed), missing_since_ms
    )


def adopt(
    db: apsw.Connection, account: bytes, obj: SignedObject, now_ms: int, *, fetched: bool = True
) -> Adopted:
    """Take an offered list if it proves itself; the first one pins the account key.

    `fetched`: it came from the server, which ends every doubt about a newer one.
    Raises NotTrusted with the broken rule.
    """
    before = held(db, account)
    if before is not None and list_alarms.sounds(db, account):
        return _after_alarm(db, account, obj, before, now_ms)
    try:
        listed = _check(obj, account, before, now_ms)
    except ListRejected as refusal:
        return _refused(db, account, obj, before, refusal.reason, now_ms, fetched=fetched)
    if before is not None and before.list.version == listed.version:
        if fetched:
            _confirm(db, account, listed, now_ms)
        return Adopted.KNOWN
    _hold(db, account, obj, listed, now_ms, before)
    return Adopted.NEW


def pin(
    db: apsw.Connection, account: bytes, account_key: bytes, obj: SignedObject, now_ms: int
) -> None:
    """Hold the first list of an account whose key is known from elsewhere. Raises NotTrusted."""
    _hold(db, account, obj, check_own(obj, account, account_key, now_ms), now_ms, None)


def check_own(obj: SignedObject, account: bytes, account_key: bytes, now_ms: int) -> DeviceList:
    """A list of an account whose key is known, expired or not. Raises NotTrusted."""
    try:
        listed = _check(obj, account, None, now_ms)
    except ListRejected as refusal:
        raise NotTrusted(refusal.reason.value) from None
    if listed.key != account_key:
        raise NotTrusted(ListReason.ACCOUNT_KEY.value)
    return listed


def doubt(db: apsw.Connection, account: bytes, *, set: int = 0, version: int = 0) -> None:
    """Somebody claims a newer list: fetch it before the held one is used again."""
    db.execute(
        "UPDATE lists SET wanted_set = max(wanted_set, ?), wanted_version = max(wanted_version, ?)"
        " WHERE account = ?",
        (set, version, account),
    )


def changed(db: apsw.Connection, account: bytes) -> DeviceList | None:
    """The list under another account key that was set aside, if there is one."""
    row = first(db, "SELECT changed_body FROM lists WHERE account = ?", (account,))
    return None if row is None or row[0] is None else decode_list(row[0])


def accept_changed(db: apsw.Connection, account: bytes, now_ms: int) -> bool:
    """Pin the account key that was set aside. False if there is none.

    All devices under the old key have left with it. Sessions with them are not used again.
    """
    before = held(db, account)
    row = first(db, "SELECT changed_body, changed_sig FROM lists WHERE account = ?", (account,))
    if row is None or row[0] is None:
        return False
    obj = SignedObject(*row)
    listed = decode_list(obj.body)
    _hold(db, account, obj, listed, now_ms, None)
    list_alarms.end(db, account)
    missing_lists.forget(db, account)
    device_changes.note(db, before.list if before else None, listed, now_ms)
    return True


def _refused(
    db: apsw.Connection,
    account: bytes,
    obj: SignedObject,
    before: Held | None,
    reason: ListReason,
    now_ms: int,
    *,
    fetched: bool,
) -> Adopted:
    """What a list that breaks a rule is still good for. Raises NotTrusted."""
    if before is not None and reason is ListReason.ACCOUNT_KEY:
        return _set_aside(db, account, obj, now_ms)
    proof = None if before is None else conflict(before.obj, obj)
    if proof is not None:
        list_alarms.sound(db, account, proof, now_ms)
        return Adopted.CONFLICT
    if before is not None and not fetched:
        if reason is ListReason.ROLLBACK:
            return Adopted.KNOWN
        if _is_newer(obj, before):
            missing_lists.note(db, account, now_ms, version=decode_list(obj.body).version)
            return Adopted.STOPPED
    raise NotTrusted(reason.value) from None


def _is_newer(obj: SignedObject, before: Held) -> bool:
    """Whether the account key signed this list, after the held one."""
    try:
        proven = prove_list(obj).listed
    except ListRejected:
        return False
    ours = (before.list.account, before.list.key)
    return (proven.account, proven.key) == ours and proven.version > before.list.version


def _after_alarm(
    db: apsw.Connection, account: bytes, obj: SignedObject, before: Held, now_ms: int
) -> Adopted:
    """An accepted alarm ends with a version above both lists; it need not follow from either."""
    try:
        listed = _check(obj, account, None, now_ms)
    except ListRejected as refusal:
        raise NotTrusted(refusal.reason.value) from None
    if listed.key != before.list.key or not list_alarms.may_end(db, account, listed.version):
        db.execute("UPDATE lists SET fetched_ms = ? WHERE account = ?", (now_ms, account))
        return Adopted.STOPPED
    list_alarms.end(db, account)
    _hold(db, account, obj, listed, now_ms, before)
    return Adopted.NEW


def _check(obj: SignedObject, account: bytes, before: Held | None, now_ms: int) -> DeviceList:
    """As `check_list`, but an expired list is still a list: it narrows, see `recipients`."""
    key = before.list.key if before else None
    old = before.obj if before else None
    try:
        return check_list(obj, account=account, account_key=key, now_s=now_ms // 1000, held=old)
    except ListRejected as refusal:
        if refusal.reason is not ListReason.EXPIRED:
            raise
    expires = decode_list(obj.body).expires
    return check_list(obj, account=account, account_key=key, now_s=expires, held=old)


def _set_aside(db: apsw.Connection, account: bytes, obj: SignedObject, now_ms: int) -> Adopted:
    try:
        _check(obj, account, None, now_ms)
    except ListRejected as refusal:
        raise NotTrusted(refusal.reason.value) from None
    identity = facts.get(db, Identity)
    if identity is None or identity.account != account:
        db.execute(
            "UPDATE lists SET changed_body = ?, changed_sig = ? WHERE account = ?",
            (obj.body, obj.sig, account),
        )  # one's own account key is known: another one is a lie, told of and never held
    return Adopted.CHANGED_KEY


def _hold(
    db: apsw.Connection,
    account: bytes,
    obj: SignedObject,
    listed: DeviceList,
    now_ms: int,
    before: Held | None,
) -> None:
    wanted = (before.wanted_set, before.wanted_version) if before else (0, 0)
    db.execute(
        "INSERT OR REPLACE INTO lists"
        " (account, account_key, body, sig, fetched_ms, wanted_set, wanted_version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (account, listed.key, obj.body, obj.sig, now_ms, *wanted),
    )
    device_changes.note(db, before.list if before else None, listed, now_ms)
    missing_lists.adopted(db, account, listed.set, listed.version)


def _confirm(db: apsw.Connection, account: bytes, listed: DeviceList, now_ms: int) -> None:
    """The server has nothing newer: claims that it cannot prove are no longer waited for, and an
    account key that it does not show any more is none to be accepted."""
    db.execute(
        "UPDATE lists SET fetched_ms = ?, wanted_set = min(wanted_set, ?),"
        " wanted_version = min(wanted_version, ?), changed_body = NULL, changed_sig = NULL"
        " WHERE account = ?",
        (now_ms, listed.set, listed.version, account),
    )
