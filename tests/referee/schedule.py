"""A conversation over a bad network: seeded bursts, loss, disorder and duplicates.

Messages are held back for one burst at most, so that none is older than the receiving chains
that both implementations keep.
"""

from dataclasses import dataclass
from random import Random
from typing import Protocol

from tests.referee.libsignal import Refused

from linnet.crypto.errors import CryptoError
from linnet.crypto.messages import Address
from linnet.crypto.session import Ciphertext

LOST = 0.1
REPEATED = 0.15
HELD_BACK = 0.15


class Correspondent(Protocol):
    """Either implementation."""

    @property
    def address(self) -> Address: ...

    def send(self, peer: Address, text: bytes) -> Ciphertext: ...

    def receive(self, peer: Address, ciphertext: Ciphertext) -> bytes: ...


@dataclass
class Outcome:
    """What happened, so that a test can say that something did."""

    sent: int = 0
    read: int = 0
    lost: int = 0
    repeated: int = 0
    late: int = 0


class Line:
    """One direction of the network."""

    def __init__(self, sender: Correspondent, receiver: Correspondent, outcome: Outcome) -> None:
        self._sender = sender
        self._receiver = receiver
        self._outcome = outcome
        self._waiting: list[tuple[bytes, Ciphertext]] = []
        self._held_back: list[tuple[bytes, Ciphertext]] = []

    def send(self, text: bytes) -> None:
        self._waiting.append((text, self._sender.send(self._receiver.address, text)))
        self._outcome.sent += 1

    def deliver(self, chance: Random) -> None:
        """Deliver what was held back, and most of what is waiting, in any order."""
        due = self._held_back
        self._held_back = []
        for item in self._waiting:
            if chance.random() < HELD_BACK:
                self._held_back.append(item)
                self._outcome.late += 1
            else:
                due.append(item)
        self._waiting = []
        chance.shuffle(due)
        for text, ciphertext in due:
            if chance.random() < LOST:
                self._outcome.lost += 1
                continue
            self.read(text, ciphertext)
            if chance.random() < REPEATED:
                self.read_again(ciphertext)

    def read(self, text: bytes, ciphertext: Ciphertext) -> None:
        assert self._receiver.receive(self._sender.address, ciphertext) == text
        self._outcome.read += 1

    def read_again(self, ciphertext: Ciphertext) -> None:
        try:
            self._receiver.receive(self._sender.address, ciphertext)
        except (CryptoError, Refused):
            self._outcome.repeated += 1
        else:
            raise AssertionError("a message was read twice")


def converse(opener: Correspondent, other: Correspondent, seed: int, messages: int) -> Outcome:
    """Exchange about so many messages over a session that `opener` has opened."""
    chance = Random(seed)
    outcome = Outcome()
    forth, back = Line(opener, other, outcome), Line(other, opener, outcome)
    greet(opener, other, outcome)
    while outcome.sent < messages:
        for line in (forth, back):
            for _ in range(chance.choice((0, 1, 1, 2, 5, 12))):
                line.send(chance.randbytes(chance.choice((0, 1, 15, 16, 100, 700))))
        for line in chance.sample((forth, back), 2):
            line.deliver(chance)
    return outcome


def greet(opener: Correspondent, other: Correspondent, outcome: Outcome) -> None:
    """Some first messages, of which not the first arrives first: the other can answer then."""
    line = Line(opener, other, outcome)
    sent = [(text, opener.send(other.address, text)) for text in (b"one", b"two", b"three")]
    outcome.sent += len(sent)
    for text, ciphertext in (sent[1], sent[0], sent[2]):
        line.read(text, ciphertext)
