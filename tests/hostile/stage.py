"""The stage of every case: a real server, Alice and Bob behind a liar each, and what they hear.

People are registered once for all cases; each case plays in its own copy of their directories.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import pytest
from tests.hostile.middle import NOWHERE, Middle
from tests.scenarios.conftest import Codes
from tests.scenarios.waiting import PATIENCE_S, eventually

from linnet.client import Client, Connection, ConnectionState, Event, Message, State, sender
from linnet.client import health as health_module
from linnet.client.approving import LinkOffer
from linnet.client.events import Arrived
from linnet.client.health import Health
from linnet.client.linking import NewDevice
from linnet.server.app import Server
from linnet.server.config import Config, Gateway
from linnet.signing.linking import LinkCode
from linnet.wire.ids import ConversationId, GroupId, MessageId

NUMBERS: Final = {
    "alice": "+15550100001",
    "bob": "+15550100002",
    "carol": "+15550100003",
    "dan": "+15550100004",
}
LOOK_AGAIN_S: Final = 0.1
"""How often a sender looks at what it held back: faster than in life."""
SERVER: Final = "server"
E = TypeVar("E")


@dataclass
class Person:
    """An open client, the line it speaks over, and every event it was told."""

    client: Client
    line: Middle
    heard: list[Event] = field(default_factory=list)

    async def told(self, kind: type[E], matching: Callable[[E], bool] = lambda event: True) -> E:
        """The first event of a kind (that matches), waited for."""
        found: list[E] = []

        async def there() -> bool:
            found.extend(e for e in self.heard if isinstance(e, kind) and matching(e))
            return bool(found)

        await eventually(there)
        return found[0]

    def never(self, *kinds: type[Event]) -> bool:
        """Whether no event of these kinds was told so far."""
        return not any(isinstance(event, kinds) for event in self.heard)

    async def conversation(self, other: "Person") -> list[Arrived]:
        """What is shown of the conversation with the other."""
        return await self.client.messages(self.client.conversation_with(other.client.account))

    async def texts(self, other: "Person") -> list[str | None]:
        """The texts that can be read there."""
        return [e.text for e in await self.conversation(other) if isinstance(e, Message)]

    async def shows(self, other: "Person", *texts: str) -> None:
        """Wait until exactly these texts are shown, in this order, and nothing else."""

        async def just_these() -> bool:
            shown = await self.conversation(other)
            return [e.text if isinstance(e, Message) else None for e in shown] == list(texts)

        await eventually(just_these)

    async def shows_in(self, group: GroupId, *texts: str) -> None:
        """Wait until exactly these texts are shown in a group, in this order."""

        async def just_these() -> bool:
            return await self.texts_in(group) == list(texts)

        await eventually(just_these)

    async def texts_in(self, group: GroupId) -> list[str | None]:
        """What is shown of a group; None for what could not be read."""
        shown = await self.client.messages(ConversationId(group))
        return [entry.text if isinstance(entry, Message) else None for entry in shown]

    async def says(self, other: "Person", text: str) -> MessageId:
        """Put a text into the outbox."""
        return await self.client.send(other.client.account, text)

    async def reaches(self, id: MessageId, *states: State) -> None:
        """Wait until a message of this person is in one of these states."""

        async def there() -> bool:
            return await self.client.state(id) in states

        await eventually(there)

    async def kept_up(self) -> None:
        """Have the client look after its keys, as it does every hour, and wait until it has."""
        asked = len(self.line.asked)
        self.client._engine.upkeep.set()
        await self.line.asked_more(asked)

    def times_online(self) -> int:
        """How often this person came online."""
        return sum(
            isinstance(event, ConnectionState) and event.state is Connection.ONLINE
            for event in self.heard
        )

    async def online_again(self, before: int) -> None:
        """Wait until this person came online more often than that."""

        async def more() -> bool:
            return self.times_online() > before

        await eventually(more)

    async def health(self) -> Health:
        """What was counted on this device."""
        return await self.client._store.read(health_module.read)


@dataclass
class Stage:
    """Alice and Bob, online, who never spoke to each other, and a server between them."""

    home: Path
    server: Server
    tasks: asyncio.TaskGroup
    stack: contextlib.AsyncExitStack
    patch: pytest.MonkeyPatch
    alice: Person = field(init=False)
    bob: Person = field(init=False)

    async def person(self, name: str) -> Person:
        """Open one of the people that are registered."""
        line = Middle(self.server.url, self.tasks)
        client = await Client.open(self.home / name, world=line.environment())
        return await self.enter(client, line)

    async def enter(self, client: Client, line: Middle) -> Person:
        """Bring a client online and listen to it."""
        person = Person(client, line)
        await self.stack.enter_async_context(client)
        self.tasks.create_task(_listen(person))
        return person

    async def restarted(self, person: Person, name: str) -> Person:
        """Close a person's client and open it again."""
        await person.client.__aexit__(None, None, None)
        return await self.person(name)

    async def linked(self, main: Person, name: str) -> Person:
        """Link a new device to a person's account, as people do: a code, and a yes."""
        line = Middle(self.server.url, self.tasks)
        shown: asyncio.Queue[LinkCode] = asyncio.Queue(1)

        async def show(code: LinkCode, seconds: int) -> None:
            shown.put_nowait(code)

        async def yes(offer: LinkOffer) -> bool:
            return True

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            device = NewDevice(name=name, by_text=True)
            world = line.environment()
            linking = tasks.create_task(
                Client.link(NOWHERE, self.home / name, show, device=device, world=world)
            )
            code = await shown.get()
            tasks.create_task(main.client.approve_link(code.to_text(), yes))
        return await self.enter(linking.result(), line)

    async def meet(self) -> None:
        """A word each way: both hold the other's list, and their session is answered."""
        await self.alice.says(self.bob, "Hello, Bob!")
        await self.bob.shows(self.alice, "Hello, Bob!")
        await self.bob.says(self.alice, "Hello, Alice!")
        await self.alice.shows(self.bob, "Hello, Bob!", "Hello, Alice!")


GREETINGS: Final = ("Hello, Bob!", "Hello, Alice!")


async def _listen(person: Person) -> None:
    async for event in person.client.events():
        person.heard.append(event)


def _server(home: Path, codes: Codes | None = None) -> Server:
    config = Config(data=home / SERVER, port=0, gateway=Gateway(drain_within_s=1))
    return Server(config, codes=codes)


async def register_all(home: Path) -> None:
    """Make the directories that every case copies."""
    codes = Codes()
    async with _server(home, codes) as server, asyncio.TaskGroup() as tasks:
        for name, number in NUMBERS.items():

            async def code(number: str = number) -> str:
                return codes.sent[number]

            world = Middle(server.url, tasks).environment()
            made = await Client.register(NOWHERE, home / name, number, code, name=name, world=world)
            await made.close()


@contextlib.asynccontextmanager
async def opened(registered: Path, home: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A stage in a copy of those directories."""
    shutil.copytree(registered, home, dirs_exist_ok=True)
    patch.setattr(sender, "LOOK_AGAIN_S", LOOK_AGAIN_S)
    async with (
        _server(home) as server,
        asyncio.TaskGroup() as tasks,
        contextlib.AsyncExitStack() as stack,
    ):
        stage = Stage(home, server, tasks, stack, patch)
        stage.alice = await stage.person("alice")
        stage.bob = await stage.person("bob")
        yield stage
