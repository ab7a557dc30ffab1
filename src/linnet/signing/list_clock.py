"""How long a device list counts, and what people are told while it runs out. All times in seconds.

Whose clock it is: the device's own. Whether a list is genuine is not asked here: see
`linnet.signing.device_list`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from linnet.signing.device_list import CLOCK_SLACK_S
from linnet.signing.list_format import DeviceList, ListedDevice

DAY_S: Final = 86_400
SIGN_AGAIN_AFTER_S: Final = 7 * DAY_S
REFETCH_AFTER_S: Final = 21 * DAY_S
WARN_BEFORE_S: Final = 14 * DAY_S
NARROW_AFTER_S: Final = 48 * 3_600

_LEAST_LISTS: Final = 3
"""Fewer than this many contacts say nothing about one's own clock."""


class Standing(StrEnum):
    """What the linked devices of an account say about their own list."""

    GOOD = "good"
    OPEN_PRIMARY = "open your main device"
    NOT_RECEIVING = "you are not receiving"


def is_early(listed: DeviceList, now_s: int) -> bool:
    """Tell whether a list claims to be issued more than 24 h from now: it is invalid."""
    return listed.issued > now_s + CLOCK_SLACK_S


def is_expired(listed: DeviceList, now_s: int) -> bool:
    """Tell whether a list expired more than 24 h ago."""
    return now_s > listed.expires + CLOCK_SLACK_S


def due_for_signing(listed: DeviceList, now_s: int) -> bool:
    """Tell whether the primary signs its list again: a week after it last did."""
    return now_s >= listed.issued + SIGN_AGAIN_AFTER_S


def needs_refetch(confirmed_s: int, now_s: int) -> bool:
    """Tell whether a list is fetched again before use: 21 days after it was last known newest."""
    return now_s > confirmed_s + REFETCH_AFTER_S


def standing(own: DeviceList, now_s: int) -> Standing:
    """Return what a linked device says of its own account's list."""
    if is_expired(own, now_s):
        return Standing.NOT_RECEIVING
    return Standing.OPEN_PRIMARY if now_s >= own.expires - WARN_BEFORE_S else Standing.GOOD


def must_narrow(listed: DeviceList, now_s: int, missing_since_s: int | None = None) -> bool:
    """Tell whether only the primary may be written to.

    `missing_since_s`: when a newer list was *proven* to exist that has not been had since; None
    if there is none. A claim without proof never narrows.
    """
    missing = missing_since_s is not None and now_s - missing_since_s >= NARROW_AFTER_S
    return missing or is_expired(listed, now_s)


def addressees(
    listed: DeviceList, now_s: int, missing_since_s: int | None = None
) -> tuple[ListedDevice, ...]:
    """Return the devices to write to: all, or the primary alone if sending is narrowed."""
    if not must_narrow(listed, now_s, missing_since_s):
        return listed.devices
    return tuple(device for device in listed.devices if device.id == listed.primary)


def clock_looks_wrong(contacts: Iterable[DeviceList], now_s: int) -> bool:
    """Tell whether most lists look expired, or most look early: ask about the clock, and stop.

    `contacts` are newest lists, of three accounts at least; fewer prove nothing.
    """
    lists = list(contacts)
    late = sum(is_expired(listed, now_s) for listed in lists)
    early = sum(is_early(listed, now_s) for listed in lists)
    return len(lists) >= _LEAST_LISTS and 2 * max(late, early) > len(lists)
