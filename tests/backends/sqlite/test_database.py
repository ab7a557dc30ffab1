"""The one writer and the one reader: durable, ordered, bounded, and alive after a full disk."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from linnet.server.backends.sqlite.database import MIGRATIONS, Database, InUse
from linnet.server.backends.sqlite.lane import Job, Lane
from linnet.server.ports import Unavailable


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "data" / "test.db", _folder(tmp_path))
    await database.open()
    yield database
    await database.close()


async def test_what_was_written_is_read_and_survives_a_restart(
    db: Database, tmp_path: Path
) -> None:
    assert await db.write(_insert(1)) == 1
    assert await db.read(_numbers) == [1]
    await db.close()
    again = Database(tmp_path / "data" / "test.db", _folder(tmp_path))
    await again.open()
    assert await again.read(_numbers) == [1]
    await again.close()


async def test_writes_are_done_in_the_order_they_were_handed_over(db: Database) -> None:
    await asyncio.gather(*(db.write(_insert(number)) for number in range(200)))
    assert await db.read(_numbers) == list(range(200))


async def test_a_job_that_raises_leaves_nothing(db: Database) -> None:
    def half(connection: apsw.Connection) -> None:
        _insert(1)(connection)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await db.write(half)
    assert await db.read(_numbers) == []


async def test_a_mistake_in_sql_is_not_called_unavailable(db: Database) -> None:
    with pytest.raises(apsw.SQLError):
        await db.write(lambda connection: connection.execute("SELEKT"))
    with pytest.raises(apsw.ConstraintError):
        await db.write(lambda connection: _insert(1)(connection) + _insert(1)(connection))
    assert await db.read(_numbers) == []


async def test_a_full_disk_is_unavailable_stores_nothing_and_passes(db: Database) -> None:
    await db.write(_insert(1))
    pages = await db.write(lambda connection: int(connection.pragma("page_count")))
    await db.write(lambda connection: connection.pragma("max_page_count", pages))

    def large(connection: apsw.Connection) -> None:
        _insert(2)(connection)
        connection.execute("INSERT INTO blobs VALUES (zeroblob(200000))")

    with pytest.raises(Unavailable):
        await db.write(large)
    assert await db.read(_numbers) == [1]
    await db.write(lambda connection: connection.pragma("max_page_count", 1_000_000))
    await db.write(large)
    assert await db.read(_numbers) == [1, 2]
    assert await db.write(lambda connection: connection.pragma("integrity_check")) == "ok"


async def test_the_reader_cannot_write(db: Database) -> None:
    with pytest.raises(Unavailable):
        await db.read(_insert(1))


async def test_a_read_sees_one_snapshot(db: Database) -> None:
    read, written = threading.Event(), threading.Event()

    def slow(connection: apsw.Connection) -> tuple[list[int], list[int]]:
        before = _numbers(connection)
        read.set()
        assert written.wait(10)
        return before, _numbers(connection)

    reading = asyncio.gather(db.read(slow))
    await asyncio.to_thread(read.wait, 10)
    await db.write(_insert(1))
    written.set()
    assert list(await reading) == [([], [])]
    assert await db.read(_numbers) == [1]


async def test_one_too_many_is_refused_and_the_others_are_done(tmp_path: Path) -> None:
    lane = Lane("lane", lambda: apsw.Connection(":memory:"), "BEGIN IMMEDIATE", most=2)
    await lane.open(lambda connection: None)
    go = threading.Event()
    blocked = [lane.do(lambda connection: go.wait(10)) for _ in range(2)]
    with pytest.raises(Unavailable):
        lane.do(lambda connection: True)
    go.set()
    assert await asyncio.gather(*blocked) == [True, True]
    assert await lane.do(lambda connection: True)
    await lane.close()


async def test_a_write_goes_on_when_its_caller_gave_up(db: Database) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(connection: apsw.Connection) -> None:
        begun.set()
        assert go.wait(10)
        _insert(1)(connection)

    waiting = asyncio.gather(db.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    await db.write(_insert(2))
    assert await db.read(_numbers) == [1, 2]


async def test_closing_finishes_what_was_handed_over_and_refuses_the_rest(db: Database) -> None:
    pending = asyncio.gather(db.write(_insert(1)), db.write(_insert(2)))
    await asyncio.wait_for(_later(db), 10)
    assert list(await pending) == [1, 1]
    with pytest.raises(Unavailable):
        await db.write(_insert(3))
    with pytest.raises(Unavailable):
        await db.read(_numbers)


async def test_a_second_server_of_the_directory_is_refused(db: Database, tmp_path: Path) -> None:
    second = Database(tmp_path / "data" / "test.db", _folder(tmp_path))
    with pytest.raises(InUse, match="another server"):
        await second.open()
    await second.close()
    assert await db.write(_insert(1)) == 1


async def test_the_directory_is_free_again_after_a_failed_opening(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.db").write_bytes(b"not a database, certainly not one" * 200)
    broken = Database(tmp_path / "data" / "test.db", _folder(tmp_path))
    with pytest.raises(Unavailable):
        await broken.open()
    (tmp_path / "data" / "test.db").unlink()
    good = Database(tmp_path / "data" / "test.db", _folder(tmp_path))
    await good.open()
    await good.close()


async def test_nobody_else_may_read_the_files(db: Database, tmp_path: Path) -> None:
    await db.write(_insert(1))
    directory = tmp_path / "data"
    assert directory.stat().st_mode & 0o077 == 0
    assert {file.stat().st_mode & 0o077 for file in directory.iterdir()} == {0}


async def test_commits_are_durable_by_setting(db: Database) -> None:
    assert await db.write(lambda connection: connection.pragma("synchronous")) == 2
    assert await db.write(lambda connection: connection.pragma("journal_mode")) == "wal"


async def test_the_shipped_schema_opens(tmp_path: Path) -> None:
    database = Database(tmp_path / "linnet.db")
    await database.open()
    version = await database.read(lambda connection: connection.pragma("user_version"))
    assert version == len(list(MIGRATIONS.glob("*.sql")))
    await database.close()


async def _later(db: Database) -> None:
    await asyncio.sleep(0)  # so that the writes are handed over first
    await db.close()


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir(exist_ok=True)
    (folder / "0001_numbers.sql").write_text(
        "CREATE TABLE numbers (number INTEGER PRIMARY KEY); CREATE TABLE blobs (blob BLOB);"
    )
    return folder


def _insert(number: int) -> Job[int]:
    def job(connection: apsw.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        return int(connection.changes())

    return job


def _numbers(connection: apsw.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT number FROM numbers ORDER BY number")]
