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
from linnet.server.backends.sqlite.links import SqliteLinks
from linnet.server.ports import Unavailable
from linnet.server.ports.devices import Admission, StoredList
from linnet.server.ports.links import Link
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


async def test_a_device_is_linked_whole_or_not_at_all(full: Database) -> None:
    links, devices, keys = SqliteLinks(full), SqliteDevices(full), SqliteKeys(full)
    await _grow_to(full, 1_000_000)
    await links.open(Link(b"link", b"offer", 2000), 1000, 9)
    await _grow_to(full, 1)
    before = await devices.newest(account(1).id)
    with pytest.raises(Unavailable):
        await links.activate(b"link", _admission(), 100, 1000)
    assert await devices.newest(account(1).id) == before
    assert await devices.get(account(1).id, 2) is None
    assert await keys.count(account(1).id, 2) == KeyCount(one_time=0, kem=0)
    assert len(await devices.changes(10)) == 1
    held = await links.get(b"link")
    assert held is not None
    assert held.device == 0
    await _grow_to(full, 1_000_000)
    assert await links.activate(b"link", _admission(), 100, 1000)
    assert await keys.count(account(1).id, 2) == KeyCount(one_time=0, kem=100)


async def test_an_account_is_recovered_whole_or_not_at_all(full: Database) -> None:
    accounts, devices = SqliteAccounts(full), SqliteDevices(full)
    with pytest.raises(Unavailable):
        await accounts.recover(b"phone", _admission(), 100)
    assert await devices.get(account(1).id, 2) is None
    first = await devices.get(account(1).id, 1)
    assert first is not None
    assert not first.revoked
    assert len(await devices.changes(10)) == 1
    await _grow_to(full, 1_000_000)
    assert await accounts.recover(b"phone", _admission(), 100)


def _admission() -> Admission:
    """Device 2 with more keys than fit in what is left of a page."""
    kem = [KemPreKey(id=id, key=bytes(1569), sig=bytes(64)) for id in range(100)]
    return Admission(
        account=account(1).id,
        expected_version=1,
        list=StoredList(bytes(20_000), bytes(64), 2, 2),
        devices=(2,),
        device=2,
        identity=bytes(33),
        registration_id=7,
        keys=KeyUpload(kem=kem),
        ticket=bytes(32),
    )


async def _grow_to(db: Database, pages: int) -> None:
    """SQLite takes a smaller number as "no more than now"."""
    await db.write(lambda connection: connection.pragma("max_page_count", pages))
