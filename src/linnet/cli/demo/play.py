"""Play: Alice and Bob register, talk, and one of them is away for a while; then Carol joins them in
a group.

They are real accounts of the SDK, each with its own directory; nothing they know of each other
came by another way than the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from linnet.cli.accounts import in_words, read_all
from linnet.cli.demo import kept
from linnet.cli.demo.stage import Stage
from linnet.cli.failures import Failure
from linnet.client import Client, Delivered, Event, Message, NotSent, Sent
from linnet.wire.ids import GroupId, MessageId

ARRIVES_WITHIN_S = 30

NUMBERS = {"Alice": "+4917604069001", "Bob": "+4917604069002", "Carol": "+4917604069003"}
"""Numbers that the German regulator keeps for films and books."""
TITLE = "Harbour singers"
"""What the group is called: typed as well, and to be found nowhere."""


class Exchange(msgspec.Struct):
    """One message, from all three sides."""

    writer: str
    readers: tuple[str, ...]
    typed: str
    away: bool
    """The reader was away when it was written."""
    typed_s: float = 0.0
    """When, on this process's clock."""
    id: bytes = b""
    kept: list[bytes] = []
    """The ciphertexts in the server's database: one a device of the reader, or one for all."""
    read: list[str | None] = []
    """What each reader read."""
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

    async def gather(self, people: Sequence[Person], title: str) -> GroupId:
        """Make a group with these people."""
        assert self._client is not None
        return await self._client.groups.create([it.number for it in people], title)

    async def write(self, to: Person | GroupId, text: str) -> tuple[MessageId, float]:
        """Send, and wait for the first tick: the id, and when it was typed."""
        assert self._client is not None
        typed_s = time.perf_counter()
        if isinstance(to, Person):
            id = await self._client.send(to.number, text)
        else:
            id = await self._client.groups.send(to, text)
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
    """Everything they wrote, and who they are, all away now. `say` is told what happens.

    Raises Failure.
    """
    people = [Person(name, stage.place) for name in NUMBERS]
    alice, bob, _ = people
    with in_words(stage.place):
        for person in people:
            say(f"{person.name} registers")
            await person.register(stage)
        try:
            said = await _talk(stage, alice, bob, say)
            return [*said, *await _sing(stage, people, say)], people
        finally:
            for person in people:
                await person.leave()


async def _talk(stage: Stage, alice: Person, bob: Person, say: Told) -> list[Exchange]:
    """Alice and Bob, who is away for a while."""
    say("Alice and Bob come online")
    await alice.come()
    await bob.come()
    said = []
    for writer, reader, text in (
        (alice, bob, "Hi Bob, the spare key is under the third flowerpot."),
        (bob, alice, "Found it, thank you! Coffee on Thursday at half past ten?"),
        (alice, bob, "Yes, at the harbour. I will bring the photographs."),
    ):
        said.append(await _said(stage, writer, reader, [reader], text))
        await _arrived(said[-1], writer, [reader])
    say("Bob closes his laptop")
    await bob.leave()
    text = "Change of plan: make it eleven, the ferry is late."
    said.append(await _said(stage, alice, bob, [bob], text, away=True))
    say("Bob opens it again")
    await bob.come()
    await _arrived(said[-1], alice, [bob])
    return said


async def _sing(stage: Stage, people: Sequence[Person], say: Told) -> list[Exchange]:
    """All three in a group that Alice makes."""
    alice, bob, carol = people
    say("Alice makes a group with Bob and Carol")
    await carol.come()
    group = await alice.gather([bob, carol], TITLE)
    said = []
    for writer, readers, text in (
        (alice, [bob, carol], "Rehearsal on Friday in the boathouse, bring the blue folders."),
        (carol, [alice, bob], "They are packed. I will be five minutes late, begin without me."),
    ):
        said.append(await _said(stage, writer, group, readers, text))
        await _arrived(said[-1], writer, readers)
    return said


async def _said(
    stage: Stage,
    writer: Person,
    to: Person | GroupId,
    readers: Sequence[Person],
    text: str,
    *,
    away: bool = False,
) -> Exchange:
    """Write, and look at what the server has of it."""
    id, typed_s = await writer.write(to, text)
    sent_ms = _since_ms(typed_s)
    return Exchange(
        writer=writer.name,
        readers=tuple(reader.name for reader in readers),
        typed=text,
        away=away,
        id=id,
        kept=kept.ciphertexts(stage.data, id),
        sent_ms=sent_ms,
        typed_s=typed_s,
    )


async def _arrived(said: Exchange, writer: Person, readers: Sequence[Person]) -> None:
    said.read = [await reader.read(MessageId(said.id)) for reader in readers]
    await writer.second_tick(MessageId(said.id))
    said.delivered_ms = _since_ms(said.typed_s)


def _since_ms(typed_s: float) -> float:
    return (time.perf_counter() - typed_s) * 1000
