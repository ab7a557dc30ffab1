"""Desk: a gateway with real sockets over a delivery service in memory, on a clock tests set.

No HTTP server and no tokens: the gateway's own protocol class listens, and a token says in words
whose it is. The bus can lose, repeat and delay what it carries.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.server.gateway.line import Closed, Line
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    CAROL,
    NOW_MS,
    device_set,
    fresh_id,
    mailbox_of,
    record,
)

from linnet.server.backends.memory.timeline import MemoryTimeline
from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.config import Gateway as GatewayConfig
from linnet.server.gateway.connection import Connection
from linnet.server.gateway.gateway import Gateway
from linnet.server.gateway.protocol import protocol_class
from linnet.server.ports.bus import Notices, Subscriber
from linnet.server.ports.timeline import Timeline
from linnet.server.services.clock import Clock
from linnet.server.services.delivery.inline import Inline
from linnet.server.services.tokens import Identity
from linnet.wire.codec import MSGPACK
from linnet.wire.errors import RequestRefused
from linnet.wire.frames import (
    Deliver,
    Frame,
    Hello,
    Ping,
    Pong,
    Send,
    ServerFrame,
    Welcome,
)
from linnet.wire.limits import SessionLimits

TOKEN_LIFE_S = 900


class FaultyBus:
    """Carries notices at once, unless told otherwise."""

    def __init__(self) -> None:
        self.loses = self.holds = False
        self.repeats = 1
        self.held: list[Notices] = []
        self._subscriber: Subscriber = lambda notices: None

    def publish(self, notices: Notices) -> None:
        if self.holds:
            self.held.append(notices)
        elif not self.loses:
            for _ in range(self.repeats):
                self._subscriber(notices)

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def release(self, *, backwards: bool = False) -> None:
        """Carry what was held, in order or the newest first."""
        held, self.held = self.held, []
        for notices in reversed(held) if backwards else held:
            self._subscriber(notices)


class Desk:
    """Alice, Bob and Carol have one device each, until told otherwise."""

    def __init__(
        self, timeline: Timeline, config: GatewayConfig, delivery_config: DeliveryConfig
    ) -> None:
        self.wall_s = self.monotonic_s = NOW_MS / 1000
        self.bus = FaultyBus()
        self.timeline = timeline
        clock = Clock(lambda: self.wall_s, lambda: self.monotonic_s)
        self.delivery = Inline(timeline, self.bus, delivery_config, clock)
        self.gateway = Gateway(
            config,
            delivery_config,
            self.delivery,
            timeline,
            self._verify,
            b"k" * 32,
            clock,
            random.Random(7),
        )
        self.closes: list[str | None] = []
        self.gateway.on_close = self.closes.append
        self.port = 0
        self._lines: list[Line] = []

    # ---- tokens that say whose they are

    def token(self, account: bytes = ALICE, device: int = 1) -> str:
        """An access token that lives for a quarter of an hour from now on."""
        return f"{account.hex()} {device} {int(self.wall_s) + TOKEN_LIFE_S}"

    def _verify(self, token: str) -> Identity:
        try:
            account, device, expires_s = token.split()
            identity = Identity(bytes.fromhex(account), int(device), int(expires_s) * 1000)
        except ValueError:
            raise RequestRefused("unauthorized") from None
        if self.wall_s * 1000 >= identity.expires_ms:
            raise RequestRefused("unauthorized")
        return identity

    # ---- time

    def tick(self, seconds: int) -> None:
        """So many seconds pass, for the wheel and for the clocks."""
        for _ in range(seconds):
            self.wall_s += 1
            self.monotonic_s += 1
            self.gateway.wheel.advance()

    # ---- sockets

    async def line(
        self, *, offers: str | None = MSGPACK, receives_bytes: int | None = None
    ) -> Line:
        """An upgraded socket that has said nothing."""
        line = await Line.open(self.port, offers=offers, receives_bytes=receives_bytes)
        self._lines.append(line)
        return line

    async def greet(
        self,
        account: bytes = ALICE,
        device: int = 1,
        resume: int = 0,
        proof: bytes = b"",
        proved: int = 0,
        receives_bytes: int | None = None,
    ) -> tuple[Line, ServerFrame | object]:
        """A socket that said hello, and what it was answered."""
        line = await self.line(receives_bytes=receives_bytes)
        line.say(Hello(self.token(account, device), device, resume, proof, proved))
        answer = await line.hear()
        if receives_bytes is not None:
            _narrow(self.connection(account, device), receives_bytes)
        return line, answer

    async def join(self, account: bytes = ALICE, device: int = 1, resume: int = 0) -> Line:
        """A socket that is live."""
        line, answer = await self.greet(account, device, resume)
        assert isinstance(answer, Welcome), answer
        return line

    def connection(self, account: bytes = ALICE, device: int = 1) -> Connection:
        """The server's end of a live socket."""
        found = self.gateway.registry.of_device(account, device)
        assert found is not None
        return found

    def end(self) -> None:
        """Cut every line."""
        for line in self._lines:
            line.end()

    # ---- messages

    async def set_devices(self, account: bytes, number: int, *devices: int) -> None:
        """The account's list changed."""
        await self.delivery.change_set(device_set(account, number, devices))

    async def put(self, frame: Send, sender: bytes = ALICE) -> None:
        """A message that comes from a socket nobody looks at; returns once it is committed."""
        self.submit(frame, sender)
        await self.set_devices(ALICE, 0, 1)

    def submit(self, frame: Send, sender: bytes = ALICE) -> None:
        """The same, on its way."""
        self.delivery.submit(record(frame, sender, 1, 0, 0), _NOBODY)

    async def positions(self, account: bytes) -> list[int]:
        """Of the rows in somebody's mailbox."""
        rows = await self.timeline.page(mailbox_of(account), 0, 1 << 30, 1 << 40)
        return [entry.position for entry in rows]


class _Nobody:
    def repeated(self, first: object) -> None:
        raise AssertionError("a new id")

    def rejected(self, id: bytes, code: str, sets: object, roster: int = 0) -> None:
        raise AssertionError(code)


_NOBODY = _Nobody()


@asynccontextmanager
async def opened(
    config: GatewayConfig | None = None,
    delivery: DeliveryConfig | None = None,
    timeline: Timeline | None = None,
) -> AsyncIterator[Desk]:
    """A desk that listens on a free port."""
    config = config or GatewayConfig(drain_within_s=0)
    desk = Desk(timeline or MemoryTimeline(), config, delivery or DeliveryConfig())
    async with asyncio.TaskGroup() as tasks:
        await desk.delivery.open()
        tasks.create_task(desk.delivery.run())
        tasks.create_task(desk.gateway.run(desk.bus))
        for account in (ALICE, BOB, CAROL):
            await desk.set_devices(account, 1, 1)
        factory = protocol_class(desk.gateway)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: factory(None, None, None), "127.0.0.1", 0)  # type: ignore[call-arg]
        desk.port = server.sockets[0].getsockname()[1]
        try:
            yield desk
        finally:
            server.close()
            desk.end()
            desk.gateway.stop()
            desk.delivery.stop()


def _narrow(connection: Connection, size: int) -> None:
    """Let the kernel hold little of what this end sends."""
    transport = connection._transport
    assert transport is not None
    raw = transport.underlying_transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def small(**session: int) -> GatewayConfig:
    """A gateway with other session limits."""
    return GatewayConfig(session=SessionLimits(**session), drain_within_s=0)


async def hear(line: Line, kind: type[Frame]) -> Frame:
    """The next frame, which is of this kind."""
    said = await line.hear()
    assert type(said) is kind, said
    return said


async def rows(line: Line, count: int) -> list[Deliver]:
    """The next frames, which are messages."""
    found = [await line.hear() for _ in range(count)]
    assert all(isinstance(it, Deliver) for it in found), found
    return [it for it in found if isinstance(it, Deliver)]


async def nothing_more(line: Line) -> int:
    """Asserts that nothing waits to be heard; the head that the server then names."""
    line.say(Ping())
    said = await line.hear()
    assert isinstance(said, Pong), said
    return said.head


async def until(holds: object, tries: int = 2000) -> None:
    """Let others run until `holds()` is true."""
    assert callable(holds)
    for _ in range(tries):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to hold")


def ids(count: int, start: int = 0) -> list[bytes]:
    """Fresh message ids."""
    return [fresh_id(number) for number in range(start, start + count)]


async def why(line: Line) -> str:
    """The name of the close that the server says next."""
    said: Closed = await line.closed()
    return said.why
