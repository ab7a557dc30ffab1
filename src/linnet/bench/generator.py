"""The load generator's process: connects all pairs, then measures a window when told.

Run as `python -m linnet.bench.generator JOB`. For each line of its input it measures one window
and answers with a `Window`; when the input ends it answers with `Pooled` and stops. It reads the
server's CPU itself, so that the window is the same moment for both.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvloop

from linnet.bench import cpu
from linnet.bench.job import Connected, LoadJob, Pooled, Window
from linnet.bench.pacer import Pacer
from linnet.bench.pair import Pair, Recipient, Sender, Tally
from linnet.bench.quantiles import spread_of
from linnet.bench.sockets import Client, connect
from linnet.bench.templates import PING, RANDOM_BYTES, MessageTemplate

PING_EVERY_S = 10
"""Each connection's heartbeat: a third of what a server waits."""
_PING_STEP_S = 0.1
_DRAIN_STEP_S = 0.02


class Generator:
    """All pairs of a job, and the windows measured with them."""

    def __init__(self, job: LoadJob) -> None:
        self._job = job
        self._tally = Tally()
        self._loop = asyncio.get_running_loop()
        self._pairs = [self._pair(number) for number in range(len(job.logins) // 2)]
        self._turn = 0

    async def connect(self) -> Connected:
        """Open all sockets, two a pair."""
        clients = [client for pair in self._pairs for client in (pair.a, pair.b)]
        return await connect_measured(self._job.url, self._job.server_pid, clients)

    async def window(self) -> Window:
        """Warm up, measure, drain."""
        job, tally = self._job, self._tally
        marks = len(tally.sent), len(tally.received), len(tally.delivered), len(tally.late)
        tally.messages, tally.errors = 0, {}
        pacer = self._start()
        await asyncio.sleep(job.warmup_s)
        before, own, began = cpu.read(job.server_pid), time.process_time_ns(), time.monotonic()
        tally.begins, tally.ends, tally.counting = began, float("inf"), True
        await asyncio.sleep(job.window_s)
        after, own_after, ended = cpu.read(job.server_pid), time.process_time_ns(), time.monotonic()
        tally.ends, tally.counting, tally.sending = ended, False, False
        if pacer is not None:
            pacer.stop()
        lost = await self._drain()
        tally.begins = float("inf")
        used = cpu.spent(before, after)
        return Window(
            seconds=ended - began,
            messages=tally.messages,
            server_user_us=used.user_us,
            server_sys_us=used.sys_us,
            generator_us=(own_after - own) / 1000,
            sent=spread_of(tally.sent[marks[0] :]),
            received=spread_of(tally.received[marks[1] :]),
            delivered=spread_of(tally.delivered[marks[2] :]),
            late=spread_of(tally.late[marks[3] :]),
            lost=lost,
            errors=dict(tally.errors),
        )

    def pooled(self) -> Pooled:
        """Latencies of all windows."""
        tally = self._tally
        return Pooled(spread_of(tally.sent), spread_of(tally.received), spread_of(tally.delivered))

    async def ping(self) -> None:
        """Heartbeats of all sockets, spread evenly, for ever."""
        clients = [client for pair in self._pairs for client in (pair.a, pair.b)]
        done = 0.0
        while True:
            await asyncio.sleep(_PING_STEP_S)
            until = done + len(clients) * _PING_STEP_S / PING_EVERY_S
            for number in range(int(done), int(until)):
                clients[number % len(clients)].write(PING)
            done = until

    def _pair(self, number: int) -> Pair:
        first, second = self._job.logins[2 * number : 2 * number + 2]
        a = Sender(first, self._loop.create_future())
        b = Recipient(second, self._loop.create_future())
        template = MessageTemplate(second.account, os.urandom(RANDOM_BYTES), number)
        return Pair(a, b, template, self._tally, self._job.in_flight or 0)

    def _start(self) -> Pacer | None:
        self._tally.sending = True
        if self._job.rate is not None:
            return Pacer(self._loop, self._job.rate, self._due)
        for pair in self._pairs:
            pair.begin()
        return None

    def _due(self, moment: float) -> None:
        """The next pair's turn in an open loop."""
        self._turn = (self._turn + 1) % len(self._pairs)
        self._pairs[self._turn].send_at(moment)

    async def _drain(self) -> int:
        """Wait until every cycle is complete, at most the job's time; how many were lost."""
        for _ in range(int(self._job.drain_s / _DRAIN_STEP_S)):
            if not any(pair.open() for pair in self._pairs):
                break
            await asyncio.sleep(_DRAIN_STEP_S)
        return sum(pair.settle() for pair in self._pairs)


async def connect_measured(url: str, server_pid: int, clients: Sequence[Client]) -> Connected:
    """Open all sockets; what that cost the server of this pid."""
    before, rss, began = cpu.read(server_pid), cpu.rss_bytes(server_pid), time.monotonic()
    errors = await connect(url, clients)
    used = cpu.spent(before, cpu.read(server_pid))
    return Connected(
        connections=len(clients) - sum(errors.values()),
        seconds=time.monotonic() - began,
        rss_bytes=cpu.rss_bytes(server_pid) - rss,
        user_us=used.user_us,
        sys_us=used.sys_us,
        errors=errors,
    )


@asynccontextmanager
async def orders() -> AsyncIterator[asyncio.StreamReader]:
    """Lines of this process's input."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        yield reader
    finally:
        transport.close()


def say(answer: msgspec.Struct) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    sys.stdout.flush()


async def run(job: LoadJob) -> None:
    """Connect, then obey."""
    generator = Generator(job)
    say(await generator.connect())
    gc.freeze()
    gc.disable()  # nothing on the message path makes cycles
    async with orders() as lines, asyncio.TaskGroup() as group:
        pinging = group.create_task(generator.ping())
        while (line := await lines.readline()).strip() == b"window":
            say(await generator.window())
        if line.strip() == b"pooled":
            say(generator.pooled())
        pinging.cancel()


def main() -> None:
    """Do the job in the file named on the command line."""
    job = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=LoadJob)
    uvloop.run(run(job))


if __name__ == "__main__":
    main()
