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
    Acked,
    Device,
    History,
    Listed,
    Row,
    Sent,
    Shown,
    Told,
    Tried,
)

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
        self._boxes: dict[bytes, list[Placed]] = defaultdict(list)
        self._read: dict[Device, int] = defaultdict(int)
        self._committed: dict[tuple[bytes, bytes], int] = defaultdict(int)
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
        tried = Tried(by, to, conversation, id, FULL, commitment, parts)
        sent = Sent(by, conversation, id, number, self._position, commitment, (1, 1))
        self.history.append(tried)
        if answered:
            self.history.append(sent)
        placed = Placed(tried, sent, self._position)
        for box in {by.account, to}:
            self._boxes[box].append(placed)
        return placed

    def read(self, device: Device, most: int = 1 << 30) -> None:
        """Commit and acknowledge what waits for a device; who wrote it hears of it."""
        box, start = self._boxes[device.account], self._read[device]
        rows = box[start : start + most]
        self._read[device] += len(rows)
        prev = box[start - 1].position if start else 0
        for placed in rows:
            sent, tried = placed.sent, placed.tried
            self.history.append(
                Row(device, placed.position, prev, sent.conversation, sent.conv_seq)
            )
            prev = placed.position
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
        if rows:
            self.history.append(Acked(device, prev))
        for placed in rows:
            self._tick(device, placed)

    def _tick(self, device: Device, placed: Placed) -> None:
        sent = placed.sent
        if sent.by.account == device.account:
            return
        about = (sent.conversation, device.account)
        self._committed[about] = through = max(self._committed[about], sent.conv_seq)
        for to in self._of[sent.by.account]:
            told = ((1, through),)
            self.history.append(Told(to, sent.conversation, device.account, told, told))
