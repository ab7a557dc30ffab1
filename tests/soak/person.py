"""Person: an account with two or three devices; some are linked and removed as time goes by."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.house import House
from tests.client.post_office import Killed
from tests.scenarios.linking import yes
from tests.soak.handset import WORLD, Act, Handset
from tests.soak.journal import Journal, wall_ms
from tests.soak.line import Line
from tests.soak.mortal import Fate

from linnet.client import Client
from linnet.client.errors import ClientError
from linnet.client.linking import NewDevice
from linnet.signing.linking import LinkCode

MAIN_WITHIN_S: Final = 120.0
LINKS_WITHIN_S: Final = 60.0
GRACE_S: Final = 10.0
"""How long a new device waits after the main device gave up."""
DEVICES_MOST: Final = 3
CHANGES_EVERY_S: Final = 15.0


@dataclass(eq=False)
class Setting:
    """What all people share."""

    house: House
    place: Path
    stack: AsyncExitStack
    tasks: asyncio.TaskGroup
    journal: Journal
    fates: dict[Path, Fate]
    act: Act


@dataclass(eq=False)
class Person:
    """An account. `handsets[0]` is its main device; removed ones stay in the list."""

    name: str
    number: str
    rng: random.Random
    world: Setting
    handsets: list[Handset] = field(default_factory=list)
    calm: bool = False
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def main(self) -> Handset:
        """The device that approves and removes."""
        return self.handsets[0]

    @property
    def account(self) -> bytes:
        """Its AccountId."""
        return self.main.account

    async def register(self) -> None:
        """Make the account; its main device lives from now on."""
        handset = await self._new("1")

        async def code() -> str:
            return await self.world.house.code(self.number)

        client = await Client.register(
            handset.line.url, handset.directory, self.number, code, name=self.name, world=WORLD
        )
        self._begin(handset, client)

    async def link(self) -> None:
        """Link one more device through the real linking, if it succeeds in a minute."""
        handset = await self._new(str(len(self.handsets) + 1))
        try:
            async with asyncio.timeout(LINKS_WITHIN_S):
                while True:
                    client = await self._linked(handset)
                    if client is not None:
                        break
        except TimeoutError:
            handset.note("was not linked")
            return
        self._begin(handset, client)
        handset.note("was linked", handset.device)

    def _begin(self, handset: Handset, client: Client) -> None:
        handset.born_ms = wall_ms()
        handset.account, handset.device = client.account, client.device
        self.handsets.append(handset)
        self.world.tasks.create_task(handset.live(client))

    async def _linked(self, handset: Handset) -> Client | None:
        """One try, which goes on with what the one before has come to."""
        shown: asyncio.Queue[LinkCode] = asyncio.Queue(1)

        async def show(code: LinkCode, seconds: int) -> None:
            shown.put_nowait(code)

        try:
            async with asyncio.TaskGroup() as tasks:
                device = NewDevice(name=handset.name, by_text=True)
                linking = tasks.create_task(
                    Client.link(
                        handset.line.url, handset.directory, show, device=device, world=WORLD
                    )
                )
                tasks.create_task(self._approve(shown, linking))
        except* (ClientError, Killed) as failed:
            handset.note("link failed", ", ".join(repr(it) for it in failed.exceptions))
        if linking.cancelled() or linking.exception() is not None:
            await asyncio.sleep(1.0)
            return None
        return linking.result()

    async def _approve(self, shown: asyncio.Queue[LinkCode], linking: asyncio.Task[Client]) -> None:
        """Say yes on the main device, once the code is shown."""
        while shown.empty():
            if linking.done():
                return
            await asyncio.sleep(0.05)
        code = shown.get_nowait()
        try:
            await (await self.open_main()).approve_link(code.to_text(), yes)
        except (ClientError, Killed, RuntimeError) as error:
            self.main.note("approve failed", repr(error))
            await asyncio.wait([linking], timeout=GRACE_S)
            linking.cancel()

    async def revoke(self, handset: Handset) -> None:
        """Remove a device."""
        handset.revoking_ms = wall_ms()
        try:
            await (await self.open_main()).devices.revoke(handset.device)
        except (ClientError, Killed) as error:
            handset.note("revoke failed", repr(error))
            return
        handset.revoked_ms = wall_ms()
        handset.note("was revoked")

    async def change_devices(self) -> None:
        """Link and remove now and then, until cancelled."""
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / CHANGES_EVERY_S))
            if self.calm:
                continue
            async with self.busy:
                others = [it for it in self.handsets[1:] if it.revoking_ms is None]
                if len(others) + 1 < DEVICES_MOST and self.rng.random() < 0.6:
                    await self.link()
                elif others:
                    await self.revoke(self.rng.choice(others))

    async def open_main(self) -> Client:
        """The main device's client, once it is open."""
        async with asyncio.timeout(MAIN_WITHIN_S):
            while (client := self.main.client) is None:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        return client

    async def _new(self, suffix: str) -> Handset:
        name = f"{self.name}-{suffix}"
        line = await self.world.stack.enter_async_context(Line.to(self.world.house.port))
        directory = self.world.place / name
        self.world.fates[directory] = Fate()
        return Handset(
            name=name,
            directory=directory,
            line=line,
            rng=random.Random(f"{self.rng.random()}"),
            journal=self.world.journal,
            fates=self.world.fates,
            act=self.world.act,
            linking_ms=wall_ms(),
            born_ms=wall_ms(),
        )


def everybody(people: list[Person], fits: Callable[[Handset], bool]) -> list[Handset]:
    """The devices of all these people that fit."""
    return [it for person in people for it in person.handsets if fits(it)]
