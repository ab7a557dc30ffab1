"""Line: one device's way to the server, which can be cut, stalled or half open.

A TCP proxy on a port of its own, the same for the device's whole life. It knows nothing of what it
carries.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

CHUNK_BYTES: Final = 65_536


class Weather(StrEnum):
    """What a line does to what it carries."""

    FINE = "fine"
    CUT = "cut"
    """Connections are reset, and new ones too."""
    STALLED = "stalled"
    """Nothing passes; it passes later."""
    DEAF = "deaf"
    """What the server says is lost, and what it said last is never heard."""
    MUTE = "mute"
    """What the device says is lost."""


@dataclass(eq=False)
class Pair:
    """One connection through the line. `broken`: bytes of it were lost, it can never go on."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    broken: bool = False

    def reset(self) -> None:
        """End both halves this moment, without a goodbye."""
        for writer in (self.near, self.far):
            writer.transport.abort()


@dataclass
class Line:
    """A line to the server's port."""

    port: int
    url: str = ""
    weather: Weather = Weather.FINE
    _pairs: set[Pair] = field(default_factory=set)
    _fine: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Line]:
        """A line that stands until the `async with` ends."""
        line = cls(port)
        line._fine.set()
        line._idle.set()
        server = await asyncio.start_server(line._connected, "127.0.0.1", 0)
        line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield line
        finally:
            server.close()
            line.become(Weather.CUT)
            async with asyncio.timeout(5):
                await line._idle.wait()

    def become(self, weather: Weather) -> None:
        """Change the weather. Connections that lost something are reset when it is fine again."""
        self.weather = weather
        (self._fine.clear if weather is Weather.STALLED else self._fine.set)()
        for pair in list(self._pairs):
            if weather is Weather.CUT or (weather is Weather.FINE and pair.broken):
                pair.reset()

    async def _connected(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        await self._fine.wait()
        try:
            if self.weather is Weather.CUT:
                raise ConnectionError
            back, far = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            near.transport.abort()
            return
        pair = Pair(near, far)
        self._pairs.add(pair)
        self._idle.clear()
        try:
            await asyncio.gather(
                self._pump(reader, far, pair, Weather.MUTE),
                self._pump(back, near, pair, Weather.DEAF),
            )
        finally:
            self._pairs.discard(pair)
            if not self._pairs:
                self._idle.set()

    async def _pump(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, pair: Pair, losing: Weather
    ) -> None:
        try:
            while data := await source.read(CHUNK_BYTES):
                await self._fine.wait()
                if self.weather is losing:
                    pair.broken = True
                if not pair.broken:
                    to.write(data)
                    await to.drain()
        except OSError:
            pass
        finally:
            pair.reset()
