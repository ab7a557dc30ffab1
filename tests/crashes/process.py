"""A process: a client whose store and network obey its fate. Its sleep is short, its time fast.

What a dead process still tries to do does not happen: its store takes nothing, its network is gone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import apsw
import httpx
from tests.crashes.fate import At, Fate, How, Killed
from tests.crashes.watcher import Watcher

from linnet.client import Environment
from linnet.client.environment import Link
from linnet.client.errors import LinkClosed, Offline, StoreUnavailable
from linnet.client.store import DATABASE, Store
from linnet.client.transport import dial
from linnet.wire.codec import Unknown
from linnet.wire.frames import ServerFrame

T = TypeVar("T")
SLEEPS_FASTER = 100
TICKS_FASTER = 20
LETS_GO_S = 2.0
"""So long what is left of a dead process may take to notice."""


class FatedStore(Store):
    """A store that dies before, midway through or after the write that its fate names."""

    def __init__(self, directory: Path, fate: Fate, watcher: Watcher) -> None:
        super().__init__(directory)
        self._fate, self._watcher = fate, watcher
        fate.remains.append(self.close)

    async def write(
        self, work: Callable[[apsw.Connection], T], then: Callable[[T], None] | None = None
    ) -> T:
        fate = self._fate
        if fate.dead:
            raise StoreUnavailable("dead")
        how = fate.now(At.STORE, "write")
        if how is How.BEFORE:
            raise fate.die()
        if how is How.MIDWAY:
            await self._die_midway(work)
        result = await super().write(work, None if how is How.AFTER else then)
        if how is How.AFTER:
            raise fate.die()
        return result

    async def _die_midway(self, work: Callable[[apsw.Connection], T]) -> None:
        def half(db: apsw.Connection) -> None:
            work(db)
            raise Killed

        try:
            await super().write(half)
        finally:
            self._fate.die()

    def _transact(self, work: Callable[[apsw.Connection], T]) -> T:
        with self._watcher.transaction():
            return super()._transact(work)


class FatedNetwork(httpx.AsyncBaseTransport):
    """HTTP as fate has it. Every sealed message that leaves is asked for in the store first."""

    def __init__(self, fate: Fate, watcher: Watcher, database: Path) -> None:
        self._inner, self._fate = httpx.AsyncHTTPTransport(verify=False), fate
        self._watcher, self._database = watcher, database
        fate.remains.append(self._inner.aclose)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        how = self._fate.now(At.NETWORK, f"{request.method} {request.url.path}")
        if how is How.BEFORE:
            raise self._fate.die()
        if how is How.LOST:
            raise httpx.ConnectError("the request was lost")
        path = request.url.path
        if path.startswith("/v1/sealed/") and path.endswith("/messages"):
            self._watcher.leaves_as_stored(await request.aread(), self._database)
        answer = await self._inner.handle_async_request(request)
        if how is not None:
            await answer.aread()
            await answer.aclose()
            raise self._fate.die() if how is How.AFTER else httpx.ReadError("the answer was lost")
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


class FatedLink:
    """A socket as fate has it. Every frame that leaves is asked for in the store first."""

    def __init__(self, link: Link, fate: Fate, watcher: Watcher, database: Path) -> None:
        self._link, self._fate = link, fate
        self._watcher, self._database = watcher, database
        fate.remains.append(self._closed)

    def send(self, data: bytes) -> None:
        how = self._fate.now(At.NETWORK, "send a frame")
        if how is How.BEFORE:
            raise self._fate.die()
        if how is How.LOST:
            self._link.close()
            raise LinkClosed(1006)
        self._watcher.leaves(data, self._database)
        self._link.send(data)
        if how is How.AFTER:
            raise self._fate.die()
        if how is How.UNANSWERED:
            self._link.close()
            raise LinkClosed(1006)

    async def receive(self) -> ServerFrame | Unknown:
        frame = await self._link.receive()
        how = self._fate.now(At.NETWORK, f"receive {type(frame).__name__}")
        if how in (How.BEFORE, How.AFTER):
            raise self._fate.die()
        if how is not None:
            self._link.close()
            raise LinkClosed(1006)
        return frame

    def waiting(self) -> bool:
        return self._link.waiting()

    def close(self) -> None:
        self._link.close()

    async def _closed(self) -> None:
        self._link.close()


def environment(fate: Fate, watcher: Watcher, directory: Path) -> Environment:
    """The world of a process whose account is in a directory."""

    async def fated_dial(url: str) -> Link:
        how = fate.now(At.NETWORK, "dial")
        if how is How.BEFORE:
            raise fate.die()
        if how is How.LOST:
            raise Offline("the server cannot be reached")
        link = FatedLink(await dial(url), fate, watcher, directory / DATABASE)
        if how is None:
            return link
        link.close()
        raise fate.die() if how is How.AFTER else Offline("the server cannot be reached")

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / SLEEPS_FASTER)

    return Environment(
        monotonic_s=lambda: TICKS_FASTER * time.monotonic(),
        sleep=sleep,
        dial=fated_dial,
        http=FatedNetwork(fate, watcher, directory / DATABASE),
    )


async def until_death(life: Awaitable[None], fate: Fate) -> None:
    """Live, to the end or to the fated death, and close what is left open.

    Raises what goes wrong in a life in which nothing struck.
    """

    async def live() -> None:
        try:
            await life
        except Exception:
            if not fate.struck:
                raise

    async with asyncio.TaskGroup() as tasks:
        living, dying = tasks.create_task(live()), tasks.create_task(fate.died.wait())
        await asyncio.wait((living, dying), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((living,), timeout=LETS_GO_S)
        living.cancel()
        dying.cancel()
    await fate.bury()
