"""The own channel: what one device of an account tells the others (`sync` content, numbered).

What travels: entries in step (`linnet.client.synced`), how far a conversation was read, the
profile key, and a new account storage key, which only the main device gives. Each message carries
the newest own device list to whoever may not have it, so a change of devices is told by this as
well.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import device_alerts, device_changes, facts, outbox, read_marks, synced
from linnet.client.device_events import Synced
from linnet.client.environment import Environment
from linnet.client.events import Event
from linnet.client.facts import Clock, Fact, Identity, StorageKey
from linnet.client.lists import Held
from linnet.client.outbox import Item
from linnet.client.own_list import own_held
from linnet.client.reading import Received
from linnet.client.sealed import marks as sealed_marks
from linnet.client.sealed import own_profile
from linnet.client.synced import Entry
from linnet.crypto.bodies_sync import (
    MAX_ENTRIES,
    SyncEntries,
    SyncList,
    SyncProfileKey,
    SyncRead,
    SyncReadSealed,
    SyncStorageKey,
    read_sync,
)
from linnet.crypto.body import Body, body_of
from linnet.crypto.content import Refused
from linnet.wire.ids import AccountId, direct_conversation, message_id

KIND: Final = "sync"
SCOPE_CHARS: Final = 32
KEY_BYTES: Final = 128
VALUE_BYTES: Final = 4096
_ENTRIES_BYTES: Final = 24_000
"""Of one message; content may have 65,536."""


class Greeted(Fact, frozen=True, kw_only=True):
    """Number of the last change of the own devices that `greet` has seen."""

    seq: int = 0


@dataclass(frozen=True, slots=True)
class OwnChannel:
    """Speaks for this device."""

    account: AccountId
    world: Environment

    def tell(self, db: apsw.Connection, body: Body) -> None:
        """Queue a `sync` for the other own devices; nothing if there are none."""
        if len(own_held(db).list.devices) < 2:
            return
        now_ms = self.world.now_ms() + facts.get_or(db, Clock()).offset_ms
        item = Item(
            id=message_id(now_ms, self.world.rng(10)),
            conversation=direct_conversation(self.account, self.account),
            peer=self.account,
            kind=KIND,
            body=body_of(body),
            sent_ms=now_ms,
        )
        outbox.enqueue_unshown(db, item)

    def write(self, db: apsw.Connection, scope: str, key: bytes, value: bytes) -> None:
        """Write an entry here and tell the others. Raises ValueError if it is too long."""
        if len(key) > KEY_BYTES or len(value) > VALUE_BYTES:
            raise ValueError("too long to be kept in step")
        entry = synced.write(db, scope, key, value, self.world.now_ms())
        if entry is not None:
            self.tell(db, _entries([entry]))

    def list_changed(self, db: apsw.Connection, before: Held, after: Held) -> None:
        """The main device has a new own list: tell the others, by what it carries at least, and
        all that is kept in step where devices changed: somebody is new, or what a removed device
        told last came to some of them only."""
        devices = [set(held.list.device_keys()) for held in (before, after)]
        if devices[0] != devices[1]:
            # To who is new as well: its link may have begun before another device was removed.
            self.tell_storage_key(db)
            self.tell_everything(db)
        else:
            self.tell(db, SyncList())

    def greet(self, db: apsw.Connection) -> None:
        """On a linked device: give the others all that is kept in step, once, when the main device
        is new, as after a recovery, and when a device was removed: nobody takes from that any more
        what it told some of us."""
        primary, since = own_held(db).list.primary, facts.get_or(db, Greeted()).seq
        changes = device_changes.since(db, since, account=self.account)
        if changes:
            facts.put(db, Greeted(seq=changes[-1].seq))
        me = facts.get(db, Identity)
        assert me is not None
        if me.device != primary and any(c.device == primary or not c.joined for c in changes):
            self.tell_everything(db)

    def tell_everything(self, db: apsw.Connection) -> None:
        """Tell all that is kept in step, for a device that is new."""
        for some in _pages(synced.everything(db)):
            self.tell(db, _entries(some))
        self.tell(db, SyncRead(tuple(read_marks.of(db, self.account))))
        self.tell(db, SyncReadSealed(tuple(sealed_marks.all_of(db, self.account))))
        for profile in own_profile.told(db):
            self.tell(db, profile)

    def tell_storage_key(self, db: apsw.Connection) -> None:
        """Give the others the account storage key in force, unless it is still the first: that one
        came with their links."""
        storage = facts.get(db, StorageKey)
        assert storage is not None
        if storage.version:
            self.tell(db, SyncStorageKey(storage.key, storage.version))


def read_own(db: apsw.Connection, received: Received) -> list[Event]:
    """Apply what another own device told. Raises Damaged, Refused."""
    match read_sync(received.content.body):
        case SyncEntries(entries):
            told = _merge(db, entries)
        case SyncRead(marks):
            told = _read_elsewhere(db, received.content.sender, marks)
        case SyncReadSealed(marks):
            by = received.content.sender
            told = [
                event
                for conversation, at_ms, id in marks
                for event in sealed_marks.raise_to(db, conversation, by, (at_ms, id))
            ]
        case SyncProfileKey() as profile:
            own_profile.adopt(db, profile)
            told = []
        case SyncStorageKey(key, version):
            told = _new_storage_key(db, received, key, version)
        case _:
            told = []  # from a newer client, or nothing but the list that came with it
    return [*told, *device_alerts.untold(db)]


def _pages(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    page: list[Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.key) + len(entry.value) + SCOPE_CHARS
        if page and (len(page) == MAX_ENTRIES or size + length > _ENTRIES_BYTES):
            yield page
            page, size = [], 0
        page.append(entry)
        size += length
    if page:
        yield page


def _entries(page: Iterable[Entry]) -> SyncEntries:
    return SyncEntries(tuple((e.scope, e.key, e.value, e.stamp_ms) for e in page))


def _merge(db: apsw.Connection, rows: Iterable[tuple[str, bytes, bytes, int]]) -> list[Event]:
    changed = {entry.scope: None for row in rows if synced.merge(db, entry := Entry(*row))}
    return [Synced(scope) for scope in changed]


def _read_elsewhere(
    db: apsw.Connection, by: bytes, marks: Iterable[tuple[bytes, int]]
) -> list[Event]:
    return [
        event
        for conversation, up_to in marks
        for event in read_marks.raise_to(db, conversation, by, up_to)
    ]


def _new_storage_key(
    db: apsw.Connection, received: Received, key: bytes, version: int
) -> list[Event]:
    if received.content.device != received.held.list.primary:
        raise Refused("only the main device replaces the storage key")
    if version > facts.get_or(db, StorageKey(key=b"")).version:
        facts.put(db, StorageKey(key=key, version=version))
    return []
