"""Checker for sealed messages: told apart by the recipient's mailbox and the id alone, because
nobody but the recipient learns more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tests.chaos.history import Device, Event, Gone, SealedSent, SealedShown, SealedTried
from tests.chaos.violations import Kind, Violation, named, short

Key = tuple[bytes, bytes]
"""(recipient, id): the scope of a sealed id."""


def check(history: Sequence[Event]) -> Iterator[Violation]:
    """Everything that is wrong with the sealed messages of a history."""
    tries: dict[Key, list[SealedTried]] = defaultdict(list)
    sent: dict[Key, set[int]] = defaultdict(set)
    shown: list[SealedShown] = []
    gone: set[Device] = set()
    for event in history:
        match event:
            case SealedTried():
                tries[event.to, event.id].append(event)
            case SealedSent():
                sent[event.to, event.id].add(event.server_timestamp)
            case SealedShown():
                shown.append(event)
            case Gone():
                gone.add(event.device)
            case _:
                pass
    yield from _answers(tries, sent, shown)
    yield from _missing(tries, sent, shown, gone)
    yield from _shown(tries, shown)


def _answers(
    tries: dict[Key, list[SealedTried]], sent: dict[Key, set[int]], shown: list[SealedShown]
) -> Iterator[Violation]:
    """An id has one answer in a mailbox, of something that was tried, and devices show that one's
    time."""
    for key, times in sent.items():
        if len(times) > 1 or key not in tries:
            yield Violation(Kind.OUTCOME, f"{_id(key)} was accepted at {sorted(times)}")
    for it in shown:
        key = (it.on.account, it.id)
        if sent[key] and it.server_timestamp not in sent[key]:
            yield Violation(Kind.OUTCOME, f"{_id(key)} has another time on {named(it.on)}")


def _missing(
    tries: dict[Key, list[SealedTried]],
    sent: dict[Key, set[int]],
    shown: list[SealedShown],
    gone: set[Device],
) -> Iterator[Violation]:
    """What was acknowledged is shown on every device it was sealed for. It is the newest try: one
    is made only after the one before was refused."""
    held = {(it.on, it.id) for it in shown}
    for key in sent.keys() & tries.keys():
        if sent[key]:
            for device in sorted(tries[key][-1].parts.keys() - gone):
                if (device, key[1]) not in held:
                    yield Violation(Kind.MISSING, f"{_id(key)} on {named(device)}")


def _shown(tries: dict[Key, list[SealedTried]], shown: list[SealedShown]) -> Iterator[Violation]:
    """Once, on a device it was sealed for, as it was sealed; server time does not fall."""
    times = Counter((it.on, it.id) for it in shown)
    for (device, id), count in times.items():
        if count > 1:
            what = f"{_id((device.account, id))} {count} times on {named(device)}"
            yield Violation(Kind.TWICE, what)
    newest: dict[Device, int] = {}
    for it in shown:
        key, where = (it.on.account, it.id), named(it.on)
        digests = [tried.parts.get(it.on) for tried in tries.get(key, ())]
        if not any(digests):
            yield Violation(Kind.INVENTED, f"{_id(key)} on {where}")
        elif it.digest not in digests:
            yield Violation(Kind.ALTERED, f"{_id(key)} on {where}")
        if it.server_timestamp < newest.get(it.on, 0):
            yield Violation(Kind.ORDER, f"server time falls at {_id(key)} on {where}")
        newest[it.on] = max(it.server_timestamp, newest.get(it.on, 0))


def _id(key: Key) -> str:
    return f"sealed message {key[1].hex()[-12:]} to {short(key[0])}"
