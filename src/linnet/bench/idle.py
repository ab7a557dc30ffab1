"""`linnet bench idle`: what a connection costs a server, and what it costs when nothing is said."""

from __future__ import annotations

import resource
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec

from linnet.bench.job import Connected, Held, IdleJob
from linnet.bench.process import BenchError, Child, cores
from linnet.bench.target import floor_logins, start_floor, start_server, write_job

_MARGIN_S = 30
_CONNECTS_PER_S = 200
"""Far below what any server here accepts: only a bound for waiting."""
_OTHER_DESCRIPTORS = 64


class IdleOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections, and for how long to watch them."""

    connections: int = 10_000
    seconds: float = 5.0
    server: bool = True
    """False looks at the floor instead: no accounts, no token checks."""

    def __post_init__(self) -> None:
        if self.connections < 1 or self.seconds <= 0:
            raise ValueError("connections and seconds are above 0")


class IdleReport(msgspec.Struct, kw_only=True):
    """Figures of idle connections. CPU is of the whole server process. KB are 1,000 bytes."""

    shape: str
    connections: int
    pinned: bool
    rss_kb_per_connection: float
    cpu_us_per_connect: float
    """TCP, WebSocket upgrade, `hello` with its token check, `welcome`."""
    cpu_user_us_per_connect: float
    cpu_sys_us_per_connect: float
    connects_per_s: float
    idle_seconds: float
    idle_cpu_percent: float
    """Of one core, with all connections open and silent."""
    alive: int
    """Connections that answered at the end."""
    errors: int
    error_kinds: dict[str, int]


def run(options: IdleOptions) -> IdleReport:
    """Measure; ends by itself within a known time. Raises BenchError."""
    need_descriptors(options.connections + _OTHER_DESCRIPTORS)
    with tempfile.TemporaryDirectory(prefix="linnet-bench-") as name, ExitStack() as running:
        place = Path(name)
        if options.server:
            server, at, logins = start_server(place, options.connections, running)
        else:
            server, at = start_floor(place, running)
            logins = floor_logins(options.connections)
        job = IdleJob(at.url, server.pid, logins, options.seconds)
        path = write_job(place / "idle.job", job)
        command = [sys.executable, "-m", "linnet.bench.idler", str(path)]
        idler = running.enter_context(Child(command, cores()[1], place / "idler.log"))
        connecting_s = options.connections / _CONNECTS_PER_S + _MARGIN_S
        connected = msgspec.json.decode(idler.line(connecting_s), type=Connected)
        held = msgspec.json.decode(idler.line(options.seconds + _MARGIN_S), type=Held)
    return report(options, connected, held)


def report(options: IdleOptions, connected: Connected, held: Held) -> IdleReport:
    """The figures. Raises BenchError where nothing connected."""
    count = connected.connections
    if count < 1:
        raise BenchError(f"nothing connected: {connected.errors}")
    kinds = connected.errors | held.errors
    return IdleReport(
        shape=f"idle {options.connections}",
        connections=count,
        pinned=cores()[0] is not None,
        rss_kb_per_connection=round(held.rss_bytes / 1000 / count, 2),
        cpu_us_per_connect=round((connected.user_us + connected.sys_us) / count, 1),
        cpu_user_us_per_connect=round(connected.user_us / count, 1),
        cpu_sys_us_per_connect=round(connected.sys_us / count, 1),
        connects_per_s=round(count / connected.seconds, 1),
        idle_seconds=round(held.seconds, 2),
        idle_cpu_percent=round((held.user_us + held.sys_us) / held.seconds / 1e4, 2),
        alive=held.alive,
        errors=sum(kinds.values()),
        error_kinds=kinds,
    )


def need_descriptors(count: int) -> None:
    """Raise this process's limit, which its children inherit. Raises BenchError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise BenchError(f"{count} open files are needed and the limit here is {hard}")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
