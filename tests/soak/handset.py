"""Handset: one device in somebody's hand. It is opened, used, closed, dies, and is opened again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.client.post_office import Killed
from tests.soak.journal import Journal
from tests.soak.line import Line
from tests.soak.mortal import Fate

from linnet.client import Client, Connection, ConnectionState, Damaged, Message, Undecryptable
from linnet.client.connection import LONGEST_WAIT_S
from linnet.client.environment import Environment
from linnet.wire.ids import MessageId

LIFE_S: Final = 12.0
AWAY_S: Final = 1.5
WRITES_MOST: Final = 250
CLOSES_WITHIN_S: Final = 20.0

Act = Callable[["Handset", Client], Awaitable[None]]


class LifeOver(Exception):
    """This opening of the device is over."""


async def short(seconds: float) -> None:
    """The waits between reconnects, made short; upkeep comes when it would."""
    await asyncio.sleep(min(seconds, 1.0) if seconds < LONGEST_WAIT_S else seconds)


WORLD: Final = Environment(sleep=short)


@dataclass(eq=False)
class Handset:
    """A device. `linking_ms` … `born_ms` is when it was linked, `revoking_ms` … `revoked_ms` when
    it was removed, by the wall clock; None if that was not begun, or did not succeed."""

    name: str
    directory: Path
    line: Line
    rng: random.Random
    journal: Journal
    fates: dict[Path, Fate]
    act: Act
    linking_ms: int
    born_ms: int
    device: int = 0
    account: bytes = b""
    revoking_ms: int | None = None
    revoked_ms: int | None = None
    client: Client | None = None
    said: dict[MessageId, str] = field(default_factory=dict)
    """What was taken over: `send` returned."""
    heard: set[MessageId] = field(default_factory=set)
    """What the application was told of."""
    count: int = 0
    calm: bool = False
    """Neither acts nor dies any more."""
    stopped: bool = False
    """The server shows it out."""
    _calmed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, what: str, more: object = "") -> None:
        """Into the journal."""
        self.journal.note(self.name, what, more)

    def settle(self) -> None:
        """Stay open from now on, and do nothing."""
        self.calm = True
        self._calmed.set()

    async def live(self, first: Client | None = None) -> None:
        """Be used, until cancelled or shown out. `first` is it as it came from registering."""
        client = first
        while not self.stopped:
            if client is None:
                client = await self._opened()
            self.account, self.device = client.account, client.device
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._one_life(client))
            except* (Killed, LifeOver):
                pass
            finally:
                self.client = client = None
            if not self.calm:
                await asyncio.sleep(self.rng.expovariate(1 / AWAY_S))

    async def _opened(self) -> Client:
        fate = Fate()
        if not self.calm and self.rng.random() < 0.4:
            fate.at_write = int(WRITES_MOST ** self.rng.random())
            fate.after_commit = self.rng.random() < 0.5
        self.fates[self.directory] = fate
        try:
            return await Client.open(self.directory, world=WORLD)
        except Killed:
            self.note("died while opening")
            await fate.end()
            self.fates[self.directory] = Fate()
            return await Client.open(self.directory, world=WORLD)

    async def _one_life(self, client: Client) -> None:
        fate = self.fates.setdefault(self.directory, Fate())
        closed = True
        try:
            async with client:
                self.client = client
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(client))
                    tasks.create_task(self._use(client))
                    tasks.create_task(self._death(fate))
                    tasks.create_task(self._end(fate))
        except* (Killed, LifeOver) as over:
            closed = over.subgroup(Killed) is None
            raise
        finally:
            self.client = None
            await fate.end()
            self.note("closed" if closed else "died")

    async def _use(self, client: Client) -> None:
        while True:
            await asyncio.sleep(self.rng.expovariate(1.0))
            if not self.calm:
                await self.act(self, client)

    async def _end(self, fate: Fate) -> None:
        """The end of this life when it is not killed, at any moment, whatever is under way."""
        try:
            async with asyncio.timeout(self.rng.expovariate(1 / LIFE_S)):
                await self._calmed.wait()
        except TimeoutError:
            raise LifeOver from None
        fate.at_write = 0

    async def _death(self, fate: Fate) -> None:
        await fate.died.wait()
        raise Killed

    async def _listen(self, client: Client) -> None:
        async for event in client.events():
            match event:
                case Message() | Undecryptable() | Damaged():
                    self.heard.add(event.id)
                    if not isinstance(event, Message):
                        self.note(
                            f"was told {type(event).__name__}: {event.reason}", event.id.hex()
                        )
                case ConnectionState(Connection.STOPPED, reason):
                    self.note("stopped", reason)
                    self.stopped = True
                    raise LifeOver
                case ConnectionState():
                    pass
                case other:
                    self.note(f"was told {type(other).__name__}")
