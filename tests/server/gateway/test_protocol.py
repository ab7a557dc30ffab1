"""The upgrade: who may have a socket, and what picows is told. Over real sockets."""

import asyncio
import socket

import pytest
from tests.server.gateway.desk import hear, opened, until
from tests.server.gateway.line import Line, Refused
from tests.server.services.delivery.records import ALICE, BOB, fresh_id, send

from linnet.server.config import Gateway
from linnet.wire.codec import JSON, MSGPACK
from linnet.wire.frames import Deliver, Hello, Sent, Welcome


@pytest.mark.parametrize(
    ("path", "offers", "status"),
    [
        ("/v1/other", MSGPACK, 404),
        ("/", MSGPACK, 404),
        ("/v1/connect", None, 400),
        ("/v1/connect", "linnet.v9.msgpack", 400),
    ],
)
async def test_what_is_not_the_protocol_gets_no_socket(
    path: str, offers: str | None, status: int
) -> None:
    async with opened() as desk:
        with pytest.raises(Refused) as refused:
            await Line.open(desk.port, path=path, offers=offers)
        assert refused.value.status == status
        assert desk.gateway.sockets == 0


async def test_a_query_does_not_matter() -> None:
    async with opened() as desk:
        line = await Line.open(desk.port, path="/v1/connect?x=1")
        line.end()


async def test_the_server_prefers_msgpack_and_speaks_json_too() -> None:
    async with opened() as desk:
        assert (await desk.line(offers=f"{JSON}, {MSGPACK}")).codec.name == MSGPACK
        line = await desk.line(offers=JSON)
        line.say(Hello(desk.token(ALICE), 1))
        await hear(line, Welcome)


async def test_json_and_msgpack_hear_the_same() -> None:
    async with opened() as desk:
        line = await desk.line(offers=JSON)
        line.say(Hello(desk.token(BOB), 1))
        await hear(line, Welcome)
        alice = await desk.join(ALICE)
        alice.say(send(fresh_id(1)))
        assert isinstance(await alice.hear(), Sent)
        told = await line.hear()
        assert isinstance(told, Deliver)
        assert told.ciphertext == b"for 1"


async def test_one_address_has_so_many_sockets_and_a_place_is_free_when_one_leaves() -> None:
    async with opened(Gateway(address_sockets=2, drain_within_s=0)) as desk:
        first = await desk.line()
        await desk.line()
        with pytest.raises(Refused) as refused:
            await desk.line()
        assert refused.value.status == 429
        first.end()
        await until(lambda: desk.gateway.sockets == 1)
        await desk.join()


async def test_a_refused_or_broken_upgrade_takes_no_place() -> None:
    async with opened(Gateway(address_sockets=2, drain_within_s=0)) as desk:
        for _ in range(4):
            with pytest.raises(Refused):
                await Line.open(desk.port, path="/elsewhere")
        for nonsense in (b"\x00" * 100, b"GET /v1/connect HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
            writer.write(nonsense)
            writer.write_eof()
            async with asyncio.timeout(10):
                await reader.read()
            writer.close()
        await desk.line()
        await desk.line()
        assert desk.gateway.sockets == 2


async def test_both_ends_send_without_delay() -> None:
    async with opened() as desk:
        await desk.join()
        transport = desk.connection()._transport
        assert transport is not None
        raw = transport.underlying_transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
