"""Frames of one loop pass leave in one write; headers are as RFC 6455 wants them."""

import asyncio

import pytest

from linnet.server.gateway.outbound import BINARY, DIRTY_MOST, HEADERS, TEXT, Outbound, header


class Socket:
    """Counts its writes."""

    def __init__(self) -> None:
        self.writes = 0

    def flush(self) -> None:
        self.writes += 1


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_header_says_the_size_in_the_fewest_bytes(size: int, said: bytes) -> None:
    assert header(BINARY, size) == said


def test_headers_made_ahead_are_the_same() -> None:
    for opcode in (TEXT, BINARY):
        assert list(HEADERS[opcode]) == [header(opcode, size) for size in range(1024)]


async def test_a_socket_is_written_at_the_end_of_the_loop_pass() -> None:
    outbound, socket = Outbound(asyncio.get_running_loop()), Socket()
    outbound.add(socket)
    assert socket.writes == 0
    await asyncio.sleep(0)
    assert socket.writes == 1
    await asyncio.sleep(0)
    assert socket.writes == 1


async def test_many_dirty_sockets_are_written_at_once() -> None:
    outbound = Outbound(asyncio.get_running_loop())
    sockets = [Socket() for _ in range(DIRTY_MOST)]
    for socket in sockets:
        outbound.add(socket)
    assert [socket.writes for socket in sockets] == [1] * DIRTY_MOST


async def test_flushing_writes_what_waits_and_only_once() -> None:
    outbound, socket = Outbound(asyncio.get_running_loop()), Socket()
    outbound.add(socket)
    outbound.flush()
    await asyncio.sleep(0)
    assert socket.writes == 1
