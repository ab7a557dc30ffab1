"""Kept: what is in a device's file, read when nothing moves any more."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw
from tests.soak.handset import Handset

from linnet.client import accepted, health, history, outbox
from linnet.client.events import Arrived
from linnet.client.groups import book, secrets
from linnet.client.health import Health
from linnet.client.own_list import own_held
from linnet.client.sealed.frames import restored
from linnet.client.sql import every
from linnet.client.store import DATABASE

ALL: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Group:
    """What a device knows of a group."""

    version: int
    members: tuple[tuple[bytes, str], ...]
    member: bool
    holding: bool
    """Entries wait: a device signed them that was removed."""
    title: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A device's conversations, and what it counted."""

    handset: Handset
    rows: dict[bytes, list[Arrived]]
    addressees: dict[bytes, frozenset[tuple[bytes, int]]]
    """By id, of what it sent: for whom it was encrypted."""
    groups: dict[bytes, Group]
    marks: dict[tuple[bytes, bytes], int]
    listed: frozenset[int]
    settings: dict[bytes, bytes]
    health: Health
    busy: bool
    parked: dict[bytes, tuple[bytes, int]]
    """By id, of what lies parked: the device that sent it."""


def kept(handset: Handset) -> Kept:
    """Read it."""
    file = handset.directory / DATABASE
    with contextlib.closing(_open(file)) as db:
        conversations = [row[0] for row in every(db, "SELECT DISTINCT conversation FROM messages")]
        groups = {id: _group(db, id) for id in book.ids(db, members_only=False)}
        return Kept(
            handset=handset,
            rows={it: history.page(db, it, None, ALL) for it in conversations},
            addressees={
                it.id: frozenset(device[:2] for device in it.addressees)
                for it in accepted.since(db, 0, ALL)
            },
            groups=groups,
            marks={
                (conversation, account): up_to
                for conversation, account, up_to in every(
                    db, "SELECT conversation, account, up_to FROM read_marks"
                )
            },
            listed=frozenset(it.id for it in own_held(db).list.devices),
            settings=dict(every(db, "SELECT key, value FROM synced WHERE scope = 'setting'")),
            health=health.read(db),
            busy=outbox.busy(db),
            parked=_parked(db),
        )


def _open(file: Path) -> apsw.Connection:
    db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    db.execute("PRAGMA busy_timeout = 5000")
    return db


def _parked(db: apsw.Connection) -> dict[bytes, tuple[bytes, int]]:
    frames = [restored(frame) for (frame,) in every(db, "SELECT frame FROM parked")]
    return {it.id: (it.sender, it.device) for it in frames}


def _group(db: apsw.Connection, id: bytes) -> Group:
    held = book.group(db, id)
    assert held is not None
    state = held.settled
    members = sorted((account, it.role.name) for account, it in state.members.items())
    return Group(state.version, tuple(members), held.member, held.holding, secrets.title(db, state))
