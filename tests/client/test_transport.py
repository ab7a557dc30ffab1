"""Transport: a real socket to a picows server that says what the test tells it to."""

import asyncio
import socket as sockets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_connect,
    ws_create_server,
)
from tests.client.script import until

from linnet.client import transport
from linnet.client.errors import LinkClosed, Offline
from linnet.client.transport import QUEUE_FRAMES, Socket, dial
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.errors import CLOSES, RemoteError
from linnet.wire.frames import Ping, Pong

CODEC = CODECS[MSGPACK]


@dataclass
class Peer(WSListener):
    """The server's end."""

    begin: Callable[[WSTransport], None]
    heard: list[bytes] = field(default_factory=list)
    gone: bool = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.begin(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self.heard.append(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.gone = True


@dataclass
class Place:
    """A server's address; what its next peer does is `begin`."""

    url: str = ""
    begin: Callable[[WSTransport], None] = lambda transport: None
    peers: list[Peer] = field(default_factory=list)
    paths: list[bytes] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()

    def accept(request: WSUpgradeRequest) -> WSListener:
        place.paths.append(request.path)
        place.offered.append(request.headers["Sec-WebSocket-Protocol"])
        place.peers.append(Peer(place.begin))
        return place.peers[-1]

    server = await ws_create_server(accept, "127.0.0.1", 0)
    place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield place
    server.close()
    await server.wait_closed()


async def received(link: Socket) -> object:
    async with asyncio.timeout(5):
        return await link.receive()


async def test_frames_go_both_ways_without_delay(place: Place) -> None:
    place.begin = lambda peer: peer.send(WSMsgType.BINARY, CODEC.encode(Pong(7, b"p")))
    link = await dial(place.url)
    assert await received(link) == Pong(7, b"p")
    link.send(CODEC.encode(Ping()))
    await until(lambda: place.peers[0].heard)
    assert CODEC.client_frame(place.peers[0].heard[0]) == Ping()
    assert (place.paths, place.offered) == ([b"/v1/connect"], [MSGPACK])
    assert link._transport is not None
    raw = link._transport.underlying_transport.get_extra_info("socket")
    assert raw.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY) != 0
    link.close()
    await until(lambda: place.peers[0].gone)


async def test_the_servers_close_code_is_told_after_the_frames_before_it(place: Place) -> None:
    def begin(peer: WSTransport) -> None:
        peer.send(WSMsgType.BINARY, CODEC.encode(Pong(7, b"p")))
        code = CLOSES["replaced"].code
        peer.send(WSMsgType.CLOSE, code.to_bytes(2, "big") + b"replaced")
        peer.disconnect()

    place.begin = begin
    link = await dial(place.url)
    assert await received(link) == Pong(7, b"p")
    with pytest.raises(LinkClosed) as closed:
        await received(link)
    assert closed.value.code == CLOSES["replaced"].code
    with pytest.raises(LinkClosed):
        link.send(b"")


async def test_a_server_that_says_goodbye_and_stays_is_left(place: Place) -> None:
    code = CLOSES["slow"].code.to_bytes(2, "big")
    place.begin = lambda peer: peer.send(WSMsgType.CLOSE, code + b"slow")
    link = await dial(place.url)
    with pytest.raises(LinkClosed):
        await received(link)
    link.close()
    await until(lambda: place.peers[0].gone)


async def test_a_line_that_just_breaks_is_1006(place: Place) -> None:
    place.begin = lambda peer: peer.disconnect(False)
    link = await dial(place.url)
    with pytest.raises(LinkClosed) as closed:
        await received(link)
    assert closed.value.code == transport.ABNORMAL


async def test_a_line_that_breaks_just_after_the_upgrade_is_1006(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*args: Any, **options: Any) -> tuple[WSTransport, None]:
        joined, listener = await ws_connect(*args, **options)
        joined.disconnect(False)
        await joined.wait_disconnected()
        assert isinstance(listener, Socket)
        return joined, None  # as picows answers when that happens before it returns

    monkeypatch.setattr(transport, "ws_connect", connect)
    link = await dial(place.url)
    with pytest.raises(LinkClosed) as closed:
        await received(link)
    assert closed.value.code == transport.ABNORMAL


async def test_nonsense_is_the_servers_fault(place: Place) -> None:
    place.begin = lambda peer: peer.send(WSMsgType.BINARY, b"\xff\xff")
    link = await dial(place.url)
    with pytest.raises(RemoteError):
        await received(link)
    link.close()


async def test_a_flood_is_read_no_faster_than_it_is_taken(place: Place) -> None:
    frame = CODEC.encode(Pong(7, b"p" * 16))
    total = QUEUE_FRAMES * 20

    def begin(peer: WSTransport) -> None:
        for _ in range(total):
            peer.send(WSMsgType.BINARY, frame)

    place.begin = begin
    link = await dial(place.url)
    await until(lambda: link._paused)
    # One read from the kernel may bring some more; after that nothing is taken.
    held = len(link._frames)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(link._frames) == held < total
    for _ in range(total):
        await received(link)
    link.close()


async def test_nobody_there_is_offline() -> None:
    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Offline):
        await dial(f"http://127.0.0.1:{port}")


async def test_a_server_of_another_kind_is_offline() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    with pytest.raises(Offline):
        await dial(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    await server.wait_closed()
