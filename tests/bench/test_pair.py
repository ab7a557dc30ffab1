"""linnet.bench.pair: every cycle is followed, and what goes wrong is counted by kind."""

from __future__ import annotations

import asyncio
import os

import pytest

from linnet.bench.job import Login
from linnet.bench.pair import Pair, Recipient, Sender, Tally
from linnet.bench.templates import RANDOM_BYTES, MessageTemplate, ack
from linnet.wire.frames import Deliver, Rejected, Sent, Status

A, B, TALK = bytes([1]) * 16, bytes([2]) * 16, bytes(16)


class Talk:
    """A pair whose sockets are lists of what was written."""

    def __init__(self, in_flight: int) -> None:
        loop = asyncio.get_running_loop()
        self.tally = Tally()
        self.tally.sending = self.tally.counting = True
        self.tally.begins = 0.0
        self.a = Sender(Login(A, "a"), loop.create_future())
        self.b = Recipient(Login(B, "b"), loop.create_future())
        self.template = MessageTemplate(B, os.urandom(RANDOM_BYTES), 0)
        self.pair = Pair(self.a, self.b, self.template, self.tally, in_flight)
        self.from_a: list[bytes] = []
        self.from_b: list[bytes] = []
        self.a.write, self.b.write = self.from_a.append, self.from_b.append
        self.pair.begin()

    @property
    def ids(self) -> list[bytes]:
        """Messages B has not received."""
        return [id for id, _ in self.pair.unreceived]

    def sent(self, id: bytes, number: int, last: bool = True) -> None:
        self.a.heard(Sent(id, number, 0, bytes(32), (1, 1), 0, number), last)

    def message(self, id: bytes, number: int, prev: int, last: bool = True) -> None:
        body = self.template.ciphertext
        row = Deliver(number, prev, TALK, number, id, A, 1, 0, 2, body, bytes(32), 0, 0, (1, 1))
        self.b.heard(row, last)

    def delivered(self, *intervals: tuple[int, int]) -> None:
        self.a.heard(Status(TALK, B, list(intervals)), True)


@pytest.fixture
async def talk() -> Talk:
    return Talk(in_flight=2)


async def test_a_whole_cycle_makes_room_for_the_next_message(talk: Talk) -> None:
    first, second = talk.ids
    talk.sent(first, 1)
    talk.message(first, 1, 0)
    assert talk.from_b == [ack(1)]
    assert len(talk.from_a) == 1
    talk.delivered((1, 1))
    assert len(talk.from_a) == 2
    assert talk.ids[0] == second
    assert len(talk.ids) == 2
    tally = talk.tally
    assert (tally.messages, len(tally.sent), len(tally.received), len(tally.delivered)) == (
        1,
        1,
        1,
        1,
    )
    assert tally.errors == {}


async def test_one_read_of_the_socket_is_acknowledged_once(talk: Talk) -> None:
    first, second = talk.ids
    talk.message(first, 5, 0, last=False)
    talk.message(second, 9, 5, last=True)
    assert talk.from_b == [ack(9)]


async def test_one_status_may_complete_several_messages(talk: Talk) -> None:
    for number, id in enumerate(talk.ids, start=1):
        talk.sent(id, number)
    talk.delivered((1, 2))
    assert talk.tally.messages == 2
    assert len(talk.from_a) == 2  # both follow-ups left in one write


async def test_a_status_below_a_message_does_not_complete_it(talk: Talk) -> None:
    talk.sent(talk.ids[0], 7)
    talk.delivered((1, 6))
    assert talk.tally.messages == 0


async def test_after_the_window_nothing_new_is_sent(talk: Talk) -> None:
    talk.sent(talk.ids[0], 1)
    talk.tally.sending = False
    talk.delivered((1, 1))
    assert len(talk.from_a) == 1


async def test_own_rows_are_acknowledged_now_and_then() -> None:
    talk = Talk(in_flight=64)
    for number, id in enumerate(list(talk.ids), start=1):
        talk.sent(id, number)
    assert talk.from_a[1:] == [ack(64)]


async def test_acknowledged_but_never_received_is_lost(talk: Talk) -> None:
    first, second = talk.ids
    talk.sent(first, 1)
    talk.sent(second, 2)
    talk.message(first, 1, 0)
    assert talk.pair.settle() == 1
    assert talk.tally.errors == {"undelivered": 2}


async def test_never_acknowledged_is_unanswered_and_not_lost(talk: Talk) -> None:
    assert talk.pair.settle() == 0
    assert talk.tally.errors == {"unanswered": 2}
    assert talk.pair.open() == 0


async def test_a_refused_message_is_an_error_and_is_replaced(talk: Talk) -> None:
    first, second = talk.ids
    talk.a.heard(Rejected(first, "unavailable", True), True)
    assert talk.tally.errors == {"rejected: unavailable": 1}
    assert talk.ids[0] == second
    assert len(talk.ids) == 2


async def test_what_should_not_happen_has_a_name(talk: Talk) -> None:
    first, second = talk.ids
    talk.message(second, 4, 0)
    talk.message(second, 5, 4)
    talk.message(first, 9, 8)
    talk.sent(os.urandom(16), 1)
    talk.a.on_ws_disconnected(None)  # type: ignore[arg-type]
    assert talk.tally.errors == {
        "out of order": 1,
        "unexpected message": 1,
        "gap": 1,
        "unexpected sent": 1,
        "closed": 1,
    }


async def test_an_altered_ciphertext_is_noticed(talk: Talk) -> None:
    talk.template.ciphertext = os.urandom(200)
    row = Deliver(1, 0, TALK, 1, talk.ids[0], A, 1, 0, 2, bytes(200), bytes(32), 0, 0, (1, 1))
    talk.b.heard(row, True)
    assert talk.tally.errors == {"altered": 1}


async def test_messages_begun_outside_the_window_have_no_latency(talk: Talk) -> None:
    talk.tally.ends = 0.0
    talk.sent(talk.ids[0], 1)
    talk.message(talk.ids[0], 1, 0)
    talk.delivered((1, 1))
    assert not talk.tally.sent + talk.tally.received + talk.tally.delivered
