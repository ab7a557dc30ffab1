"""The store of one account: an SQLite file, one thread that uses it, one process that may.

`write` is the unit of atomicity: all of a step or nothing of it, on disk when it returns. What the
tables mean is in the modules that own them; nothing here knows messages or keys.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from linnet.client.errors import AccountInUse, ClientError, NotRegistered, StoreUnavailable
from linnet.client.schema import MIGRATIONS

T = TypeVar("T")

DATABASE: Final = "linnet.db"
LOCK: Final = "lock"
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",  # used pre-keys and old ratchet states should not linger
    "PRAGMA busy_timeout = 5000",
)


class Store:
    """An open account directory. `open` raises AccountInUse if another process has it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="linnet-store")
        self._db: apsw.Connection | None = None
        self._lock: int | None = None
        self._closed = False

    async def open(self, *, create: bool = True) -> None:
        """Create the directory (for its owner only), take its lock, bring the tables up to date.

        Raises NotRegistered if there is no account's file and none is to be created.
        """
        try:
            await self._run(lambda: self._open(create))
        except BaseException:
            await self.close()
            raise

    async def write(
        self, work: Callable[[apsw.Connection], T], then: Callable[[T], None] | None = None
    ) -> T:
        """Run `work` in one transaction: committed and synced when this returns.

        Anything it raises rolls back. Raises StoreUnavailable if the file cannot be written.
        A cancelled caller does not stop a transaction that has begun: what must follow a commit
        is `then`, which is called with the result whether or not the caller still waits.
        """
        return await self._run(lambda: self._transact(work), then)

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run `work`, which only reads, between transactions."""
        return await self._run(lambda: work(self._connection()))

    async def close(self) -> None:
        """Close the file and let go of the lock. Closing twice is allowed."""
        if not self._closed:
            self._closed = True
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown(wait=False)  # after what is under way, however short we wait
            await asyncio.shield(done)

    async def _run(self, work: Callable[[], T], then: Callable[[T], None] | None = None) -> T:
        if self._closed:
            raise StoreUnavailable("closed")
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        if then is not None:
            done.add_done_callback(lambda done: _follow(done, then))
        try:
            return await asyncio.shield(done)
        except apsw.Error as error:
            raise StoreUnavailable(type(error).__name__) from error
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise StoreUnavailable(f"the directory cannot be used: {why}") from error

    def _open(self, create: bool) -> None:
        path = self.directory / DATABASE
        if not create and not path.exists():
            raise NotRegistered("there is no account in this directory")
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AccountInUse("another process has this account open") from None
        path.touch(mode=0o600)
        self._db = apsw.Connection(str(path))
        for pragma in _PRAGMAS:
            self._db.execute(pragma)
        self._migrate(self._db)

    def _migrate(self, db: apsw.Connection) -> None:
        version = db.pragma("user_version")
        if version > len(MIGRATIONS):
            raise ClientError("this account was last opened by a newer version")
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._transact(lambda db, s=script, n=number: _upgrade(db, s, n))  # type: ignore[misc]

    def _transact(self, work: Callable[[apsw.Connection], T]) -> T:
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            db.execute("COMMIT")
        except BaseException:
            if not db.get_autocommit():
                db.execute("ROLLBACK")
            raise
        return result

    def _connection(self) -> apsw.Connection:
        if self._db is None:
            raise StoreUnavailable("closed")
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _follow(done: "asyncio.Future[T]", then: Callable[[T], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        then(done.result())


def _upgrade(db: apsw.Connection, script: str, number: int) -> None:
    db.execute(script)
    db.execute(f"PRAGMA user_version = {number}")
