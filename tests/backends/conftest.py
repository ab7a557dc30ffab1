"""Every contract suite runs over every backend; the memory one is the reference."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from linnet.server.backends.memory.accounts import MemoryAccounts
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.directory import MemoryDirectory
from linnet.server.backends.memory.groups import MemoryGroups
from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.backends.memory.links import MemoryLinks
from linnet.server.backends.memory.registrations import MemoryRegistrations
from linnet.server.backends.memory.rosters import MemoryRosters
from linnet.server.backends.memory.tokens import MemoryTokens
from linnet.server.backends.sqlite.accounts import SqliteAccounts
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.devices import SqliteDevices
from linnet.server.backends.sqlite.directory import SqliteDirectory
from linnet.server.backends.sqlite.groups import SqliteGroups
from linnet.server.backends.sqlite.keys import SqliteKeys
from linnet.server.backends.sqlite.links import SqliteLinks
from linnet.server.backends.sqlite.registrations import SqliteRegistrations
from linnet.server.backends.sqlite.rosters import SqliteRosters
from linnet.server.backends.sqlite.tokens import SqliteTokens
from linnet.server.ports.accounts import Accounts
from linnet.server.ports.devices import Devices
from linnet.server.ports.directory import Directory
from linnet.server.ports.groups import Groups
from linnet.server.ports.keys import Keys
from linnet.server.ports.links import Links
from linnet.server.ports.registrations import Registrations
from linnet.server.ports.rosters import Rosters
from linnet.server.ports.tokens import Tokens


@dataclass
class Stores:
    """The ports of one backend, over one store."""

    accounts: Accounts
    devices: Devices
    registrations: Registrations
    keys: Keys
    tokens: Tokens
    directory: Directory
    groups: Groups
    rosters: Rosters
    links: Links


@pytest.fixture(params=["memory", "sqlite"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        devices, keys, rosters = MemoryDevices(), MemoryKeys(), MemoryRosters()
        accounts = MemoryAccounts(devices, keys)
        yield Stores(
            accounts,
            devices,
            MemoryRegistrations(),
            keys,
            MemoryTokens(),
            MemoryDirectory(accounts, devices),
            MemoryGroups(rosters),
            rosters,
            MemoryLinks(devices, keys),
        )
        return
    db = Database(tmp_path / "linnet.db")
    await db.open()
    yield Stores(
        SqliteAccounts(db),
        SqliteDevices(db),
        SqliteRegistrations(db),
        SqliteKeys(db),
        SqliteTokens(db),
        SqliteDirectory(db),
        SqliteGroups(db),
        SqliteRosters(db),
        SqliteLinks(db),
    )
    await db.close()
