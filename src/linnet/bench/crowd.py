"""The crowd's process: every member of a group connected; the first sends, the others listen.

Run as `python -m linnet.bench.crowd JOB`. It answers with `Connected`; for each line `silent` or
`acking` of its input it measures one round and answers with a `Round`. In a silent round nobody
acknowledges anything until it is over.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from linnet.bench import cpu
from linnet.bench.generator import connect_measured, orders, say
from linnet.bench.job import FanoutJob, Login, Round
from linnet.bench.sockets import Client
from linnet.bench.templates import RANDOM_BYTES, MessageTemplate, ack
from linnet.wire.frames import Deliver, Rejected, Sent, ServerFrame

SETTLE_S = 0.3
"""After the last delivery or ack, before the server's CPU is read."""
_SPLICED = b"\xdc\x00\x11\xa7message\xcf"
"""How a `message` begins whose position is written wide; then position, a byte, prev."""
_POSITION = slice(12, 20)
_PREV = slice(21, 29)


class Crowd:
    """One round at a time: what it waits for, and what happened."""

    def __init__(self, job: FanoutJob) -> None:
        self.acking = False
        self.broken = 0
        self.errors: Counter[str] = Counter()
        self.waits_for = 0
        """Deliveries and answers that are still to come."""
        self.over = asyncio.Event()
        self._job = job
        loop = asyncio.get_running_loop()
        self._speaker = Speaker(job.logins[0], loop.create_future())
        self._speaker.begin(self, job)
        self._members = [Member(login, loop.create_future()) for login in job.logins[1:]]
        for member in self._members:
            member.crowd = self

    async def run(self) -> None:
        """Connect, then obey."""
        job, everybody = self._job, [self._speaker, *self._members]
        say(await connect_measured(job.url, job.server_pid, everybody))
        gc.freeze()
        gc.disable()
        async with orders() as lines:
            while (line := (await lines.readline()).strip()) in (b"silent", b"acking"):
                say(await self._round(line == b"acking"))

    def arrived(self) -> None:
        """Something that was waited for."""
        self.waits_for -= 1
        if self.waits_for == 0:
            self.over.set()

    async def _round(self, acking: bool) -> Round:
        job, deliveries = self._job, self._job.messages * len(self._members)
        self.acking, self.broken, self.errors = acking, 0, Counter()
        self.waits_for = deliveries + job.messages
        self.over.clear()
        before, began = cpu.read(job.server_pid), time.monotonic()
        self._speaker.speak(job.messages, job.in_flight)
        try:
            async with asyncio.timeout(job.within_s):
                await self.over.wait()
        except TimeoutError:
            self.errors["lost"] += self.waits_for
        seconds = time.monotonic() - began
        await asyncio.sleep(SETTLE_S)
        used = cpu.spent(before, cpu.read(job.server_pid))
        self._speaker.acknowledge()
        for member in self._members:
            member.acknowledge()
        await asyncio.sleep(SETTLE_S)
        return Round(seconds, deliveries, used.user_us, used.sys_us, self.broken, dict(self.errors))


class Member(Client):
    """Listens. Looks at positions without decoding, because there are many."""

    __slots__ = ("crowd", "position")

    crowd: Crowd

    def __init__(self, login: Login, welcome: asyncio.Future[None]) -> None:
        super().__init__(login, welcome)
        self.position = bytes(8)

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        data = frame.get_payload_as_bytes()
        if not data.startswith(_SPLICED):
            super().on_ws_frame(transport, frame)
            return
        self._delivered(data[_POSITION], data[_PREV])
        if self.crowd.acking and frame.last_in_buffer:
            self.acknowledge()

    def heard(self, said: ServerFrame | None, last: bool) -> None:
        if isinstance(said, Deliver):
            self._delivered(said.position.to_bytes(8, "big"), said.prev.to_bytes(8, "big"))
            if self.crowd.acking and last:
                self.acknowledge()
        else:
            super().heard(said, last)

    def acknowledge(self) -> None:
        """Everything so far."""
        self.write(ack(int.from_bytes(self.position, "big")))

    def closed(self) -> None:
        self.crowd.errors["closed"] += 1

    def _delivered(self, position: bytes, prev: bytes) -> None:
        if prev != self.position:
            self.crowd.broken += 1
        self.position = position
        self.crowd.arrived()


class Speaker(Client):
    """Sends the next message when one is answered."""

    __slots__ = ("_counter", "_left", "_template", "crowd", "position")

    crowd: Crowd

    def begin(self, crowd: Crowd, job: FanoutJob) -> None:
        """Before it connects."""
        self.crowd = crowd
        self.position = 0
        self._counter = self._left = 0
        self._template = MessageTemplate(job.group, os.urandom(RANDOM_BYTES), 0, group=True)

    def speak(self, messages: int, in_flight: int) -> None:
        """Begin a round."""
        self._left = messages
        for _ in range(min(in_flight, messages)):
            self._next()

    def acknowledge(self) -> None:
        """Everything so far."""
        self.write(ack(self.position))

    def heard(self, said: ServerFrame | None, last: bool) -> None:
        if isinstance(said, Sent):
            self.position = said.position
            self.crowd.arrived()
            if self._left:
                self._next()
        elif isinstance(said, Rejected):
            self.crowd.errors[said.code] += 1
        else:
            super().heard(said, last)

    def closed(self) -> None:
        self.crowd.errors["closed"] += 1

    def _next(self) -> None:
        self._left -= 1
        self._counter += 1
        _, frame = self._template.message(time.time_ns() // 1_000_000, self._counter)
        self.write(frame)


async def run(job: FanoutJob) -> None:
    """The whole job."""
    await Crowd(job).run()


def main() -> None:
    """Do the job in the file named on the command line."""
    job = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=FanoutJob)
    uvloop.run(run(job))


if __name__ == "__main__":
    main()
