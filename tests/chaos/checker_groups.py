"""Checker for groups: rosters are what log and device sets say, and reach whom they name.

What a group shares with any conversation (one number an id, order, ticks, nothing missing) is in
`checker`; here is what only groups promise. A removal takes effect where its roster stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.history import (
    Accounted,
    Changed,
    Device,
    Event,
    Gathered,
    Listed,
    Row,
    Sent,
    Shown,
    Tried,
)
from tests.chaos.ticks import members
from tests.chaos.violations import Kind, Violation, named, short

Seats = Mapping[bytes, tuple[int, tuple[int, ...]]]
Place = tuple[bytes, int]


def check(history: Sequence[Event]) -> Iterator[Violation]:
    """Everything that is wrong with the groups of a history."""
    seen = _Groups(history)
    yield from _rosters(seen)
    yield from _places(seen)
    yield from _reached(history, seen)


class _Groups:
    """Rosters and places of a history."""

    def __init__(self, history: Sequence[Event]) -> None:
        self.told: dict[tuple[bytes, int], list[Gathered]] = defaultdict(list)
        self.members: dict[tuple[bytes, int], frozenset[bytes]] = {}
        self.sets: dict[tuple[bytes, int], tuple[int, ...]] = {}
        self.roster_at: dict[Place, int] = {}
        tries: dict[tuple[bytes, bytes], int] = {}
        for event in history:
            match event:
                case Gathered():
                    self.told[event.group, event.number].append(event)
                case Changed():
                    self.members[event.group, event.version] = event.members
                case Listed():
                    self.sets[event.account, event.number] = event.devices
                case Tried(roster=roster) if roster:
                    tries[event.id, event.commitment] = roster
                case Sent(roster=roster) if roster:
                    self.roster_at[event.conversation, event.conv_seq] = roster
                case Shown():
                    # Who said it was perhaps never answered: then the try names the roster.
                    if roster := tries.get((event.id, event.commitment), 0):
                        self.roster_at.setdefault((event.conversation, event.conv_seq), roster)
                case _:
                    pass

    def seats(self, place: Place) -> Seats | None:
        """Whom the message at a place is for; None where that is not known."""
        told = self.told.get((place[0], self.roster_at.get(place, 0)))
        return told[0].seats if told else None


def _rosters(seen: _Groups) -> Iterator[Violation]:
    """A number has one content: all members at its version of the log, with a set of theirs each.
    Versions do not fall along numbers."""
    newest: dict[bytes, int] = {}
    for (group, number), told in sorted(seen.told.items()):
        first, what = told[0], f"roster {number} of {short(group)}"
        if any((it.version, it.seats) != (first.version, first.seats) for it in told):
            yield Violation(Kind.ROSTER, f"{what} has two contents")
        logged = seen.members.get((group, first.version))
        if logged is not None and logged != first.seats.keys():
            yield Violation(Kind.ROSTER, f"{what} has other members than version {first.version}")
        for account, (set, devices) in first.seats.items():
            if devices != seen.sets.get((account, set), devices):
                yield Violation(Kind.ROSTER, f"{what}: devices of {short(account)}")
        if first.version < newest.get(group, 0):
            yield Violation(Kind.ROSTER, f"{what} is of an older log than the one before")
        newest[group] = max(first.version, newest.get(group, 0))


def _places(seen: _Groups) -> Iterator[Violation]:
    """Along the numbers of a group rosters do not fall: each stands at one place."""
    highest: dict[bytes, int] = {}
    for (group, number), roster in sorted(seen.roster_at.items()):
        if roster < highest.get(group, 0):
            what = f"{short(group)} {number} is under roster {roster}, after {highest[group]}"
            yield Violation(Kind.ROSTER, what)
        highest[group] = max(roster, highest.get(group, 0))


def _reached(history: Sequence[Event], seen: _Groups) -> Iterator[Violation]:
    """Nothing is placed for an account, or shown on a device, that the roster does not name; and
    what is for a device is not said to be for others."""
    for event in history:
        match event:
            case Row():
                seats = seen.seats((event.conversation, event.conv_seq))
                if seats is not None and event.on.account not in seats:
                    yield _leaked(event.on, event.conversation, event.conv_seq)
            case Shown():
                seats = seen.seats((event.conversation, event.conv_seq))
                if seats is not None and not _names(seats, event.on):
                    yield _leaked(event.on, event.conversation, event.conv_seq)
            case Accounted():
                for number in sorted(members(event.not_entitled)):
                    seats = seen.seats((event.group, number))
                    if seats is not None and _names(seats, event.on):
                        what = f"{short(event.group)} {number} was for {named(event.on)}"
                        yield Violation(Kind.HOLE, what)
            case _:
                pass


def _names(seats: Seats, device: Device) -> bool:
    return device.number in seats.get(device.account, (0, ()))[1]


def _leaked(on: Device, group: bytes, number: int) -> Violation:
    return Violation(Kind.LEAKED, f"{short(group)} {number} to {named(on)}")
