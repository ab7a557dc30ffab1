"""A scripted world: a clock that moves when something sleeps, and links that are dialogues.

A `ScriptedLink` says what the test feeds it and records what the client says; nothing else.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.client.post_office import START_MS

from linnet.client.environment import Environment
from linnet.client.errors import LinkClosed, Offline
from linnet.wire.codec import CODECS, MSGPACK, Unknown
from linnet.wire.frames import ClientFrame, ServerFrame, Welcome
from linnet.wire.limits import SessionLimits

CODEC = CODECS[MSGPACK]
LONG_S = 1_000_000.0


class ScriptedLink:
    """One end of a dialogue; the test is the other."""

    def __init__(self) -> None:
        self.said: list[ClientFrame | Unknown] = []
        self.on_said: Callable[[ClientFrame | Unknown], None] = lambda frame: None
        self._frames: asyncio.Queue[ServerFrame | Unknown | LinkClosed] = asyncio.Queue(1000)
        self._over: LinkClosed | None = None

    def feed(self, *frames: ServerFrame | Unknown) -> None:
        for frame in frames:
            self._frames.put_nowait(frame)

    def end(self, code: int) -> None:
        self._frames.put_nowait(LinkClosed(code))

    def send(self, data: bytes) -> None:
        if self._over is not None:
            raise self._over
        frame = CODEC.client_frame(data)
        self.said.append(frame)
        self.on_said(frame)

    async def receive(self) -> ServerFrame | Unknown:
        frame = await self._frames.get()
        if isinstance(frame, LinkClosed):
            self._over = frame
            raise frame
        return frame

    def waiting(self) -> bool:
        return not self._frames.empty()

    def close(self) -> None:
        self._over = LinkClosed(1000)

    def heard(self, kind: type) -> list[ClientFrame | Unknown]:
        return [frame for frame in self.said if isinstance(frame, kind)]


@dataclass
class World:
    """Makes an Environment. Each dial takes the next of `links`; None is a server away."""

    links: list[ScriptedLink | None] = field(default_factory=list)
    now_ms: int = START_MS
    slept: list[float] = field(default_factory=list)
    sleeps_through: Callable[[float], bool] = lambda seconds: seconds < LONG_S

    def environment(self) -> Environment:
        dice = random.Random(5)
        return Environment(
            now_ms=lambda: self.now_ms,
            monotonic_s=lambda: self.now_ms / 1000,
            rng=dice.randbytes,
            sleep=self._sleep,
            dial=self._dial,
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.sleeps_through(seconds):
            await asyncio.Event().wait()
        self.now_ms += int(seconds * 1000)
        await asyncio.sleep(0)

    async def _dial(self, url: str) -> ScriptedLink:
        link = self.links.pop(0) if self.links else ScriptedLink()
        if link is None:
            raise Offline("the server cannot be reached")
        return link


def welcome(head: int = 0, proof: bytes = b"", now_ms: int = START_MS, ping_s: int = 5) -> Welcome:
    return Welcome(head, proof, now_ms, SessionLimits(ping_s=ping_s))


async def until(condition: Callable[[], object], turns: int = 2000) -> None:
    """Let tasks run until something holds; the store's thread gets its time too."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never happened")


def only(frames: Iterable[ClientFrame | Unknown]) -> ClientFrame | Unknown:
    [frame] = frames
    return frame
