"""Store: all or nothing, one process, for its owner only."""

import asyncio
import os
import stat
import time
from pathlib import Path

import apsw
import pytest

from linnet.client.errors import AccountInUse, ClientError, NotRegistered, StoreUnavailable
from linnet.client.facts import Cursor, get, put
from linnet.client.store import DATABASE, Store


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "account")


async def test_a_second_process_is_told_that_the_account_is_in_use(store: Store) -> None:
    await store.open()
    other = Store(store.directory)
    with pytest.raises(AccountInUse):
        await other.open()
    await store.close()
    again = Store(store.directory)
    await again.open()
    await again.close()


async def test_who_is_cancelled_while_closing_lets_go_all_the_same(store: Store) -> None:
    await store.open()
    begun = asyncio.Event()

    async def close() -> None:
        begun.set()
        await store.close()

    async with asyncio.TaskGroup() as tasks:
        held = tasks.create_task(store.write(lambda db: time.sleep(0.05)))
        closing = tasks.create_task(close())
        await begun.wait()
        closing.cancel()
    assert held.done()
    again = Store(store.directory)
    async with asyncio.timeout(10):
        while True:
            try:
                await again.open()
            except AccountInUse:
                await asyncio.sleep(0.01)
                again = Store(store.directory)
            else:
                break
    await again.close()


async def test_a_failed_step_leaves_nothing(store: Store) -> None:
    await store.open()

    def half(db: apsw.Connection) -> None:
        put(db, Cursor(position=5))
        raise KeyError("half way")

    with pytest.raises(KeyError):
        await store.write(half)
    assert await store.read(lambda db: get(db, Cursor)) is None
    await store.close()


async def test_a_full_disk_is_a_typed_error_and_the_store_goes_on(store: Store) -> None:
    await store.open()

    def fill(db: apsw.Connection) -> None:
        db.execute("CREATE TABLE t (x BLOB)")
        db.execute(f"PRAGMA max_page_count = {db.pragma('page_count') + 2}")
        for _ in range(10):
            db.execute("INSERT INTO t VALUES (zeroblob(100000))")

    with pytest.raises(StoreUnavailable, match="FullError"):
        await store.write(fill)
    await store.write(lambda db: put(db, Cursor(position=1)))
    await store.close()


async def test_the_files_are_for_their_owner_only(store: Store) -> None:
    await store.open()
    modes = [
        stat.S_IMODE(os.stat(path).st_mode)
        for path in (store.directory, store.directory / DATABASE)
    ]
    assert modes == [0o700, 0o600]
    await store.close()


async def test_an_account_of_a_newer_version_is_not_touched(store: Store) -> None:
    await store.open()
    await store.read(lambda db: db.pragma("user_version", 99))
    await store.close()
    with pytest.raises(ClientError, match="newer version"):
        await Store(store.directory).open()


async def test_opening_without_creating_makes_nothing(store: Store) -> None:
    with pytest.raises(NotRegistered):
        await store.open(create=False)
    assert not await asyncio.to_thread(store.directory.exists)


async def test_what_follows_a_commit_is_done_although_the_caller_is_gone(store: Store) -> None:
    await store.open()
    followed: list[str] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(db: apsw.Connection) -> str:
        loop.call_soon_threadsafe(begun.set)
        put(db, Cursor(position=7))
        return "done"

    async def caller() -> None:
        await store.write(work, then=followed.append)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(caller())
        await begun.wait()
        task.cancel()
    await store.read(lambda db: None)
    assert followed == ["done"]
    await store.close()
