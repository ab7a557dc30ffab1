"""`linnet bench load`: what a message costs the server, beside the floor, in the same minutes.

A machine's speed moves while one looks, so windows of floor and server take turns and the figures
are medians. The server starts with a data directory of its own, seeded with accounts.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from linnet.bench.job import Connected, LoadJob, Login, Pooled, Window
from linnet.bench.process import BenchError, Child, Listening, cores
from linnet.bench.target import floor_logins, start_floor, start_server, write_job

CONNECT_WITHIN_S = 180
_MARGIN_S = 30


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to load a server with. Exactly one of `in_flight` and `rate` is given."""

    pairs: int = 200
    in_flight: int | None = None
    """Closed loop: messages of a pair whose cycle is not complete."""
    rate: float | None = None
    """Open loop: messages a second, over all pairs, timed from when they were due."""
    seconds: float = 9.0
    """Measured time for the server, and as much for the floor, without warm-up."""
    windows: int = 3
    warmup_s: float = 1.0
    drain_s: float = 10.0
    floor: bool = True
    server: bool = True
    """False measures the floor alone, as if it were the server."""

    def __post_init__(self) -> None:
        if (self.in_flight is None) == (self.rate is None):
            raise ValueError("give either in_flight or rate")
        if min(self.pairs, self.windows) < 1 or (self.in_flight is not None and self.in_flight < 1):
            raise ValueError("pairs, windows and in_flight are at least 1")
        if self.seconds <= 0 or (self.rate is not None and self.rate <= 0):
            raise ValueError("seconds and rate are above 0")
        if not (self.floor or self.server):
            raise ValueError("nothing to measure")


class LoadReport(msgspec.Struct, kw_only=True):
    """Figures of a load. CPU is of the whole server process, per complete message: medians of
    the windows. Latencies are over all windows. KB are 1,000 bytes."""

    shape: str
    connections: int
    seconds: float
    windows: int
    pinned: bool
    messages: int
    messages_per_s: float
    server_cpu_us_per_message: float
    server_cpu_user_us_per_message: float
    server_cpu_sys_us_per_message: float
    server_cpu_share: float
    """Of one core, while measured."""
    floor_messages_per_s: float | None
    floor_cpu_us_per_message: float | None
    floor_cpu_user_us_per_message: float | None
    floor_cpu_sys_us_per_message: float | None
    ratio_to_floor: float | None
    generator_cpu_us_per_message: float
    sent_p50_ms: float
    sent_p99_ms: float
    sent_max_ms: float
    received_p50_ms: float
    received_p99_ms: float
    received_max_ms: float
    delivered_p50_ms: float
    delivered_p99_ms: float
    delivered_max_ms: float
    floor_received_p50_ms: float | None
    floor_received_p99_ms: float | None
    generator_late_p99_ms: float
    """How late the generator itself was with messages due, in an open loop."""
    rss_kb_per_connection: float
    lost: int
    """Acknowledged but never received, floor and server: must be 0."""
    errors: int
    error_kinds: dict[str, int]
    server_windows: list[Window]
    floor_windows: list[Window]


class Measured(msgspec.Struct):
    """What one target showed."""

    connected: Connected
    windows: list[Window]
    pooled: Pooled


def run(options: LoadOptions) -> LoadReport:
    """Measure; ends by itself within a known time. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="linnet-bench-") as place, ExitStack() as running:
        targets = _targets(options, Path(place), running)
        windows: list[list[Window]] = [[] for _ in targets]
        for _ in range(options.windows):
            for number, target in enumerate(targets):
                windows[number].append(target.window())
        measured = [
            Measured(target.connected, windows[number], target.pooled())
            for number, target in enumerate(targets)
        ]
    return report(options, measured[-1], measured[0] if options.floor else None)


class Target:
    """A server and the generator that loads it, both running."""

    def __init__(
        self, options: LoadOptions, place: Path, server: Child, at: Listening, logins: list[Login]
    ) -> None:
        """Start the generator and connect it. Raises BenchError."""
        job = LoadJob(
            url=at.url,
            server_pid=server.pid,
            logins=logins,
            in_flight=options.in_flight,
            rate=options.rate,
            warmup_s=options.warmup_s,
            window_s=options.seconds / options.windows,
            drain_s=options.drain_s,
        )
        self._within_s = job.warmup_s + job.window_s + job.drain_s + _MARGIN_S
        path = write_job(place / f"{server.pid}.job", job)
        command = [sys.executable, "-m", "linnet.bench.generator", str(path)]
        self.generator = Child(command, cores()[1], path.with_suffix(".log"))
        try:
            said = self.generator.line(CONNECT_WITHIN_S)
            self.connected = msgspec.json.decode(said, type=Connected)
        except BaseException:
            self.generator.end()
            raise

    def window(self) -> Window:
        """One window. Raises BenchError."""
        self.generator.tell("window")
        return msgspec.json.decode(self.generator.line(self._within_s), type=Window)

    def pooled(self) -> Pooled:
        """Latencies of all windows; the generator ends. Raises BenchError."""
        self.generator.tell("pooled")
        return msgspec.json.decode(self.generator.line(_MARGIN_S), type=Pooled)


def _targets(options: LoadOptions, place: Path, running: ExitStack) -> list[Target]:
    """The floor first, then the server, as far as they are wanted."""
    targets = []
    if options.floor or not options.server:
        floor, at = start_floor(place, running)
        targets.append(Target(options, place, floor, at, floor_logins(2 * options.pairs)))
        running.enter_context(targets[-1].generator)
    if options.server:
        server, at, logins = start_server(place, 2 * options.pairs, running)
        targets.append(Target(options, place, server, at, logins))
        running.enter_context(targets[-1].generator)
    return targets


def report(options: LoadOptions, server: Measured, floor: Measured | None) -> LoadReport:
    """The figures. Raises BenchError where a target completed nothing."""
    both = [server, floor] if floor is not None else [server]
    kinds = _errors(both)
    if any(window.messages == 0 for one in both for window in one.windows):
        raise BenchError(f"a window passed without a complete message: {kinds}")
    cost = _per_message(server.windows)
    floor_cost = _per_message(floor.windows) if floor is not None else None
    pooled = server.pooled
    return LoadReport(
        shape=shape(options),
        connections=server.connected.connections,
        seconds=options.seconds,
        windows=options.windows,
        pinned=cores()[0] is not None,
        messages=sum(window.messages for window in server.windows),
        messages_per_s=_rate(server.windows),
        server_cpu_us_per_message=cost[0],
        server_cpu_user_us_per_message=cost[1],
        server_cpu_sys_us_per_message=cost[2],
        server_cpu_share=round(_median(_share(window) for window in server.windows), 3),
        floor_messages_per_s=_rate(floor.windows) if floor else None,
        floor_cpu_us_per_message=floor_cost[0] if floor_cost else None,
        floor_cpu_user_us_per_message=floor_cost[1] if floor_cost else None,
        floor_cpu_sys_us_per_message=floor_cost[2] if floor_cost else None,
        ratio_to_floor=round(cost[0] / floor_cost[0], 2) if floor_cost else None,
        generator_cpu_us_per_message=_median(
            window.generator_us / window.messages for window in server.windows
        ),
        sent_p50_ms=pooled.sent.p50_ms,
        sent_p99_ms=pooled.sent.p99_ms,
        sent_max_ms=pooled.sent.max_ms,
        received_p50_ms=pooled.received.p50_ms,
        received_p99_ms=pooled.received.p99_ms,
        received_max_ms=pooled.received.max_ms,
        delivered_p50_ms=pooled.delivered.p50_ms,
        delivered_p99_ms=pooled.delivered.p99_ms,
        delivered_max_ms=pooled.delivered.max_ms,
        floor_received_p50_ms=floor.pooled.received.p50_ms if floor else None,
        floor_received_p99_ms=floor.pooled.received.p99_ms if floor else None,
        generator_late_p99_ms=max(window.late.p99_ms for window in server.windows),
        rss_kb_per_connection=_per_connection(server.connected),
        lost=sum(window.lost for one in both for window in one.windows),
        errors=sum(kinds.values()),
        error_kinds=kinds,
        server_windows=server.windows,
        floor_windows=floor.windows if floor else [],
    )


def shape(options: LoadOptions) -> str:
    """The load in the words of the command line."""
    pace = f"rate {options.rate:g}" if options.rate else f"in-flight {options.in_flight}"
    return f"pairs {options.pairs} {pace}"


def _per_message(windows: Sequence[Window]) -> tuple[float, float, float]:
    """CPU µs (total, user, sys): the median of totals, split as all windows together were,
    since a short window has too few clock ticks to be split by."""
    total = statistics.median(
        (one.server_user_us + one.server_sys_us) / one.messages for one in windows
    )
    user = sum(one.server_user_us for one in windows)
    share = user / ((user + sum(one.server_sys_us for one in windows)) or 1)
    return round(total, 2), round(total * share, 2), round(total * (1 - share), 2)


def _rate(windows: Sequence[Window]) -> float:
    return _median(one.messages / one.seconds for one in windows)


def _share(window: Window) -> float:
    return (window.server_user_us + window.server_sys_us) / (window.seconds * 1e6)


def _per_connection(connected: Connected) -> float:
    return round(connected.rss_bytes / 1000 / max(connected.connections, 1), 2)


def _errors(measured: Sequence[Measured]) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for one in measured:
        for errors in (one.connected.errors, *(window.errors for window in one.windows)):
            for kind, count in errors.items():
                kinds[kind] = kinds.get(kind, 0) + count
    return kinds


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)
