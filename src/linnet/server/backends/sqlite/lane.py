"""Lane: one thread with one SQLite connection, doing one transaction after another.

Reads that wait together share a snapshot and one wake-up of the loop: a hand-over costs more than
most of them.

Knows nothing of schemas or files: it is given how to connect. Used by `database` for the one
writer and the one reader; nothing else in the server touches a connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from linnet.server.ports import Unavailable

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]

# The world's doing, not ours: everything else that SQLite raises is a bug here and stays one.
_OUTSIDE = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.NoMemError,
    apsw.ProtocolError,
    apsw.PermissionsError,
    apsw.InterruptError,
)


class Lane:
    """A queue of at most `most` transactions, done in the order they were handed over.

    All methods belong to one event loop. `begin` is the statement that starts each transaction;
    up to `together` jobs share one (reads only: they would fail together).
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], apsw.Connection],
        begin: str,
        most: int,
        together: int = 1,
    ) -> None:
        self._name = name
        self._connect = connect
        self._begin = begin
        self._most = most
        self._together = together
        self._waiting = 0
        self._open = False
        self._jobs: SimpleQueue[tuple[Job[Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def open(self, first: Callable[[apsw.Connection], object]) -> None:
        """Start the thread, connect and run `first` there, outside any transaction.

        Raises what connecting raises, and Unavailable where the file cannot be used.
        """
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(loop, first, opened), name=self._name, daemon=True
        )
        self._thread.start()
        try:
            await opened
        except BaseException:
            self._thread.join()
            raise
        self._open = True

    async def close(self, within_s: float = 30.0) -> None:
        """Do what was handed over, close the connection, end the thread. Later jobs are refused.

        Raises TimeoutError if the thread is still busy after `within_s`.
        """
        if self._thread is None or not self._open:
            return
        self._open = False
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, within_s)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name} did not finish")

    def do(self, job: Job[T]) -> asyncio.Future[T]:
        """Hand over a transaction. A caller that stops waiting does not stop it.

        The future fails with Unavailable (nothing stored) or with what `job` raised (rolled
        back). Raises Unavailable at once if the queue is full or the lane closed.
        """
        if not self._open or self._waiting >= self._most:
            raise Unavailable(f"{self._name} takes no more")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._jobs.put((job, future))
        return future

    def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        first: Callable[[apsw.Connection], object],
        opened: asyncio.Future[None],
    ) -> None:
        try:
            connection = self._connect()
            try:
                first(connection)
            except BaseException:
                connection.close()
                raise
        except BaseException as error:
            self._tell(loop, _settle, opened, None, _ours(error))
            return
        self._tell(loop, _settle, opened, None, None)
        while (work := self._jobs.get()) is not None:
            if self._together > 1 and not self._jobs.empty():
                if not self._read_together(loop, connection, work):
                    break
            else:
                self._finish(loop, connection, *work)
            del work  # else the last job and its result stay alive until the next one comes
        connection.close()

    def _read_together(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: apsw.Connection,
        first: tuple[Job[Any], asyncio.Future[Any]],
    ) -> bool:
        """Do all that waits in one transaction, tell all at once; False if the end was asked for.

        One job's error is its own.
        """
        works, more = [first], True
        while len(works) < self._together and not self._jobs.empty():
            work = self._jobs.get()
            if work is None:
                more = False
                break
            works.append(work)
        told: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []

        def each(connection: apsw.Connection) -> None:
            for job, future in works:
                try:
                    told.append((future, job(connection), None))
                except Exception as error:
                    told.append((future, None, _ours(error)))

        try:
            self._transact(connection, each)
        except BaseException as error:
            told = [(future, None, _ours(error)) for _, future in works]
        self._tell(loop, self._all_done, told)
        return more

    def _all_done(self, told: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        for future, result, error in told:
            self._done(future, result, error)

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: apsw.Connection,
        job: Job[Any],
        future: asyncio.Future[Any],
    ) -> None:
        try:
            result = self._transact(connection, job)
        except BaseException as error:
            self._tell(loop, self._done, future, None, _ours(error))
        else:
            self._tell(loop, self._done, future, result, None)

    def _transact(self, connection: apsw.Connection, job: Job[T]) -> T:
        connection.execute(self._begin)
        try:
            result = job(connection)
            connection.execute("COMMIT")
        except BaseException:
            # After a full disk or an I/O error SQLite may have rolled back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _tell(self, loop: asyncio.AbstractEventLoop, call: Callable[..., None], *of: Any) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody is waiting any more
            loop.call_soon_threadsafe(call, *of)

    def _done(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._waiting -= 1
        _settle(future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _ours(error: BaseException) -> BaseException:
    """Unavailable for the world's doing, the error itself otherwise."""
    if not isinstance(error, _OUTSIDE):
        return error
    unavailable = Unavailable(type(error).__name__)
    unavailable.__cause__ = error
    return unavailable
