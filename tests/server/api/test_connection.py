"""The HTTP edge bounds what it reads before a request is whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from linnet.server.api import connection
from linnet.server.app import Server
from linnet.server.config import Config


async def _answer(server: Server, said: bytes, within_s: float = 5.0) -> bytes:
    """What the server answered until it hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(said)
        async with asyncio.timeout(within_s):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_headers_over_the_bound_end_the_connection(tmp_path: Path) -> None:
    async with Server(Config(data=tmp_path, port=0)) as server:
        said = b"GET /healthz HTTP/1.1\r\nx: " + b"y" * (2 * connection.HEAD_BYTES)
        answer = await _answer(server, said)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_a_request_that_is_never_whole_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_WITHIN_S", 0.2)
    async with Server(Config(data=tmp_path, port=0)) as server:
        head = b"POST /v1/registrations HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
        assert await _answer(server, head) == b""


async def test_one_connection_serves_one_request_after_another(tmp_path: Path) -> None:
    async with Server(Config(data=tmp_path, port=0)) as server:
        ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        assert (await _answer(server, ask + last)).count(b"HTTP/1.1 200") == 2


async def test_stopping_waits_for_no_unfinished_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linnet.server.app.HTTP_WITHIN_S", 1)
    async with Server(Config(data=tmp_path, port=0)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /v1/registrations HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        await writer.drain()
        async with asyncio.timeout(5):
            await server.__aexit__(None, None, None)
        writer.close()
