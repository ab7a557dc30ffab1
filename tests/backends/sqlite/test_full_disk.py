"""A disk that fills up in the middle of a port method leaves nothing half done."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.backends.people import account, first_device

from linnet.server.backends.sqlite.accounts import SqliteAccounts
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.devices import SqliteDevices
from linnet.server.backends.sqlite.keys import SqliteKeys
from linnet.server.ports import Unavailable
from linnet.wire.rest import KemPreKey, KeyCount, KeyUpload


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[Database]:
    """A database that cannot grow by a single page."""
    db = Database(tmp_path / "linnet.db")
    await db.open()
    await SqliteAccounts(db).register(account(1), first_device(1))
    await _grow_to(db, 1)
    yield db
    await db.close()


async def test_an_account_is_registered_whole_or_not_at_all(full: Database) -> None:
    accounts, devices = SqliteAccounts(full), SqliteDevices(full)
    large = msgspec.structs.replace(first_device(2), list_body=bytes(20_000))
    with pytest.raises(Unavailable):
        await accounts.register(account(2), large)
    assert await accounts.get(account(2).id) is None
    assert await devices.get(account(2).id, 1) is None
    assert await accounts.by_numbers([b"phone"]) == {b"phone": account(1).id}
    assert len(await devices.changes(10)) == 1
    await _grow_to(full, 1_000_000)
    assert await accounts.register(account(2), large) == account(2)
    assert await accounts.by_numbers([b"phone"]) == {b"phone": account(2).id}


async def test_an_upload_is_stored_whole_or_not_at_all(full: Database) -> None:
    keys = SqliteKeys(full)
    upload = KeyUpload(kem=[KemPreKey(id=id, key=bytes(1569), sig=bytes(64)) for id in range(100)])
    with pytest.raises(Unavailable):
        await keys.put(account(1).id, 1, upload, 100)
    assert await keys.count(account(1).id, 1) == KeyCount(one_time=0, kem=0)
    await _grow_to(full, 1_000_000)
    await keys.put(account(1).id, 1, upload, 100)
    assert await keys.count(account(1).id, 1) == KeyCount(one_time=0, kem=100)


async def _grow_to(db: Database, pages: int) -> None:
    """SQLite takes a smaller number as "no more than now"."""
    await db.write(lambda connection: connection.pragma("max_page_count", pages))
