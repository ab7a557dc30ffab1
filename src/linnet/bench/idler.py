"""The idle generator's process: opens connections, lets them be, asks whether they live.

Run as `python -m linnet.bench.idler JOB`. It answers with `Connected`, then with `Held`, and
stops. Nothing is said on the sockets between `welcome` and the last question.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from linnet.bench import cpu
from linnet.bench.generator import connect_measured, say
from linnet.bench.job import Connected, Held, IdleJob
from linnet.bench.sockets import Client
from linnet.bench.templates import PING
from linnet.wire.frames import Pong, ServerFrame

SETTLE_S = 1.0
"""After the last connection, before the server counts as idle."""
ANSWER_WITHIN_S = 10
_BATCH = 500
_STEP_S = 0.05


class Census:
    """How many sockets answered, how many closed."""

    def __init__(self) -> None:
        self.answered = 0
        self.closed = 0


class Sleeper(Client):
    """A socket that only listens."""

    __slots__ = ("census",)

    census: Census

    def heard(self, said: ServerFrame | None, last: bool) -> None:
        if type(said) is Pong:
            self.census.answered += 1
        else:
            super().heard(said, last)

    def closed(self) -> None:
        self.census.closed += 1


async def run(job: IdleJob) -> None:
    """Connect, hold, ask."""
    gc.disable()
    loop, census = asyncio.get_running_loop(), Census()
    clients = []
    for login in job.logins:
        client = Sleeper(login, loop.create_future())
        client.census = census
        clients.append(client)
    rss = cpu.rss_bytes(job.server_pid)
    connected = await connect_measured(job.url, job.server_pid, clients)
    say(connected)
    say(await _hold(job, clients, census, connected, rss))


async def _hold(
    job: IdleJob, clients: list[Sleeper], census: Census, connected: Connected, rss: int
) -> Held:
    await asyncio.sleep(SETTLE_S)
    before, began = cpu.read(job.server_pid), time.monotonic()
    await asyncio.sleep(job.hold_s)
    used, seconds = cpu.spent(before, cpu.read(job.server_pid)), time.monotonic() - began
    grown = cpu.rss_bytes(job.server_pid) - rss
    closed = census.closed
    alive = await _answering(clients, census, connected.connections)
    errors = {"closed": closed, "unanswered": connected.connections - closed - alive}
    return Held(
        seconds=seconds,
        user_us=used.user_us,
        sys_us=used.sys_us,
        rss_bytes=grown,
        alive=alive,
        errors={kind: count for kind, count in errors.items() if count > 0},
    )


async def _answering(clients: list[Sleeper], census: Census, expected: int) -> int:
    """How many connections answer a ping."""
    for start in range(0, len(clients), _BATCH):
        for client in clients[start : start + _BATCH]:
            client.write(PING)
        await asyncio.sleep(0)
    for _ in range(int(ANSWER_WITHIN_S / _STEP_S)):
        if census.answered + census.closed >= expected:
            break
        await asyncio.sleep(_STEP_S)
    return census.answered


def main() -> None:
    """Do the job in the file named on the command line."""
    job = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=IdleJob)
    uvloop.run(run(job))


if __name__ == "__main__":
    main()
