"""A man in the middle: everything between one client and a real server passes through it.

It stands at the edges of the SDK's `Environment`: below HTTP, and at the socket. It knows what a
server knows, and no key of anybody. What it is not told to lie about it passes on as it is.
"""

import asyncio
import collections
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx
import msgspec
from tests.scenarios.waiting import eventually

from linnet.client.environment import Environment, wall_ms
from linnet.client.errors import LinkClosed, Offline
from linnet.client.transport import Socket, dial
from linnet.wire import rest
from linnet.wire.codec import CODECS, MSGPACK, Unknown
from linnet.wire.errors import ERRORS
from linnet.wire.frames import ClientFrame, Deliver, Frame, Send, ServerFrame

CODEC: Final = CODECS[MSGPACK]
PACE: Final = 0.02
"""The client's own pauses pass so much faster here."""
NOWHERE: Final = "http://linnet.test"
"""The address that clients know; where the server really is, the middle knows."""

S = TypeVar("S", bound=msgspec.Struct)
Told = ServerFrame | Unknown | bytes
"""What is said to a client: a frame, or bytes as they are."""
Forward = Callable[[httpx.Request], Awaitable[httpx.Response]]
Answer = Callable[[httpx.Request, Forward], Awaitable[httpx.Response]]


@dataclass
class Middle:
    """Between one device and the server at `url`. `tasks` own what it runs."""

    url: str
    tasks: asyncio.TaskGroup
    down: Callable[[ServerFrame | Unknown], Sequence[Told]] = lambda frame: [frame]
    """What the client is told in place of a frame of the server."""
    up: Callable[[ClientFrame | Unknown], Sequence[ClientFrame]] = lambda frame: [frame]  # type: ignore[list-item]
    """What the server is told in place of a frame of the client."""
    shift_ms: int = 0
    """How far the client's clocks have been moved."""
    dials: int = 0
    reachable: bool = True
    heard: list[ServerFrame | Unknown] = field(default_factory=list)
    """All that the server said on the socket."""
    said: list[ClientFrame | Unknown] = field(default_factory=list)
    """All that the client said on the socket."""
    asked: list[str] = field(default_factory=list)
    """All HTTP requests of the client: method and path."""
    _answers: list[tuple[str, str, Answer]] = field(default_factory=list)
    _links: list["MiddleLink"] = field(default_factory=list)

    def environment(self) -> Environment:
        """The world of the client behind it."""
        return Environment(
            now_ms=lambda: wall_ms() + self.shift_ms,
            monotonic_s=lambda: time.monotonic() + self.shift_ms / 1000,
            sleep=lambda seconds: asyncio.sleep(seconds * PACE),
            dial=self._dial,
            http=_Http(self),
        )

    # ---- lies over HTTP

    def answer(self, method: str, path: str, answer: Answer) -> None:
        """Answer requests whose path contains this pattern; the last one told counts."""
        self._answers.insert(0, (method, path, answer))

    def swap(self, method: str, path: str, kind: type[S], lie: Callable[[S], Any]) -> None:
        """Answer with something else than a successful answer of the server: what `lie` makes of
        it, a body or bytes as they are."""

        async def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
            honest = await forward(request)
            if not honest.is_success:
                return honest
            said = lie(msgspec.json.decode(honest.content, type=kind))
            return reply(200, said)

        self.answer(method, path, answer)

    # ---- lies on the socket

    def say(self, *frames: Told) -> None:
        """Tell the client something now."""
        self._links[-1].tell(frames)

    def say_to_server(self, frame: ClientFrame) -> None:
        """Tell the server something in the client's name."""
        self._links[-1].pass_on(frame)

    def cut(self) -> None:
        """Break the line; the client dials again."""
        for link in self._links:
            link.close()

    def honest(self) -> None:
        """Lie no more."""
        self.down = lambda frame: [frame]
        self.up = lambda frame: [frame]  # type: ignore[list-item]
        self._answers.clear()
        self.reachable = True

    async def carried(self, id: bytes) -> None:
        """Wait until the message with this id came by; what the client is told of it, it has."""

        async def came_by() -> bool:
            return any(frame.id == id for frame in self.rows(Deliver))

        await eventually(came_by)

    async def offered(self, id: bytes, times: int) -> None:
        """Wait until the client has offered a message so often."""

        async def often() -> bool:
            return sum(isinstance(f, Send) and f.id == id for f in self.said) >= times

        await eventually(often)

    async def asked_more(self, than: int) -> None:
        """Wait until the client has made more HTTP requests than so many."""

        async def more() -> bool:
            return len(self.asked) > than

        await eventually(more)

    def after(self, frame: Deliver) -> Deliver:
        """A row that the server never had, as if it followed all that it said."""
        last = max((row.position for row in self.heard if hasattr(row, "position")), default=0)
        return changed(frame, position=last + 1, prev=last)

    def rows(self, kind: type[S]) -> list[S]:
        """The frames of a kind that the server said."""
        return [frame for frame in self.heard if isinstance(frame, kind)]

    async def _dial(self, url: str) -> "MiddleLink":
        self.dials += 1
        if not self.reachable:
            raise Offline("the server cannot be reached")
        link = MiddleLink(self, await dial(self.url))
        self._links.append(link)
        self.tasks.create_task(link.pump())
        return link


class MiddleLink:
    """A socket through the middle; a `Link`."""

    def __init__(self, middle: Middle, inner: Socket) -> None:
        self._middle = middle
        self._inner = inner
        self._ready: collections.deque[bytes] = collections.deque()
        self._news = asyncio.Event()
        self._over: LinkClosed | None = None

    def send(self, data: bytes) -> None:
        frame = CODEC.client_frame(data)
        self._middle.said.append(frame)
        for passed in self._middle.up(frame):
            self._inner.send(CODEC.encode(passed))

    async def receive(self) -> ServerFrame | Unknown:
        while not self._ready:
            if self._over is not None:
                raise self._over
            self._news.clear()
            await self._news.wait()
        return CODEC.server_frame(self._ready.popleft())

    def waiting(self) -> bool:
        return bool(self._ready)

    def close(self) -> None:
        self._inner.close()
        self._end(LinkClosed(1006))

    def tell(self, frames: Sequence[Told]) -> None:
        self._ready.extend(
            CODEC.encode(frame) if isinstance(frame, Frame) else bytes(frame)
            for frame in frames
            if not isinstance(frame, Unknown)
        )
        self._news.set()

    def pass_on(self, frame: ClientFrame) -> None:
        self._inner.send(CODEC.encode(frame))

    async def pump(self) -> None:
        """Carry what the server says, until it says no more."""
        while True:
            try:
                frame = await self._inner.receive()
            except LinkClosed as closed:
                self._end(closed)
                return
            self._middle.heard.append(frame)
            self.tell(self._middle.down(frame))

    def _end(self, closed: LinkClosed) -> None:
        self._over = self._over or closed
        self._news.set()


class _Http(httpx.AsyncBaseTransport):
    """HTTP through the middle."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._middle.asked.append(f"{request.method} {request.url.path}")
        await request.aread()
        for method, path, answer in self._middle._answers:
            if request.method == method and re.search(path, request.url.path):
                return await answer(request, self._forward)
        return await self._forward(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _forward(self, request: httpx.Request) -> httpx.Response:
        if not self._middle.reachable:
            raise httpx.ConnectError("the server cannot be reached")
        to = httpx.URL(self._middle.url)
        url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)
        passed = httpx.Request(
            request.method, url, headers=request.headers, content=request.content
        )
        answer = await self._inner.handle_async_request(passed)
        await answer.aread()
        return answer


def reply(status: int, said: object) -> httpx.Response:
    """An HTTP answer: a body of the protocol, or bytes as they are."""
    body = said if isinstance(said, bytes) else msgspec.json.encode(said)
    return httpx.Response(status, content=body, headers={"Content-Type": "application/json"})


def always(status: int, said: object) -> Answer:
    """The same answer to everything, without asking the server."""

    async def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
        return reply(status, said)

    return answer


def refusal(code: str) -> Answer:
    """The refusal with this code of the protocol, to everything."""
    error = ERRORS[code]
    problem = rest.Problem(
        type=code,
        title=error.text,
        status=error.status,
        detail=error.text,
        code=code,
        retryable=error.retryable,
    )
    return always(error.status, problem)


def changed(value: S, **changes: object) -> S:
    """A frame or body with some fields replaced."""
    return msgspec.structs.replace(value, **changes)


def flipped(data: bytes, place: int = 0) -> bytes:
    """The same bytes but for one bit."""
    place %= len(data)
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
