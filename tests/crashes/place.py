"""A place: one server, and people on it whose processes have fates. No server limit bites."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.crashes.fate import Fate, long_life
from tests.crashes.process import FatedStore, environment
from tests.crashes.watcher import Watcher
from tests.scenarios.conftest import Codes

from linnet.client import Client, Environment, approving, keys, linking
from linnet.client import account as account_module
from linnet.client.registration import AskCode
from linnet.server import config
from linnet.server.app import Server
from linnet.server.config import Config, Rate

FREE = Rate(burst=1_000_000, every_s=0.001)


@dataclass
class Place:
    """Directories below `home`, one a device; `fates` by directory."""

    home: Path
    server: str
    codes: Codes
    watcher: Watcher
    fates: dict[str, Fate] = field(default_factory=dict)
    people: int = 0

    def number(self) -> str:
        """A phone number that nobody has."""
        self.people += 1
        return f"+1555{self.people:07}"

    def fate(self, name: str) -> Fate:
        return self.fates.setdefault(name, long_life())

    def world(self, name: str) -> Environment:
        return environment(self.fate(name), self.watcher, self.home / name)

    def code(self, number: str) -> AskCode:
        async def code() -> str:
            return self.codes.sent[number]

        return code

    async def register(self, name: str, number: str) -> Client:
        return await Client.register(
            self.server,
            self.home / name,
            number,
            self.code(number),
            name="phone",
            world=self.world(name),
        )

    async def made(self, name: str, number: str) -> Client:
        """An account that is registered and closed."""
        client = await self.register(name, number)
        await client.close()
        return client

    async def open(self, name: str) -> Client:
        return await Client.open(self.home / name, world=self.world(name))


@asynccontextmanager
async def place(home: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """A server is running; pre-keys are few, because making a hundred takes long."""
    codes, watcher = Codes(), Watcher(patch)
    patch.setattr(keys, "ONE_TIME_KEYS", 8)
    patch.setattr(keys, "KEM_KEYS", 4)
    for module in (linking, approving):
        patch.setattr(module, "ASK_FOR_S", 1)
    settings = Config(
        data=home / "server",
        port=0,
        accounts=config.Accounts(attempts_per_hour=1000, address_registrations=FREE, requests=FREE),
        keys=config.Keys(uploads=FREE, takes=FREE, all_takes=FREE, lookups=FREE),
        links=config.Links(address_offers=FREE),
        groups=config.Groups(creates=FREE, entries=FREE, added=FREE),
        gateway=config.Gateway(drain_within_s=1),
    )
    async with Server(settings, codes=codes) as server:
        here = Place(home, server.url, codes, watcher)
        patch.setattr(
            account_module,
            "Store",
            lambda directory: FatedStore(directory, here.fate(directory.name), watcher),
        )
        yield here
