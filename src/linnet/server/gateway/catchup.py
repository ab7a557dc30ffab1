"""Catch-up: brings a socket from its cursor to the newest row, in pages from the store.

Pages obey the push rule too (docs/protocol/delivery.md): the first row whose `prev` was not
pushed ends the page; it is read again once; still so, rows have expired and the client resyncs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.gateway.connection import Connection
from linnet.server.gateway.runs import runs_of
from linnet.server.ports.timeline import Accepted, Entry, Timeline
from linnet.server.services.delivery.inline import Inline
from linnet.server.services.delivery.view import view
from linnet.server.services.delivery.work import Committed
from linnet.wire.frames import Own, Resync, Row
from linnet.wire.session import State

Spawn = Callable[[Connection, Coroutine[Any, Any, None]], bool]
"""Runs a socket's work in a task of the gateway; False if there are too many."""


class CatchUp:
    """Reads for sockets that are behind; at most one read a socket at a time."""

    def __init__(
        self, timeline: Timeline, delivery: Inline, config: DeliveryConfig, spawn: Spawn
    ) -> None:
        self._timeline = timeline
        self._delivery = delivery
        self._config = config
        self._spawn = spawn

    def start(self, connection: Connection) -> None:
        """Start reading pages for a socket that is behind, has room, and is not at it already.

        Not before its resume is folded: an ack of what comes after would be taken for an ack of
        that too, and if this server died then, nobody would be told of it any more.
        """
        if not connection.is_live() or connection.folding:
            return
        window = connection.window
        if connection.catching_up or connection.choked or not (window.behind and window.has_room()):
            return
        connection.catching_up = self._spawn(connection, self._run(connection))

    async def _run(self, connection: Connection) -> None:
        """Read and push pages until the socket follows notices again or its window is full."""
        window = connection.window
        try:
            while window.behind and window.has_room() and not connection.choked:
                window.noticed = False
                page = await self._page(connection)
                if connection.is_at(State.CLOSED):
                    return
                pushed_all = await self._push_page(connection, page)
                if pushed_all and not page and not window.noticed:
                    if connection.head > window.pushed:
                        # The mailbox had rows after the cursor, and all of them have expired.
                        self.resync(connection, connection.head)
                    window.behind = False
        finally:
            connection.catching_up = False

    async def _page(self, connection: Connection) -> Sequence[Entry]:
        config = self._config
        return await self._timeline.page(
            connection.mailbox, connection.window.pushed, config.page_rows, config.page_bytes
        )

    async def _push_page(self, connection: Connection, page: Sequence[Entry]) -> bool:
        """Push rows by the push rule while there is room; False if some are left."""
        window = connection.window
        if page and page[0].prev > window.pushed:
            page = await self._page(connection)
            if page and page[0].prev > window.pushed:
                self.resync(connection, page[0].prev)
        for entry in page:
            if entry.position <= window.pushed:
                continue
            if entry.prev > window.pushed or not window.has_room() or connection.choked:
                return False
            connection.push(entry)
        return True

    def resync(self, connection: Connection, start: int) -> None:
        """The client goes on from `start`: rows before it have expired, or the store went back."""
        expired = start > connection.window.pushed
        connection.window.jump(start)
        connection.window.behind = True
        connection.send(Resync(start))
        if expired:
            self._delivery.ack(Committed(connection.account, connection.device, start, {}, start))
        self.start(connection)

    async def fold(self, connection: Connection, since: int, until: int) -> None:
        """Resume is an ack: fold what was committed but acknowledged on no socket; then go on."""
        config = self._config
        while since < until:
            page = await self._timeline.page(
                connection.mailbox, since, config.page_rows, config.page_bytes
            )
            if not connection.is_live():
                return
            rows = [entry for entry in page if entry.position <= until]
            gap = rows[0].prev if rows and rows[0].prev > since else 0
            since = rows[-1].position if rows else until
            runs = runs_of(_others(rows, connection), connection.account, gap)
            self._delivery.ack(Committed(connection.account, connection.device, since, runs, gap))
        connection.folding = False
        self.start(connection)


def _others(rows: list[Entry], connection: Connection) -> list[tuple[int, Accepted, bool]]:
    """Rows that are not the device's own, as the window would have kept them."""
    others = []
    for entry in rows:
        frame = view(entry, connection.account, connection.device)
        if type(frame) is not Own:
            others.append((entry.position, entry.accepted, type(frame) is Row))
    return others
