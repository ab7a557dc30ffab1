"""Pairs: A sends to B, and every message is followed through its whole cycle.

A message: send → `sent` at A → `message` at B → B's ack → `status` at A that covers it. Answers
come in order on each socket, so the oldest open message is the one expected; anything else is
counted as an error. B acknowledges once per read of its socket, A its own rows every ROWS.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque

from linnet.bench.job import Login
from linnet.bench.sockets import Client
from linnet.bench.templates import MessageTemplate, ack
from linnet.wire.frames import Deliver, Error, Rejected, Sent, ServerFrame, Status

ROWS = 64
"""Own rows A lets pass before it acknowledges them: a quarter of a usual window."""
OPEN_MOST = 2048
"""Messages of a pair without `sent`; an open loop that gets so far behind stops adding."""

Opened = tuple[bytes, float]
"""A message on its way: id, and when it was (to be) sent."""


class Tally:
    """What happened. Latencies are in seconds, of messages begun within a window."""

    def __init__(self) -> None:
        self.begins = float("inf")
        self.ends = float("inf")
        self.counting = False
        self.sending = False
        self.messages = 0
        self.sent, self.received, self.delivered = array("d"), array("d"), array("d")
        self.late = array("d")
        self.errors: dict[str, int] = {}

    def error(self, kind: str, count: int = 1) -> None:
        """Count what should not happen."""
        if count:
            self.errors[kind] = self.errors.get(kind, 0) + count

    def within(self, start: float) -> bool:
        """Whether a message begun at `start` belongs to the window."""
        return self.begins <= start < self.ends


class Pair:
    """One direction of talk between two accounts."""

    def __init__(
        self, a: Sender, b: Recipient, template: MessageTemplate, tally: Tally, in_flight: int
    ) -> None:
        """`in_flight` 0: an open loop, messages are only sent when told."""
        self.a, self.b, self.template, self.tally = a, b, template, tally
        self.in_flight = in_flight
        self.unsent: deque[Opened] = deque()
        self.unreceived: deque[Opened] = deque()
        self.undelivered: deque[tuple[int, float]] = deque()
        self._counter = 0
        a.pair = b.pair = self

    def messages(self, count: int, start: float) -> list[bytes]:
        """The frames of `count` new messages begun at `start`."""
        now_ms, template = int(time.time() * 1000), self.template
        frames = []
        for _ in range(count):
            self._counter += 1
            id, frame = template.message(now_ms, self._counter)
            self.unsent.append((id, start))
            self.unreceived.append((id, start))
            frames.append(frame)
        return frames

    def send_at(self, start: float) -> None:
        """One message of an open loop, due at `start`."""
        if len(self.unsent) >= OPEN_MOST:
            self.tally.error("overrun")
            return
        if self.tally.within(start):
            self.tally.late.append(time.monotonic() - start)
        self.a.write(self.messages(1, start)[0])

    def begin(self) -> None:
        """Fill a closed loop."""
        if self.in_flight:
            self.a.write(b"".join(self.messages(self.in_flight, time.monotonic())))

    def open(self) -> int:
        """Messages whose cycle is not complete."""
        return max(len(self.unsent) + len(self.undelivered), len(self.unreceived))

    def settle(self) -> int:
        """Give up what is open, as errors; how many were acknowledged but not received."""
        unanswered = {id for id, _ in self.unsent}
        lost = sum(id not in unanswered for id, _ in self.unreceived)
        self.tally.error("unanswered", len(unanswered))
        self.tally.error("undelivered", len(self.undelivered))
        self.unsent.clear()
        self.unreceived.clear()
        self.undelivered.clear()
        return lost

    def take(self, waiting: deque[Opened], id: bytes) -> float | None:
        """When the message was begun, removed from `waiting`; None if it was not expected."""
        if waiting and waiting[0][0] == id:
            return waiting.popleft()[1]
        for index, (found, start) in enumerate(waiting):
            if found == id:
                del waiting[index]
                self.tally.error("out of order")
                return start
        return None


class Sender(Client):
    """A's socket."""

    __slots__ = ("_owed", "_position", "_rows", "pair")

    def __init__(self, login: Login, welcome: asyncio.Future[None]) -> None:
        super().__init__(login, welcome)
        self.pair: Pair
        self._owed = 0
        self._position = 0
        self._rows = 0

    def heard(self, said: ServerFrame | None, last: bool) -> None:
        kind = type(said)
        if kind is Sent:
            self._sent(said)  # type: ignore[arg-type]
        elif kind is Status:
            self._status(said)  # type: ignore[arg-type]
        elif kind is Rejected:
            self._rejected(said)  # type: ignore[arg-type]
        elif kind is Error:
            self.pair.tally.error(f"error: {said.code}")  # type: ignore[union-attr]
        else:
            super().heard(said, last)
        if last and (self._owed or self._rows >= ROWS):
            self._answer()

    def closed(self) -> None:
        self.pair.tally.error("closed")

    def _sent(self, said: Sent) -> None:
        pair = self.pair
        start = pair.take(pair.unsent, said.id)
        if start is None:
            pair.tally.error("unexpected sent")
            return
        if pair.tally.begins <= start < pair.tally.ends:
            pair.tally.sent.append(time.monotonic() - start)
        pair.undelivered.append((said.conv_seq, start))
        if said.position:
            self._position = said.position
            self._rows += 1

    def _status(self, said: Status) -> None:
        pair, now = self.pair, time.monotonic()
        tally, waiting = pair.tally, pair.undelivered
        for first, through in said.delivered:
            while waiting and first <= waiting[0][0] <= through:
                start = waiting.popleft()[1]
                if tally.begins <= start < tally.ends:
                    tally.delivered.append(now - start)
                if tally.counting:
                    tally.messages += 1
                self._owed += 1

    def _rejected(self, said: Rejected) -> None:
        pair = self.pair
        pair.tally.error(f"rejected: {said.code}")
        if pair.take(pair.unsent, said.id) is not None:
            pair.take(pair.unreceived, said.id)
            self._owed += 1

    def _answer(self) -> None:
        """In one write: the messages that take the place of finished ones, and an ack if due."""
        pair, frames = self.pair, []
        if pair.in_flight and pair.tally.sending and self._owed:
            frames = pair.messages(self._owed, time.monotonic())
        self._owed = 0
        if self._rows >= ROWS:
            self._rows = 0
            frames.append(ack(self._position))
        if frames:
            self.write(frames[0] if len(frames) == 1 else b"".join(frames))


class Recipient(Client):
    """B's socket."""

    __slots__ = ("_checked", "_new", "_position", "pair")

    def __init__(self, login: Login, welcome: asyncio.Future[None]) -> None:
        super().__init__(login, welcome)
        self.pair: Pair
        self._position = 0
        self._new = False
        self._checked = False

    def heard(self, said: ServerFrame | None, last: bool) -> None:
        if type(said) is Deliver:
            self._arrived(said)
        elif type(said) is Error:
            self.pair.tally.error(f"error: {said.code}")
        else:
            super().heard(said, last)
        if last and self._new:
            self._new = False
            self.write(ack(self._position))

    def closed(self) -> None:
        self.pair.tally.error("closed")

    def _arrived(self, said: Deliver) -> None:
        pair = self.pair
        start = pair.take(pair.unreceived, said.id)
        if start is None:
            pair.tally.error("unexpected message")
        elif pair.tally.begins <= start < pair.tally.ends:
            pair.tally.received.append(time.monotonic() - start)
        if said.prev > self._position and self._position:
            pair.tally.error("gap")
        self._position = said.position
        self._new = True
        if not self._checked:
            self._checked = True
            pair.tally.error("altered", said.ciphertext != pair.template.ciphertext)
