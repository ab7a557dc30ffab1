"""Requests without a token: each over a connection of its own, and no cookie kept."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import pytest

from linnet.client.errors import Refused
from linnet.client.rest import Api
from linnet.client.sealed.api import SealedApi
from linnet.wire import rest

KEY, BOB = b"delivery key 16b", b"bob" * 5 + b"!"
ANSWER = b'{"server_timestamp": 7}'
REFUSAL = msgspec.json.encode(
    rest.Problem(type="", title="", status=401, detail="", code="unauthorized", retryable=False)
)


@dataclass
class Door:
    """A server that counts connections and offers a cookie with every answer."""

    url: str = ""
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    status: bytes = b"200 OK"
    body: bytes = ANSWER

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            self.heads.append(head.lower())
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length: "):
                    await reader.readexactly(int(line[16:]))
            length = b"Content-Length: %d\r\n" % len(self.body)
            cookie = b"Set-Cookie: who=alice; Path=/\r\n"
            writer.write(
                b"HTTP/1.1 " + self.status + b"\r\n" + length + cookie + b"\r\n" + self.body
            )
        writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    door.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield door


async def test_every_sealed_request_has_a_connection_of_its_own(door: Door) -> None:
    api = SealedApi(door.url)
    for _ in range(3):
        assert await api.send(KEY, BOB, b"{}") == 7
    await api.close()
    assert door.connections == 3
    assert not any(b"cookie: who" in head or b"authorization" in head for head in door.heads)
    assert all(b"linnet-delivery-key: " in head for head in door.heads)


async def test_with_a_token_connections_are_kept_and_cookies_are_not(door: Door) -> None:
    door.body = b'{"one_time": 1, "kem": 1}'
    api = Api(door.url)
    for _ in range(3):
        await api.key_count("token")
    await api.close()
    assert door.connections == 1
    assert not any(b"cookie: who" in head for head in door.heads)


async def test_a_wrong_key_is_a_refusal_with_its_code(door: Door) -> None:
    door.status, door.body = b"401 Unauthorized", REFUSAL
    api = SealedApi(door.url)
    with pytest.raises(Refused, match="unauthorized"):
        await api.device_list(KEY, BOB)
    await api.close()
