"""Sendable: whether a message may be sealed now, judged by the two device lists it goes by.

Lists must be held, confirmed lately, and free of contradiction; what somebody claims about them
must have been asked for. What stands in the way is either fetched, waited for, or ends the message.
"""

from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import claims, facts, list_alarms, lists
from linnet.client.errors import KeyChanged
from linnet.client.events import ClockWrong, Event
from linnet.client.facts import Fact
from linnet.client.lists import Held
from linnet.client.outbox import Item
from linnet.client.sql import every
from linnet.signing.list_clock import clock_looks_wrong, is_early
from linnet.signing.list_format import ListedDevice, decode_list

WITNESSES: Final = 8
WITNESS_MS: Final = 86_400_000
"""A list that the server confirmed within a day says something about this device's clock."""
ASK_WITNESSES_MS: Final = 3_600_000
TELL_CLOCK_MS: Final = 86_400_000
ASK_MISSING_MS: Final = 300_000

Target = tuple[bytes, ListedDevice]
"""A device of an account."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What must be fetched before the message can be sealed; nothing at all: only time helps.

    `groups` are those whose log must be read on; `witnesses` are lists that would help to judge
    this device's own clock: without them it goes on too. `told` is for the application.
    """

    lists: tuple[bytes, ...] = ()
    bundles: tuple[Target, ...] = ()
    groups: tuple[bytes, ...] = ()
    witnesses: tuple[bytes, ...] = ()
    told: tuple[Event, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to fetch: the message waits, as after a refusal."""
        return not (self.lists or self.bundles or self.groups or self.witnesses)


class ClockAsked(Fact, frozen=True, kw_only=True):
    """When witnesses were last asked, and when the person was last told."""

    asked_ms: int = 0
    told_ms: int = 0


def sendable(
    db: apsw.Connection, me: bytes, item: Item, now_ms: int
) -> tuple[Held, Held] | Missing:
    """The recipient's list and the own one, or what keeps the message from being sealed.

    Raises KeyChanged if the recipient's account key is not the one it was written for.
    """
    peer, own = lists.held(db, item.peer), lists.held(db, me)
    known = {item.peer: peer, me: own}
    if any(held is not None and held.key_changed for held in known.values()):
        raise KeyChanged
    if peer is not None and item.peer_key is not None and peer.list.key != item.peer_key:
        raise KeyChanged
    if any(list_alarms.sounds(db, account) for account in known):
        return Missing(lists=_alarmed(known, now_ms))
    stale = tuple(a for a, held in known.items() if held is None or held.stale(now_ms))
    if stale or peer is None or own is None:
        return Missing(lists=stale)
    return (
        _newer_is_missing(item, (peer, own), now_ms)
        or _paused(db, peer, own, now_ms)
        or clock_stops(
            db,
            now_ms,
            early=is_early(peer.list, now_ms // 1000),
            expired=peer.expired(now_ms),
        )
        or (peer, own)
    )


def clock_told(db: apsw.Connection, now_ms: int) -> tuple[Event, ...]:
    """That the clock looks wrong, unless it was told within a day."""
    clock = facts.get_or(db, ClockAsked())
    if 0 <= now_ms - clock.told_ms < TELL_CLOCK_MS:
        return ()
    facts.put(db, facts.replace(clock, told_ms=now_ms))
    return (ClockWrong(),)


def _alarmed(known: dict[bytes, Held | None], now_ms: int) -> tuple[bytes, ...]:
    """A higher version is what ends an alarm, so it is asked for now and then."""
    return tuple(
        account
        for account, held in known.items()
        if held is None or not 0 <= now_ms - held.fetched_ms < ASK_MISSING_MS
    )


def _newer_is_missing(item: Item, both: tuple[Held, Held], now_ms: int) -> Missing | None:
    """The server said that a newer set exists and shows an older list: a message that it refused
    for that waits, until sending is narrowed. Ever more rarely it is tried as it was: the server
    may have taken back what it said."""
    behind = [held for held in both if held.missing_since_ms is not None]
    if not item.tries or not behind or any(held.narrowed(now_ms) for held in behind):
        return None
    old = [held for held in behind if not 0 <= now_ms - held.fetched_ms < ASK_MISSING_MS]
    since_ms = min(held.missing_since_ms or 0 for held in behind)
    if not old and now_ms - since_ms >= ASK_MISSING_MS << (item.tries - 1):
        return None
    return Missing(lists=tuple(held.list.account for held in old))


def _paused(db: apsw.Connection, peer: Held, own: Held, now_ms: int) -> Missing | None:
    pause = claims.pause(db, peer, own, now_ms)
    return None if pause is None else Missing(lists=pause.ask, told=pause.told)


def clock_stops(db: apsw.Connection, now_ms: int, *, early: bool, expired: bool) -> Missing | None:
    """Whether this device's clock keeps a message back, given that a list it would go by is too
    early, or has expired. Is it really, or is the clock wrong? Others' lists tell. One that was
    taken once and is too early now tells by itself."""
    if early:
        return Missing(told=clock_told(db, now_ms))
    if not expired:
        return None
    clock = facts.get_or(db, ClockAsked())
    if not 0 <= now_ms - clock.asked_ms < ASK_WITNESSES_MS:
        facts.put(db, facts.replace(clock, asked_ms=now_ms))
        witnesses = every(
            db,
            "SELECT account FROM lists WHERE fetched_ms NOT BETWEEN ? AND ? LIMIT ?",
            (now_ms - WITNESS_MS, now_ms, WITNESSES),
        )
        if witnesses:
            return Missing(witnesses=tuple(row[0] for row in witnesses))
    confirmed = every(
        db,
        "SELECT body FROM lists WHERE fetched_ms BETWEEN ? AND ?",
        (now_ms - WITNESS_MS, now_ms),
    )
    if clock_looks_wrong([decode_list(row[0]) for row in confirmed], now_ms // 1000):
        return Missing(told=clock_told(db, now_ms))
    return None
