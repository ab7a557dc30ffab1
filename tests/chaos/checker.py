"""Checker: history in, violations out (docs/protocol/delivery.md, What the checker proves).

Pure. Judges only what clients saw: it knows no server, no store and no clock. Its words are those
of that page: *acknowledged* is that the client read `sent`, *entitled* is named by the outcome's
sets and not gone, *shown* is a row in a client's store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from tests.chaos import checker_groups, checker_sealed
from tests.chaos.history import (
    Accounted,
    Acked,
    Device,
    Event,
    Gathered,
    Gone,
    Listed,
    Refused,
    Resynced,
    Row,
    Sent,
    Settled,
    Shown,
    Told,
    Tried,
)
from tests.chaos.ticks import members
from tests.chaos.violations import Kind, Violation, named, short

from linnet.wire.errors import ERRORS
from linnet.wire.frames import FULL

Key = tuple[bytes, Device, bytes]
"""(conversation, sending device, id): the scope of an id."""
Place = tuple[bytes, int]
"""(conversation, conv_seq)."""


def check(history: Sequence[Event]) -> list[Violation]:
    """Everything that is wrong with a history; of a device, account or message that breaks one
    promise many times, the first time."""
    seen = _Seen(history)
    return [
        *_outcomes(seen),
        *_numbers(seen),
        *_shown(seen),
        *_missing(seen),
        *_orders(seen),
        *_chains(history, seen),
        *_ticks(history, seen),
        *_stale(history),
        *checker_groups.check(history),
        *checker_sealed.check(history),
    ]


class _Seen:
    """The history, by what the checks look things up with."""

    def __init__(self, history: Sequence[Event]) -> None:
        self.tries: dict[Key, dict[bytes, Tried]] = defaultdict(dict)
        self.sent: dict[Key, list[Sent]] = defaultdict(list)
        self.refused: dict[Key, list[Refused]] = defaultdict(list)
        self.shown: list[Shown] = []
        self.shown_on: Counter[tuple[Device, Key]] = Counter()
        self.sets: dict[tuple[bytes, int], tuple[int, ...]] = {}
        self.rosters: dict[tuple[bytes, int], Mapping[bytes, tuple[int, tuple[int, ...]]]] = {}
        self.groups: set[bytes] = set()
        self.accounted: dict[tuple[Device, bytes], set[int]] = defaultdict(set)
        self.gone: set[Device] = set()
        self.author: dict[Place, bytes] = {}
        for event in history:
            self._note(event)

    def _note(self, event: Event) -> None:
        match event:
            case Tried():
                key = (event.conversation, event.by, event.id)
                self.tries[key][event.commitment] = event
            case Sent():
                self.sent[event.conversation, event.by, event.id].append(event)
                self.author[event.conversation, event.conv_seq] = event.by.account
            case Refused():
                self.refused[event.conversation, event.by, event.id].append(event)
            case Shown():
                self.shown.append(event)
                self.shown_on[event.on, (event.conversation, event.sender, event.id)] += 1
                self.author[event.conversation, event.conv_seq] = event.sender.account
            case Listed():
                self.sets[event.account, event.number] = event.devices
            case Gathered():
                self.rosters[event.group, event.number] = event.seats
                self.groups.add(event.group)
            case Accounted():
                self.accounted[event.on, event.group] |= members(event.not_entitled)
            case Gone():
                self.gone.add(event.device)
            case _:
                pass

    def accounts_for(self, device: Device, conversation: bytes, numbers: range) -> bool:
        """Whether a hole is one for a reason. Who is gone could not ask about a group any more."""
        if device in self.gone and conversation in self.groups:
            return True
        return self.accounted[device, conversation].issuperset(numbers)

    def entitled(self, sent: Sent) -> set[Device]:
        """The devices that must show an acknowledged message."""
        tried = self.tries[sent.conversation, sent.by, sent.id].get(sent.commitment)
        if tried is None:
            return set()  # said by `_outcomes`
        if tried.mode == FULL and sent.sets is not None:
            theirs, mine = sent.sets
            devices = {Device(tried.to, it) for it in self.sets.get((tried.to, theirs), ())}
            own = self.sets.get((sent.by.account, mine), ())
            devices |= {Device(sent.by.account, number) for number in own}
        elif sent.roster:
            seats = self.rosters.get((sent.conversation, sent.roster), {})
            devices = {Device(account, it) for account, (_, its) in seats.items() for it in its}
        else:
            devices = set(tried.parts)
        return devices - {sent.by} - self.gone


def _outcomes(seen: _Seen) -> Iterator[Violation]:
    """An id has one outcome, and it is of a try that was made."""
    for key, answers in seen.sent.items():
        if len(set(answers)) > 1:
            yield Violation(Kind.OUTCOME, f"{_id(key)} was accepted as {set(answers)}")
        if answers[0].commitment not in seen.tries.get(key, {}):
            yield Violation(Kind.OUTCOME, f"{_id(key)}: what was accepted was never tried")
    for key, refusals in seen.refused.items():
        # `not_member` leaves no outcome: the roster that brings the sender may be on its way.
        codes = {refusal.code for refusal in refusals} - {"not_member"}
        final = {code for code in codes if not ERRORS[code].retryable}
        if len(final) > 1 or (final and key in seen.sent):
            accepted = " and accepted" if key in seen.sent else ""
            yield Violation(Kind.OUTCOME, f"{_id(key)} was refused as {sorted(final)}{accepted}")


def _numbers(seen: _Seen) -> Iterator[Violation]:
    """All devices agree on id ↔ conv_seq. Control messages have none."""
    numbers: dict[Key, set[int]] = defaultdict(set)
    ids: dict[Place, set[Key]] = defaultdict(set)
    told: list[tuple[Key, int]] = [
        (key, answer.conv_seq) for key, answers in seen.sent.items() for answer in answers
    ]
    told += [((it.conversation, it.sender, it.id), it.conv_seq) for it in seen.shown]
    for key, number in told:
        numbers[key].add(number)
        if number:
            ids[key[0], number].add(key)
    for key, given in numbers.items():
        if len(given) > 1:
            yield Violation(Kind.NUMBERS, f"{_id(key)} has numbers {sorted(given)}")
    for (conversation, number), keys in ids.items():
        if len(keys) > 1:
            both = ", ".join(sorted(map(_id, keys)))
            yield Violation(Kind.NUMBERS, f"{short(conversation)} {number} is {both}")


def _shown(seen: _Seen) -> Iterator[Violation]:
    """Nothing is shown twice, that was never said to this device, or with altered bytes."""
    for (device, key), times in seen.shown_on.items():
        if times > 1:
            yield Violation(Kind.TWICE, f"{_id(key)} {times} times on {named(device)}")
    for shown in seen.shown:
        key = (shown.conversation, shown.sender, shown.id)
        tried = seen.tries.get(key, {}).get(shown.commitment)
        if tried is None or shown.on not in tried.parts:
            yield Violation(Kind.INVENTED, f"{_id(key)} on {named(shown.on)}")
        elif tried.parts[shown.on] != shown.digest:
            yield Violation(Kind.ALTERED, f"{_id(key)} on {named(shown.on)}")


def _missing(seen: _Seen) -> Iterator[Violation]:
    """Every acknowledged message is shown on every entitled device."""
    for key, answers in seen.sent.items():
        for device in sorted(seen.entitled(answers[0])):
            if not seen.shown_on[device, key]:
                number = answers[0].conv_seq
                yield Violation(Kind.MISSING, f"{_id(key)} (number {number}) on {named(device)}")


def _orders(seen: _Seen) -> Iterator[Violation]:
    """What a device shows is in conv_seq order, and the server's time never falls in it."""
    last: dict[tuple[Device, bytes], int] = {}
    for shown in seen.shown:
        where = (shown.on, shown.conversation)
        if shown.conv_seq and shown.conv_seq < last.get(where, 0):
            what = f"{short(shown.conversation)} {shown.conv_seq} after {last[where]}"
            yield Violation(Kind.ORDER, f"{what} on {named(shown.on)}")
        last[where] = max(shown.conv_seq, last.get(where, 0))
    times: dict[bytes, dict[int, int]] = defaultdict(dict)
    for answers in seen.sent.values():
        if answers[0].conv_seq:
            times[answers[0].conversation][answers[0].conv_seq] = answers[0].server_timestamp
    for conversation, stamps in times.items():
        ordered = [stamp for _, stamp in sorted(stamps.items())]
        if ordered != sorted(ordered):
            yield Violation(Kind.ORDER, f"server time falls in {short(conversation)}")


class _Mailbox:
    """How far one device has come in its mailbox. `accounts_for`: whether the server said that
    these numbers of a conversation were not for it."""

    def __init__(self, accounts_for: Callable[[bytes, range], bool]) -> None:
        self.cursor = 0
        self._accounts_for = accounts_for
        self.numbers: dict[bytes, int] = {}
        self.jumped: set[bytes] | None = None
        """After a resync: conversations whose numbering was seen to go on. None: no resync."""

    def resync(self, start: int) -> None:
        self.cursor = start
        self.jumped = set()

    def take(self, row: Row) -> Iterator[Violation]:
        where = f"{row.prev} → {row.position} on {named(row.on)}"
        if not row.prev <= self.cursor < row.position:
            yield Violation(Kind.CHAIN, f"{where}, whose cursor is {self.cursor}")
        self.cursor = max(self.cursor, row.position)
        if not row.conv_seq:
            return
        last = self.numbers.get(row.conversation, 0)
        if self.jumped is not None and row.conversation not in self.jumped:
            self.jumped.add(row.conversation)
            self.numbers[row.conversation] = row.conv_seq
            return
        self.numbers[row.conversation] = max(last, row.conv_seq)
        if row.conv_seq == last + 1 or not self._missing(row.conversation, last, row.conv_seq):
            return
        kind = Kind.HOLE if row.conv_seq > last else Kind.ORDER
        what = f"{short(row.conversation)} {row.conv_seq} follows {last}"
        yield Violation(kind, f"{what} at {where}")

    def _missing(self, conversation: bytes, last: int, number: int) -> bool:
        """Whether it passed over, or went back to, anything but what was accounted for."""
        return number <= last or not self._accounts_for(conversation, range(last + 1, number))


def _chains(history: Sequence[Event], seen: _Seen) -> Iterator[Violation]:
    """Rows follow one another, numbers of a conversation have no hole, acks name what is
    committed."""
    mailboxes: dict[Device, _Mailbox] = {}

    def of(device: Device) -> _Mailbox:
        if device not in mailboxes:
            mailboxes[device] = _Mailbox(partial(seen.accounts_for, device))
        return mailboxes[device]

    for event in history:
        match event:
            case Row():
                yield from of(event.on).take(event)
            case Resynced():
                of(event.on).resync(event.start)
            case Acked():
                cursor = of(event.on).cursor
                if event.position > cursor:
                    what = f"{event.position} on {named(event.on)}, whose cursor is {cursor}"
                    yield Violation(Kind.AHEAD, what)
            case _:
                pass


def _ticks(history: Sequence[Event], seen: _Seen) -> Iterator[Violation]:
    """`delivered` covers only what a device of that account had committed when it was told, and
    never falls. An account's own messages lie inside its intervals."""
    committed: dict[tuple[bytes, bytes], set[int]] = defaultdict(set)
    known: dict[tuple[Device, bytes, bytes], set[int]] = defaultdict(set)
    for event in history:
        if isinstance(event, Shown):
            committed[event.conversation, event.on.account].add(event.conv_seq)
        if not isinstance(event, Told):
            continue
        conversation, account = event.conversation, event.account
        about = f"{short(conversation)} of {short(account)}"
        held, before = committed[conversation, account], known[event.to, conversation, account]
        told = members(event.intervals) - before
        for number in sorted(told - held):
            if seen.author.get((conversation, number)) != account:
                yield Violation(Kind.COVERED, f"{about}: {number}, told {named(event.to)}")
                break
        before |= told
        if lost := before - members(event.union):
            yield Violation(Kind.FELL, f"{about}: {min(lost)}, known to {named(event.to)}")


def _stale(history: Sequence[Event]) -> Iterator[Violation]:
    """Nothing is accepted for a set or a roster that was known to be replaced when it was said."""
    sets: dict[bytes, int] = defaultdict(int)
    rosters: dict[bytes, int] = defaultdict(int)
    replaced: dict[tuple[bytes, bytes], Tried] = {}
    for event in history:
        match event:
            case Listed():
                sets[event.account] = event.number
            case Settled():
                rosters[event.group] = max(event.roster, rosters[event.group])
            case Tried():
                theirs, mine = event.sets or (sets[event.to], sets[event.by.account])
                old = theirs < sets[event.to] or mine < sets[event.by.account]
                if old or event.roster < rosters[event.to]:
                    replaced[event.id, event.commitment] = event
            case Sent() if tried := replaced.pop((event.id, event.commitment), None):
                key = (event.conversation, event.by, event.id)
                what = tried.roster or tried.sets
                yield Violation(Kind.STALE, f"{_id(key)} names {what}")
            case _:
                pass


def _id(key: Key) -> str:
    conversation, sender, id = key
    return f"message {id.hex()[-12:]} of {named(sender)} in {short(conversation)}"
