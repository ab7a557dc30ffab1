"""Database: one SQLite file, one thread that writes, one that reads.

Durable: a write that returned survives a power cut (WAL, synchronous=FULL). Every write is its
own transaction, in the order handed over. After an I/O error inside a COMMIT, followed by a
crash, SQLite may bring that transaction back although it was reported as not stored; so
everything written here can be written twice. Knows no tables: `migrations/` has them.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import apsw

from linnet.server.backends.sqlite.lane import Job, Lane, T
from linnet.server.backends.sqlite.migrate import migrate

MIGRATIONS = Path(__file__).parent / "migrations"
PENDING_MOST = 1024
"""Transactions that may wait for each thread; one more is Unavailable."""
CHECKPOINT_PAGES = 40_000
"""WAL pages (160 MB) before a checkpoint: checkpoints of many small WALs cost more in all."""


class InUse(Exception):
    """Another process serves this data directory."""


class Database:
    """The file at `path`; its directory is made, and locked against a second server."""

    def __init__(self, path: Path, migrations: Path = MIGRATIONS) -> None:
        self._path = path
        self._migrations = migrations
        self._lock: int | None = None
        self._writer = Lane("sqlite-writer", self._connect_writer, "BEGIN IMMEDIATE", PENDING_MOST)
        self._reader = Lane("sqlite-reader", self._connect_reader, "BEGIN", PENDING_MOST, 64)

    async def open(self) -> None:
        """Lock, connect and migrate. Raises InUse, NewerSchema, or Unavailable."""
        self._lock = _lock(self._path.parent)
        try:
            await self._writer.open(lambda connection: migrate(connection, self._migrations))
            await self._reader.open(lambda connection: None)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was handed over, close both connections, unlock."""
        try:
            await self._reader.close()
            await self._writer.close()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    async def write(self, job: Job[T]) -> T:
        """Run `job` in the writer thread inside BEGIN IMMEDIATE … COMMIT.

        Durable when it returns. Raises Unavailable (disk full, I/O error, locked, too many
        waiting) or what `job` raised; nothing of it is stored then. Once called it runs to its
        end even if the caller is cancelled.
        """
        return await self._writer.do(job)

    async def read(self, job: Job[T]) -> T:
        """Run `job` in the reader thread on one snapshot, which holds every write that had
        returned before. Raises Unavailable or what `job` raised."""
        return await self._reader.do(job)

    def _connect_writer(self) -> apsw.Connection:
        # Made by us and not by SQLite, so that no one else may ever read it.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = apsw.Connection(str(self._path))
        connection.set_busy_timeout(5_000)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "FULL")
        connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        connection.pragma("foreign_keys", False)
        connection.pragma("secure_delete", False)
        _share_memory(connection)
        return connection

    def _connect_reader(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5_000)
        _share_memory(connection)
        return connection


def _share_memory(connection: apsw.Connection) -> None:
    connection.pragma("cache_size", -64 * 1024)
    connection.pragma("temp_store", "MEMORY")


def _lock(directory: Path) -> int:
    """Take the directory's lock file, for as long as the descriptor is open. Raises InUse."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise InUse(f"another server is using {directory}") from None
    return descriptor
