"""An environment that notes what a client says to the server, with a token and without one.

As the server sees it: paths, headers and bodies of requests, and frames. Values of at least 12
bytes are names; shorter ones are numbers, kinds and the like.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from tests.server.test_linkage import SHORTEST, Seen

from linnet.client.environment import Environment, Link
from linnet.client.transport import dial
from linnet.wire.codec import Unknown
from linnet.wire.frames import ServerFrame


@dataclass
class Observed:
    """What was said, as values. `sealed` counts requests without a token that show a key."""

    known: Seen = field(default_factory=Seen)
    """Said by somebody who was logged in, or was about to be, over HTTP and in frames."""
    nobody: Seen = field(default_factory=Seen)
    """Said with a delivery key."""
    sealed: list[str] = field(default_factory=list)

    def world(self) -> Environment:
        return Environment(dial=self._dial, http=_Line(self))

    def frame(self, data: bytes) -> None:
        for value in _deep(msgspec.msgpack.decode(data)):
            self.known.values.update(_parts(value))

    async def _dial(self, url: str) -> Link:
        return _Heard(await dial(url), self)


class _Line(httpx.AsyncBaseTransport):
    """HTTP, noted."""

    def __init__(self, observed: Observed) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._observed = observed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        key = request.headers.get("linnet-delivery-key")
        token = request.headers.get("authorization")
        assert not (key and token)
        assert "cookie" not in request.headers
        seen = self._observed.nobody if key else self._observed.known
        if key:
            self._observed.sealed.append(f"{request.method} {request.url.path}")
        seen.note(request.url.path)
        seen.note(body)
        for header in (key, token):
            seen.note(header or "")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Heard:
    """A link; what is sent over it is noted."""

    def __init__(self, link: Link, observed: Observed) -> None:
        self._link, self._observed = link, observed

    def send(self, data: bytes) -> None:
        self._observed.frame(data)
        self._link.send(data)

    async def receive(self) -> ServerFrame | Unknown:
        return await self._link.receive()

    def waiting(self) -> bool:
        return self._link.waiting()

    def close(self) -> None:
        self._link.close()


def _deep(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, str):
        yield value.encode()
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _deep(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _deep(inner)


def _parts(value: bytes) -> set[bytes]:
    """A value, and the id in an address."""
    found = {value, value[1:]} if len(value) == 17 else {value}
    return {one for one in found if len(one) >= SHORTEST}
