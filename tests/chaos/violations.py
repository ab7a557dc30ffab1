"""Violations: each way to break a promise of docs/protocol/delivery.md, and one that was found."""

from __future__ import annotations

from enum import Enum

import msgspec
from tests.chaos.history import Device


class Kind(Enum):
    """Each way to break a promise."""

    MISSING = "acknowledged, but not shown on an entitled device"
    TWICE = "shown more than once on a device"
    NUMBERS = "devices do not agree which conv_seq an id has"
    ORDER = "a history is not in conv_seq order"
    HOLE = "a hole in conv_seq that nothing accounts for"
    CHAIN = "a row that does not follow the one before it"
    AHEAD = "an ack of what was not committed"
    COVERED = "`delivered` covers what no entitled device committed"
    FELL = "`delivered` fell"
    OUTCOME = "an id with two outcomes"
    INVENTED = "shown, but never said to this device"
    ALTERED = "shown with other bytes than were said"
    LEAKED = "placed for somebody whom its roster does not reach"
    ROSTER = "a roster that contradicts itself, the group's log or a device set"
    STALE = "accepted for devices or a roster that had been replaced before it was said"


class Violation(msgspec.Struct, frozen=True):
    """One broken promise; `what` is for people."""

    kind: Kind
    what: str


def named(device: Device) -> str:
    """A device, for people."""
    return f"{short(device.account)}/{device.number}"


def short(id: bytes) -> str:
    """An id, for people."""
    return id.hex()[:6]
