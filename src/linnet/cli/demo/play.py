"""Play: Alice and Bob register, talk, and one of them is away for a while.

They are two real accounts of the SDK, each with its own directory; nothing they know of each other
came by another way than the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from linnet.cli.accounts import in_words, read_all
from linnet.cli.demo import kept
from linnet.cli.demo.stage import Stage
from linnet.cli.failures import Failure
from linnet.client import Client, Delivered, Event, Message, NotSent, Sent
from linnet.wire.ids import MessageId

ARRIVES_WITHIN_S = 30

NUMBERS = {"Alice": "+4917604069001", "Bob": "+4917604069002"}
"""Numbers that the German regulator keeps for films and books."""


class Exchange(msgspec.Struct):
    """One message, from all three sides."""

    writer: str
    reader: str
    typed: str
    away: bool
    """The reader was away when it was written."""
    typed_s: float = 0.0
    """When, on this process's clock."""
    id: bytes = b""
    kept: list[bytes] = []
    """The ciphertexts in the server's database, one for each device of the reader."""
    read: str | None = None
    sent_ms: float = 0.0
    delivered_ms: float | None = None
    """From typing to the second tick; None while it is on its way."""


class Person:
    """Somebody with an account."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self.number = NUMBERS[name]
        self.directory = place / name.lower()
        self._open = AsyncExitStack()
        self._client: Client | None = None
        self._events: AsyncIterator[Event] | None = None

    async def register(self, stage: Stage) -> None:
        """Make the account with the code that the server sends."""

        async def code() -> str:
            return await stage.code(self.number)

        client = await Client.register(
            stage.url, self.directory, self.number, code, name=f"{self.name}'s laptop"
        )
        await client.close()

    async def come(self) -> None:
        """Open the account: online from now on."""
        self._client = await self._open.enter_async_context(await Client.open(self.directory))
        self._events = self._client.events()

    async def leave(self) -> None:
        """Close the account: offline, and another program may open it."""
        if self._events is not None:
            await read_all(self._events)
        self._client = self._events = None
        await self._open.aclose()

    async def write(self, to: Person, text: str) -> tuple[MessageId, float]:
        """Send, and wait for the first tick: the id, and when it was typed."""
        assert self._client is not None
        typed_s = time.perf_counter()
        id = await self._client.send(to.number, text)
        await self._until(lambda event: isinstance(event, Sent) and event.id == id)
        return id, typed_s

    async def read(self, id: MessageId) -> str | None:
        """Wait for this message; its text."""
        event = await self._until(lambda event: getattr(event, "id", None) == id)
        return event.text if isinstance(event, Message) else None

    async def second_tick(self, id: MessageId) -> None:
        """Wait until a device of the reader has it."""
        await self._until(lambda event: isinstance(event, Delivered) and event.id == id)

    async def _until(self, wanted: Callable[[Event], bool]) -> Event:
        assert self._events is not None
        try:
            async with asyncio.timeout(ARRIVES_WITHIN_S):
                async for event in self._events:
                    if wanted(event):
                        return event
                    if isinstance(event, NotSent):
                        raise Failure(f"{self.name}'s message was not sent.", event.reason)
        except TimeoutError:
            pass
        raise Failure(f"{self.name} waited {ARRIVES_WITHIN_S} s for a message or a tick in vain.")


Told = Callable[[str], None]


async def play(stage: Stage, say: Told) -> tuple[list[Exchange], list[Person]]:
    """Everything they wrote, and the two, both away. `say` is told what happens. Raises Failure."""
    alice, bob = Person("Alice", stage.place), Person("Bob", stage.place)
    with in_words(stage.place):
        for person in (alice, bob):
            say(f"{person.name} registers")
            await person.register(stage)
        try:
            return await _talk(stage, alice, bob, say), [alice, bob]
        finally:
            await alice.leave()
            await bob.leave()


async def _talk(stage: Stage, alice: Person, bob: Person, say: Told) -> list[Exchange]:
    say("Alice and Bob come online")
    await alice.come()
    await bob.come()
    said = []
    for writer, reader, text in (
        (alice, bob, "Hi Bob, the spare key is under the third flowerpot."),
        (bob, alice, "Found it, thank you! Coffee on Thursday at half past ten?"),
        (alice, bob, "Yes, at the harbour. I will bring the photographs."),
    ):
        said.append(await _said(stage, writer, reader, text))
        await _arrived(said[-1], writer, reader)
    say("Bob closes his laptop")
    await bob.leave()
    said.append(
        await _said(stage, alice, bob, "Change of plan: make it eleven, the ferry is late.", True)
    )
    say("Bob opens it again")
    await bob.come()
    await _arrived(said[-1], alice, bob)
    said.append(await _said(stage, bob, alice, "Just back online and saw it. Eleven is perfect."))
    await _arrived(said[-1], bob, alice)
    return said


async def _said(
    stage: Stage, writer: Person, reader: Person, text: str, away: bool = False
) -> Exchange:
    """Write, and look at what the server has of it."""
    id, typed_s = await writer.write(reader, text)
    sent_ms = _since_ms(typed_s)
    return Exchange(
        writer=writer.name,
        reader=reader.name,
        typed=text,
        away=away,
        id=id,
        kept=kept.ciphertexts(stage.data, id),
        sent_ms=sent_ms,
        typed_s=typed_s,
    )


async def _arrived(said: Exchange, writer: Person, reader: Person) -> None:
    said.read = await reader.read(MessageId(said.id))
    await writer.second_tick(MessageId(said.id))
    said.delivered_ms = _since_ms(said.typed_s)


def _since_ms(typed_s: float) -> float:
    return (time.perf_counter() - typed_s) * 1000
