"""A world without faults: writes the history that a right server and right clients would.

For the tests of the checker. People say things; rows are laid into mailboxes at once; devices
read, show, acknowledge and hear of it whenever they are told to.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from tests.chaos.history import (
    Accounted,
    Acked,
    Changed,
    Device,
    Gathered,
    History,
    Listed,
    Row,
    SealedSent,
    SealedShown,
    SealedTried,
    Sent,
    Settled,
    Shown,
    Told,
    Tried,
)
from tests.chaos.ticks import union

from linnet.wire.frames import FULL
from linnet.wire.ids import AccountId, direct_conversation


def account(number: int) -> bytes:
    """The account of this number."""
    return hashlib.sha256(b"account %d" % number).digest()[:16]


class Placed(msgspec.Struct, frozen=True):
    """A message in its place."""

    tried: Tried
    sent: Sent
    position: int


class Sealed(msgspec.Struct, frozen=True):
    """A sealed message in its place."""

    tried: SealedTried
    sent: SealedSent
    position: int


NOBODY = bytes(16)


class Perfect:
    """Accounts with devices 1 to n, as given."""

    def __init__(self, devices: Sequence[int]) -> None:
        self.history: History = []
        self.devices = [
            Device(account(number), device)
            for number, count in enumerate(devices)
            for device in range(1, count + 1)
        ]
        self._of: dict[bytes, list[Device]] = defaultdict(list)
        for device in self.devices:
            self._of[device.account].append(device)
        for owner, held in self._of.items():
            self.history.append(Listed(owner, 1, tuple(device.number for device in held)))
        self._numbers: dict[bytes, int] = defaultdict(int)
        self._boxes: dict[bytes, list[Placed | Sealed]] = defaultdict(list)
        self._read: dict[Device, int] = defaultdict(int)
        self._committed: dict[tuple[bytes, bytes], int] = defaultdict(int)
        self._in_groups: dict[tuple[bytes, bytes], set[int]] = defaultdict(set)
        self._rosters: dict[bytes, Gathered] = {}
        self._position = 0

    def say(self, by: Device, to: bytes, answered: bool = True) -> Placed:
        """Say something; the answer may be lost, and the message is stored all the same."""
        conversation = direct_conversation(AccountId(by.account), AccountId(to))
        self._position += 2
        number = self._numbers[conversation] = self._numbers[conversation] + 1
        id = hashlib.sha256(b"id %d" % self._position).digest()[:16]
        commitment = hashlib.sha256(id).digest()
        addressed = [*self._of[to], *self._of[by.account]]
        parts = {it: hashlib.sha256(id + bytes([it.number])).digest() for it in addressed}
        parts.pop(by, None)
        tried = Tried(by, to, conversation, id, FULL, commitment, parts, 0, (1, 1))
        sent = Sent(by, conversation, id, number, self._position, commitment, (1, 1))
        return self._place(tried, sent, {by.account, to}, answered)

    def gather(self, group: bytes, members: Sequence[bytes]) -> None:
        """From now on a group, with a log that is as long as it has rosters, reaches these."""
        held = self._rosters.get(group)
        number = 1 if held is None else held.number + 1
        seats = {it: (1, tuple(device.number for device in self._of[it])) for it in members}
        self._rosters[group] = gathered = Gathered(group, number, number, seats)
        self.history.append(Changed(group, number, frozenset(members)))
        self.history += [Settled(group, number), gathered]

    def say_to(self, by: Device, group: bytes, answered: bool = True) -> Placed:
        """Say something to a group."""
        self._position += 40
        roster = self._rosters[group]
        number = self._numbers[group] = self._numbers[group] + 1
        id = hashlib.sha256(b"id %d" % self._position).digest()[:16]
        commitment = hashlib.sha256(id).digest()
        addressed = [device for account in roster.seats for device in self._of[account]]
        parts = {device: commitment for device in addressed if device != by}
        tried = Tried(by, group, group, id, FULL, commitment, parts, roster.number)
        sent = Sent(by, group, id, number, self._position, commitment, None, roster.number)
        return self._place(tried, sent, set(roster.seats), answered)

    def seal(self, by: Device, to: bytes, answered: bool = True) -> Sealed:
        """Say something, sealed."""
        self._position += 2
        id = hashlib.sha256(b"id %d" % self._position).digest()[:16]
        parts = {it: hashlib.sha256(id + bytes([it.number])).digest() for it in self._of[to]}
        parts.pop(by, None)
        tried, sent = SealedTried(by, to, id, parts), SealedSent(to, id, self._position)
        self.history += [tried, sent] if answered else [tried]
        placed = Sealed(tried, sent, self._position)
        self._boxes[to].append(placed)
        return placed

    def account_for(self, device: Device, group: bytes) -> None:
        """Ask for every number that was passed over so far."""
        shown = self._in_groups[device.account, group]
        through = max(shown, default=0)
        not_entitled = tuple((it, it) for it in range(1, through + 1) if it not in shown)
        self.history.append(Accounted(device, group, not_entitled))

    def _place(self, tried: Tried, sent: Sent, accounts: set[bytes], answered: bool) -> Placed:
        self.history.append(tried)
        if answered:
            self.history.append(sent)
        placed = Placed(tried, sent, self._position)
        for account in sorted(accounts):
            self._boxes[account].append(placed)
        return placed

    def read(self, device: Device, most: int = 1 << 30) -> None:
        """Commit and acknowledge what waits for a device; who wrote it hears of it."""
        box, start = self._boxes[device.account], self._read[device]
        rows = box[start : start + most]
        self._read[device] += len(rows)
        prev = box[start - 1].position if start else 0
        for placed in rows:
            if isinstance(placed, Sealed):
                self._show_sealed(device, placed, prev)
            else:
                self._show(device, placed, prev)
            prev = placed.position
        if rows:
            self.history.append(Acked(device, prev))
        for placed in rows:
            if isinstance(placed, Placed):
                self._tick(device, placed)

    def _show_sealed(self, device: Device, placed: Sealed, prev: int) -> None:
        self.history.append(Row(device, placed.position, prev, NOBODY, 0))
        tried = placed.tried
        if device in tried.parts:
            at, digest = placed.sent.server_timestamp, tried.parts[device]
            self.history.append(SealedShown(device, tried.id, at, digest))

    def _show(self, device: Device, placed: Placed, prev: int) -> None:
        sent, tried = placed.sent, placed.tried
        self.history.append(Row(device, placed.position, prev, sent.conversation, sent.conv_seq))
        if tried.roster:
            self._in_groups[device.account, sent.conversation].add(sent.conv_seq)
        if device in tried.parts:
            self.history.append(
                Shown(
                    device,
                    sent.conversation,
                    sent.conv_seq,
                    tried.by,
                    tried.id,
                    sent.commitment,
                    tried.parts[device],
                )
            )

    def _tick(self, device: Device, placed: Placed) -> None:
        sent = placed.sent
        if sent.by.account == device.account:
            return
        about = (sent.conversation, device.account)
        self._committed[about] = through = max(self._committed[about], sent.conv_seq)
        told: tuple[tuple[int, int], ...] = ((1, through),)
        if placed.tried.roster:
            numbers = self._in_groups[device.account, sent.conversation]
            told = union((it, it) for it in numbers if it <= through)
        for to in self._of[sent.by.account]:
            self.history.append(Told(to, sent.conversation, device.account, told, told))
