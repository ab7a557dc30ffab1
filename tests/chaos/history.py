"""History: what a fleet of clients saw, one event after another, in the order it happened.

Written by `fleet` and by `sdk`, judged by `checker`. All clients live in one process, so one list
holds everybody's events and its order is real. Events are facts; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from linnet.wire.frames import Interval, Sets


class Device(NamedTuple):
    """One device of one account."""

    account: bytes
    number: int


class Event(msgspec.Struct, frozen=True):
    """Base of all events."""


class Listed(Event, frozen=True):
    """From now on the account's set `number` holds these devices."""

    account: bytes
    number: int
    devices: tuple[int, ...]


class Tried(Event, frozen=True):
    """A device is about to offer a message under this id; `parts` are digests of what each
    addressed device is to show. A try with other parts has another commitment."""

    by: Device
    to: bytes
    conversation: bytes
    id: bytes
    mode: int
    commitment: bytes
    parts: Mapping[Device, bytes]
    roster: int = 0
    sets: Sets | None = None


class Sent(Event, frozen=True):
    """The sending device read `sent`, or its own row: the message is acknowledged."""

    by: Device
    conversation: bytes
    id: bytes
    conv_seq: int
    server_timestamp: int
    commitment: bytes
    sets: Sets | None
    roster: int = 0


class Refused(Event, frozen=True):
    """The sending device read a refusal."""

    by: Device
    conversation: bytes
    id: bytes
    code: str


class Row(Event, frozen=True):
    """A device committed a row, of whatever kind. Its cursor is `position` now."""

    on: Device
    position: int
    prev: int
    conversation: bytes
    conv_seq: int


class Shown(Event, frozen=True):
    """A device committed a message of somebody to its store; `digest` is of what it holds."""

    on: Device
    conversation: bytes
    conv_seq: int
    sender: Device
    id: bytes
    commitment: bytes
    digest: bytes


class Acked(Event, frozen=True):
    """A device told the server that everything up to `position` is committed."""

    on: Device
    position: int


class Resynced(Event, frozen=True):
    """A device was told to go on from `start`, and its cursor is there now."""

    on: Device
    start: int


class Told(Event, frozen=True):
    """A device was told what `account` has committed (`intervals`); `union` is what it knows now,
    united with everything before."""

    to: Device
    conversation: bytes
    account: bytes
    intervals: tuple[Interval, ...]
    union: tuple[Interval, ...]


class Gone(Event, frozen=True):
    """The device was revoked or deleted, or its store was lost."""

    device: Device


class Changed(Event, frozen=True):
    """A group's log says that these are the members after the entry of `version`."""

    group: bytes
    version: int
    members: frozenset[bytes]


class Gathered(Event, frozen=True):
    """Somebody was told the group's roster: the log's version it was made at, and each member's
    set and devices."""

    group: bytes
    number: int
    version: int
    seats: Mapping[bytes, tuple[int, tuple[int, ...]]]


class Settled(Event, frozen=True):
    """The server answered a change of the group: what is said from now on must not be accepted
    under a roster below `roster`."""

    group: bytes
    roster: int


class Accounted(Event, frozen=True):
    """A device asked for a hole in a group's numbers, and was told that these were not for it."""

    on: Device
    group: bytes
    not_entitled: tuple[Interval, ...]


class SealedTried(Event, frozen=True):
    """A device is about to offer a sealed message; `parts` as in Tried."""

    by: Device
    to: bytes
    id: bytes
    parts: Mapping[Device, bytes]


class SealedSent(Event, frozen=True):
    """The sender was answered: the sealed message is acknowledged."""

    to: bytes
    id: bytes
    server_timestamp: int


class SealedShown(Event, frozen=True):
    """A device committed a sealed message to its store."""

    on: Device
    id: bytes
    server_timestamp: int
    digest: bytes


class Killed(Event, frozen=True):
    """The server was killed; for those who read a history."""


History = list[Event]
