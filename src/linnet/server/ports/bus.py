"""Bus: wake-ups that carry what was just committed. The mailbox is the truth; a notice lost,
late or repeated costs time, never a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from linnet.server.ports.timeline import DeviceSet, Entry, Spread
from linnet.wire.frames import Interval


class Delivered(msgspec.Struct, gc=False):
    """`account` has committed `intervals` of a conversation; for `to`'s connected devices. Of a
    `group` many say so at once, and are told together."""

    to: bytes
    conversation: bytes
    account: bytes
    intervals: tuple[Interval, ...]
    group: bool = False


class Regrouped(msgspec.Struct):
    """A group's roster is now `roster`: for those who are in it and those who were until then."""

    group: bytes
    roster: int
    accounts: frozenset[bytes]


class Notices(msgspec.Struct, gc=False):
    """What one group commit has to tell connected devices."""

    entries: list[Entry]
    delivered: list[Delivered]
    spreads: list[Spread] = []
    sets: list[DeviceSet] = []
    regrouped: list[Regrouped] = []


Subscriber = Callable[[Notices], None]


class Bus(Protocol):
    """Carries notices to every gateway that holds a device they concern."""

    def publish(self, notices: Notices) -> None:
        """Hand over; never blocks, never raises."""

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` on the event loop for notices of devices held here."""
