"""Gateway: joins sockets with delivery. Authenticates, catches up, keeps time, drains.

Owns every task of the edge. A socket that follows along costs no task: only saying hello and
catching up read the store.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.config import Gateway as GatewayConfig
from linnet.server.gateway.catchup import CatchUp
from linnet.server.gateway.connection import Connection
from linnet.server.gateway.news import News
from linnet.server.gateway.outbound import Outbound
from linnet.server.gateway.outlet import Outlet
from linnet.server.gateway.registry import Registry
from linnet.server.gateway.ticks import statuses
from linnet.server.gateway.wheel import Wheel
from linnet.server.gateway.window import Window
from linnet.server.ports import Unavailable
from linnet.server.ports.bus import Bus, Delivered
from linnet.server.ports.timeline import Accepted, Timeline
from linnet.server.services.clock import Clock
from linnet.server.services.delivery.inline import Arrival, Inline
from linnet.server.services.tokens import Identity
from linnet.wire.errors import RequestRefused
from linnet.wire.frames import Drain, Hello, Interval, Pong, Status, Welcome
from linnet.wire.limits import HELLO_WITHIN_S, STATUS_CONVERSATIONS, TOKEN_GRACE_S
from linnet.wire.session import DEADLINES, State

_log = logging.getLogger("linnet.gateway")

TASKS_MOST = 4096
"""Sockets saying hello or catching up at once; one more is closed as `overloaded`."""
SAMPLE_EVERY = 64
"""Acks between two looks at the clock for the latency metric."""
LOOKS_S = (5, 14)
"""The least and the most time between two looks at a socket."""
LINGERS_S = 5
"""How long a peer that does not read is given to hear why its socket closed."""
CHOKED_MOST = 4
"""Windows of unsent bytes at which a socket that does not read is closed as `slow`."""


class Gateway:
    """All sockets of this process. `run` owns the tasks; `verify` raises RequestRefused."""

    def __init__(
        self,
        config: GatewayConfig,
        delivery_config: DeliveryConfig,
        delivery: Inline,
        timeline: Timeline,
        verify: Callable[[str], Identity],
        head_key: bytes,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.config = config
        self.delivery = delivery
        self.verify = verify
        self.registry = Registry()
        self.wheel = Wheel()
        self.outbound: Outbound
        self._news: News
        self.on_open: Callable[[], None] = lambda: None
        self.on_close: Callable[[str | None], None] = lambda name: None
        """Called with the row of CLOSES when this side closes a socket, for metrics."""
        self.on_refused: Callable[[str], None] = lambda code: None
        """Called with the row of ERRORS when a message is refused, for metrics."""
        self.on_latency_ms: Callable[[int], None] = lambda ms: None
        """Called with the age of a message when it is acknowledged, once in SAMPLE_EVERY."""
        self._catch_up = CatchUp(timeline, delivery, delivery_config, self._spawn)
        self._head_key = head_key
        self._clock = clock
        self._rng = rng
        self._tasks: asyncio.TaskGroup | None = None
        self._running = 0
        self._unsampled = 0
        self._all: set[Connection] = set()
        self._draining = False
        self._stopped = asyncio.Event()
        self._empty = asyncio.Event()

    # ---- life

    async def run(self, bus: Bus) -> None:
        """Serve until `stop`."""
        self.outbound = Outbound(asyncio.get_running_loop())
        self._news = News(self.registry, self.outbound)
        bus.subscribe(self._news.hear)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while not self._stopped.is_set():
                try:
                    async with asyncio.timeout(1.0):
                        await self._stopped.wait()
                except TimeoutError:
                    self.wheel.advance()
            self._tasks = None
        self._news.close()

    async def drain(self) -> None:
        """Ask every client to move on, spread over `drain_within_s`; returns when they have, or
        when the time is over and the rest were closed."""
        self._draining = True
        within = self.config.drain_within_s
        for connection in list(self._all):
            if connection.session.state is State.LIVE:
                connection.session.send(Drain)
                connection.send(Drain(within))
            else:
                connection.close("draining")
        if self._all:
            with suppress(TimeoutError):
                async with asyncio.timeout(within + 1):
                    await self._empty.wait()
        for connection in list(self._all):
            connection.close("draining")

    def stop(self) -> None:
        """Close what is left and let `run` end."""
        for connection in list(self._all):
            connection.close("draining")
        self._stopped.set()

    def _spawn(self, connection: Connection, work: Coroutine[Any, Any, None]) -> bool:
        if self._tasks is None or self._running >= TASKS_MOST:
            work.close()
            connection.close("overloaded")
            return False
        self._running += 1
        self._tasks.create_task(self._guard(connection, work))
        return True

    async def _guard(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        """One socket's trouble is that socket's alone."""
        try:
            await work
        except Unavailable:
            connection.close("unavailable")
        except Exception:
            _log.exception("a socket's task failed")
            connection.close("internal")
        finally:
            self._running -= 1

    # ---- sockets

    def admits(self, address: str) -> bool:
        """Count a new socket of this address; False if it may not have another."""
        return not self._draining and self.registry.arrive(address, self.config.address_sockets)

    def connected(self, connection: Connection) -> None:
        """The upgrade is done; hello must follow."""
        self._all.add(connection)
        self.on_open()
        self.wheel.add(connection, self.wheel.tick + HELLO_WITHIN_S + 1)

    def disconnected(self, connection: Connection) -> None:
        """The socket is gone."""
        self._all.discard(connection)
        self.registry.leave(connection.address)
        self.registry.remove(connection)
        if self._draining and not self._all:
            self._empty.set()

    @property
    def sockets(self) -> int:
        """Sockets open now, those that have not said hello included."""
        return len(self._all)

    def closed(self, name: str | None) -> None:
        """This side closed a socket."""
        self.on_close(name)

    def hello(self, connection: Connection, said: Hello) -> None:
        """Authenticate at once, then look up the mailbox in a task."""
        try:
            identity = self.verify(said.token)
        except RequestRefused:
            connection.close("unauthorized")
            return
        if identity.device != said.device:
            connection.close("unauthorized")
            return
        connection.account, connection.device = identity.account, identity.device
        connection.expires_ms = identity.expires_ms
        self._spawn(connection, self._welcome(connection, said))

    async def _welcome(self, connection: Connection, said: Hello) -> None:
        held = self.registry.of_account(connection.account)
        again = any(older.device == connection.device for older in held)
        if len(held) - again >= self.config.account_sockets:
            connection.close("too_many")
            return
        settled = self.delivery.settled
        where = await self.delivery.arrival(connection.account, connection.device)
        if where is None or not connection.is_at(State.GREETED):
            connection.close("unauthorized")
            return
        session = self.config.session
        connection.mailbox = where.mailbox
        connection.window = Window(said.resume, session.window_frames, session.window_bytes)
        older = self.registry.add(connection)
        if older is not None:
            older.close("replaced")
        if self.delivery.settled != settled:
            # Committed before it was registered, perhaps after it was read: read again.
            where = await self.delivery.arrival(connection.account, connection.device) or where
        await self._begin(connection, said, where)

    async def _begin(self, connection: Connection, said: Hello, where: Arrival) -> None:
        """Welcome a registered socket and see where it must go on from."""
        head, acked = max(where.head, connection.head), where.cursor.acked
        proved = said.proved if self._proves(connection, said) else 0
        if said.resume > max(head, proved):
            connection.close("bad_resume")
        elif proved > head:
            await self.delivery.raise_epoch(proved)
        if not connection.is_at(State.GREETED):
            return
        connection.folding = proved <= head and acked < said.resume
        self._go_live(connection, max(head, connection.head), where.set)
        if proved > head:
            # The store went back, and rows may have been numbered below the cursor since: the
            # device starts from its last ack that this store knows, and drops what it has.
            self._catch_up.resync(connection, acked)
        elif connection.folding:
            self._spawn(connection, self._catch_up.fold(connection, acked, said.resume))

    def _go_live(self, connection: Connection, head: int, set: int) -> None:
        """Say welcome, and follow notices at once if there is nothing to catch up with."""
        connection.head = head
        connection.session.send(Welcome)
        proof = self._proof(connection.mailbox, head)
        now_ms = self._clock.steady_ms()
        connection.send(Welcome(head, proof, now_ms, self.config.session, set))
        connection.window.behind = connection.folding or head > connection.window.pushed
        self.catch_up_if_behind(connection)

    def acknowledged(self, accepted: Accepted) -> None:
        """A device acknowledged this message: sample how long that took."""
        self._unsampled += 1
        if self._unsampled >= SAMPLE_EVERY:
            self._unsampled = 0
            self.on_latency_ms(max(0, self._clock.steady_ms() - accepted.server_timestamp))

    # ---- the proof of a head: docs/protocol/session.md

    def _proof(self, mailbox: bytes, head: int) -> bytes:
        digest = hmac.digest(self._head_key, mailbox + head.to_bytes(8, "big"), hashlib.sha256)
        return digest[:16]

    def _proves(self, connection: Connection, said: Hello) -> bool:
        """Whether this server once told the device that its mailbox reached `proved`."""
        if not said.proof:
            return False
        return hmac.compare_digest(self._proof(connection.mailbox, said.proved), said.proof)

    def pong(self, connection: Connection) -> Pong:
        """The head as known here, with its proof."""
        return Pong(connection.head, self._proof(connection.mailbox, connection.head))

    # ---- pushing

    def catch_up_if_behind(self, connection: Connection) -> None:
        """Start reading pages for a socket that is behind, has room, and is not at it already."""
        self._catch_up.start(connection)

    def status(self, connection: Connection, conversations: list[bytes]) -> None:
        """Answer `status?`, one after another on a socket; its rate bounds how many wait."""
        connection.asked += tuple(conversations)
        if not connection.asking:
            connection.asking = self._spawn(connection, self._status(connection))

    async def _status(self, connection: Connection) -> None:
        try:
            while connection.asked and connection.is_live():
                some = connection.asked[:STATUS_CONVERSATIONS]
                connection.asked = connection.asked[STATUS_CONVERSATIONS:]
                told = await self.delivery.watermarks(some, connection.account)
                if connection.is_live():
                    self._say_status(connection, told)
        finally:
            connection.asking = False

    def _say_status(self, connection: Connection, told: list[Delivered]) -> None:
        groups: dict[bytes, list[tuple[bytes, tuple[Interval, ...]]]] = {}
        for it in told:
            if it.group:
                groups.setdefault(it.conversation, []).append((it.account, it.intervals))
            else:
                connection.send(Status(it.conversation, it.account, list(it.intervals)))
        for conversation, members in groups.items():
            for frame in statuses(conversation, members):
                connection.send(frame)

    # ---- time and limits

    def look(self, connection: Connection, tick: int) -> int | None:
        """The wheel's look at a socket: close it if it is over, else when to look again."""
        state = connection.session.state
        config = self.config
        if state is State.CLOSED:
            connection.abort()
            return None
        if state in (State.NEW, State.GREETED):
            within_s, name = DEADLINES[state]
            if tick - connection.joined_tick > within_s:
                connection.close(name)
                return tick + LINGERS_S
            return tick + 1
        if tick - connection.seen_tick > config.session.offline_after_s:
            connection.close("silent")
            return tick + LINGERS_S
        if self._clock.steady_ms() > connection.expires_ms + TOKEN_GRACE_S * 1000:
            connection.close("token_expired")
            return tick + LINGERS_S
        window = connection.window
        if window.is_clear():
            # What is pushed before the next look counts from there.
            connection.progress_tick = tick + LOOKS_S[1]
        elif tick - connection.progress_tick > config.slow_after_s and (
            window.behind or connection.choked
        ):
            connection.close("slow")
            return tick + LINGERS_S
        self.catch_up_if_behind(connection)
        if tick - connection.joined_tick >= config.reread_s:
            connection.joined_tick = tick
            self._spawn(connection, self._reread(connection))
        return tick + self._rng.randint(*LOOKS_S)

    async def _reread(self, connection: Connection) -> None:
        """A notice may have been lost: compare with the store."""
        where = await self.delivery.arrival(connection.account, connection.device)
        head = where.head if where is not None else 0
        if connection.is_at(State.CLOSED):
            return
        connection.head = max(head, connection.head)
        if head > connection.window.pushed and not connection.window.behind:
            connection.window.behind = True
            self.catch_up_if_behind(connection)

    def earned(self, connection: Connection) -> int:
        """Frames a socket may send since its bucket was last filled."""
        rate = self.config.frames
        ticks = self.wheel.tick - connection.tokens_tick
        earned = int(ticks / rate.every_s)
        if earned:
            connection.tokens_tick = self.wheel.tick
        return min(rate.burst - connection.tokens, earned)

    def check_choked(self, connection: Outlet) -> None:
        """A socket that takes nothing while much is sent to it is closed."""
        if connection.unsent() > CHOKED_MOST * self.config.session.window_bytes:
            connection.close("slow")

    def revoke(self, account: bytes, device: int) -> None:
        """The device was logged out or revoked: its socket ends now, even one that has said
        hello and is not registered yet."""
        for connection in list(self._all):
            if connection.account == account and connection.device == device:
                connection.close("revoked")
