"""Speakers: real clients of the SDK, with encryption, that talk while the server is killed."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos.history import Device, History, Listed, Sent, Shown, Tried
from tests.chaos.house import House

from linnet.client import Client, Environment, Message, State
from linnet.client.connection import LONGEST_WAIT_S
from linnet.wire.frames import NARROWED

_ALL = 1_000_000


class Speakers:
    """A few people with one device each; everybody writes to everybody."""

    def __init__(self, house: House, place: Path, rng: random.Random) -> None:
        self.talking = True
        self._house = house
        self._place = place
        self._rng = rng
        self._clients: list[Client] = []
        self._said = 0

    async def register(self, stack: AsyncExitStack, count: int) -> None:
        """Through the real code flow; connected from then on, until the stack ends."""
        for index in range(count):
            number = f"+1555010{index:04}"

            async def code(number: str = number) -> str:
                return await self._house.code(number)

            directory = self._place / f"speaker-{index}"
            client = await Client.register(
                self._house.url, directory, number, code, world=Environment(sleep=_sleep)
            )
            self._clients.append(await stack.enter_async_context(client))

    async def speak(self, pause_s: float) -> None:
        """Somebody says something to somebody now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / pause_s))
            if self.talking:
                one, other = self._rng.sample(self._clients, 2)
                self._said += 1
                await one.send(other.account, f"message {self._said}")

    async def drain(self, within_s: float) -> None:
        """Return once everything said is delivered. Raises AssertionError."""
        self.talking = False
        late: list[State] = []
        try:
            async with asyncio.timeout(within_s):
                while late := [it.state for it in await self._own()]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"messages not delivered: {late}") from None

    async def _own(self) -> list[Message]:
        """What was said and is not delivered yet."""
        return [
            entry
            for one in self._clients
            for other in self._clients
            if one is not other
            for entry in await _texts(one, other)
            if entry.sender == one.account and entry.state is not State.DELIVERED
        ]

    async def history(self) -> History:
        """What is in everybody's stores, in words of the checker: each conversation as both sides
        show it. Said is what the sender's store holds; the server's words are not in it."""
        events: History = [Listed(client.account, 1, (1,)) for client in self._clients]
        shown: History = []
        for one in self._clients:
            for other in self._clients:
                if one is other:
                    continue
                for entry in await _texts(one, other):
                    assert entry.text is not None
                    digest = hashlib.sha256(entry.text.encode()).digest()
                    if entry.sender == one.account:
                        events += _said(entry, other, digest)
                    else:
                        shown.append(_shown(entry, one, digest))
        assert sum(isinstance(event, Tried) for event in events) == self._said
        return [*events, *shown]


async def _sleep(seconds: float) -> None:
    """The waits between reconnects, made short; upkeep comes when it would."""
    await asyncio.sleep(min(seconds, 0.5) if seconds <= LONGEST_WAIT_S else seconds)


async def _texts(one: Client, other: Client) -> list[Message]:
    shown = await one.messages(one.conversation_with(other.account), limit=_ALL)
    assert all(isinstance(entry, Message) for entry in shown), "a message could not be read"
    return [entry for entry in shown if isinstance(entry, Message)]


def _said(entry: Message, other: Client, digest: bytes) -> History:
    by, to = Device(entry.sender, entry.device), Device(other.account, other.device)
    said: History = [
        Tried(by, other.account, entry.conversation, entry.id, NARROWED, b"", {to: digest})
    ]
    if entry.conv_seq is not None:
        said.append(Sent(by, entry.conversation, entry.id, entry.conv_seq, 0, b"", None))
    return said


def _shown(entry: Message, on: Client, digest: bytes) -> Shown:
    assert entry.conv_seq is not None
    return Shown(
        Device(on.account, on.device),
        entry.conversation,
        entry.conv_seq,
        Device(entry.sender, entry.device),
        entry.id,
        b"",
        digest,
    )
