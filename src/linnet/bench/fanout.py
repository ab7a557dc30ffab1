"""`linnet bench fanout`: what a message to a large group costs a server, beside bare writes.

Every member has a real socket to a real server. A delivery is a row that is durable and a frame
that was written. Rounds without acknowledgements and rounds with them take turns; the floor is a
loop of writes of the same size to as many sockets, in the same run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import apsw
import msgspec

from linnet.bench.bare import Written, against
from linnet.bench.idle import need_descriptors
from linnet.bench.job import CIPHERTEXT_BYTES, Connected, FanoutJob, Round
from linnet.bench.process import BenchError, Child, cores
from linnet.bench.seed import database_file, seed, seed_group
from linnet.bench.target import serve, write_job
from linnet.wire.limits import GROUP_MEMBERS, SessionLimits

MESSAGES_MOST = SessionLimits().window_frames - 16
"""Of a round: nobody acknowledges before its end, so they fit a window."""
FRAME_BYTES = 4 + 173 + CIPHERTEXT_BYTES
"""A delivery on the wire, nearly."""
FLOOR_ROUNDS = 100
_WITHIN_S = 120
_OTHER_DESCRIPTORS = 64


class FanoutOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How large a group, and how many messages to it."""

    members: int = GROUP_MEMBERS
    messages: int = 120
    """In a round."""
    rounds: int = 3
    in_flight: int = 1
    """Messages sent without waiting for `sent`. Those that meet in a commit share their writes."""

    def __post_init__(self) -> None:
        if not 2 <= self.members <= GROUP_MEMBERS:
            raise ValueError(f"members are 2 to {GROUP_MEMBERS}")
        if not 1 <= self.messages <= MESSAGES_MOST:
            raise ValueError(f"messages are 1 to {MESSAGES_MOST}")
        if self.rounds < 1 or self.in_flight < 1:
            raise ValueError("rounds and in_flight are at least 1")


class FanoutReport(msgspec.Struct, kw_only=True):
    """Figures of a fan-out; medians of the rounds. CPU is of the whole server process."""

    shape: str
    members: int
    messages: int
    in_flight: int
    pinned: bool
    deliveries_per_s: float
    """Durable rows and written frames, from the first message to the last delivery."""
    server_cpu_us_per_delivery: float
    server_cpu_user_us_per_delivery: float
    server_cpu_sys_us_per_delivery: float
    deliveries_per_core_s: float
    """What a core that did nothing else would deliver: CPU alone."""
    acked_deliveries_per_s: float
    server_cpu_us_per_ack: float
    """What a delivery that is acknowledged costs above one that is not."""
    floor_cpu_us_per_write: float
    floor_writes_per_s: float
    ratio_to_floor: float
    stored_rows: int
    stored_bodies: int
    lost: int
    """Deliveries that did not come, or not in order: must be 0."""
    errors: int
    error_kinds: dict[str, int]
    rounds: list[Round]
    acked_rounds: list[Round]


def run(options: FanoutOptions) -> FanoutReport:
    """Measure; ends by itself within a known time. Raises BenchError, also where the server
    stored anything but one body a message and one row a member."""
    need_descriptors(options.members + _OTHER_DESCRIPTORS)
    with tempfile.TemporaryDirectory(prefix="linnet-bench-") as name:
        place = Path(name)
        with ExitStack() as running:
            written = _bare_writes(options, place, running)
        logins = seed(place / "data", options.members)
        group = seed_group(place / "data", logins)
        with ExitStack() as running:
            server, at = serve(place, running)
            job = FanoutJob(
                at.url,
                server.pid,
                logins,
                group,
                options.messages,
                options.in_flight,
                _WITHIN_S,
            )
            command = [
                sys.executable,
                "-m",
                "linnet.bench.crowd",
                str(write_job(place / "crowd.job", job)),
            ]
            crowd = running.enter_context(Child(command, cores()[1], place / "crowd.log"))
            connected = msgspec.json.decode(crowd.line(_WITHIN_S), type=Connected)
            if connected.connections < options.members:
                raise BenchError(f"not everybody connected: {connected.errors}")
            silent, acking = _rounds(options, crowd)
        rows, bodies = _stored(database_file(place / "data"))
    sent = options.messages * options.rounds * 2
    if (rows, bodies) != (sent * options.members, sent):
        raise BenchError(f"{sent} messages are {rows} rows and {bodies} bodies")
    return report(options, silent, acking, written, rows, bodies)


def _rounds(options: FanoutOptions, crowd: Child) -> tuple[list[Round], list[Round]]:
    kinds: dict[str, list[Round]] = {"silent": [], "acking": []}
    for _ in range(options.rounds):
        for kind, rounds in kinds.items():
            crowd.tell(kind)
            rounds.append(msgspec.json.decode(crowd.line(2 * _WITHIN_S), type=Round))
    return kinds["silent"], kinds["acking"]


def _bare_writes(options: FanoutOptions, place: Path, running: ExitStack) -> Written:
    given = [str(it) for it in (options.members - 1, FRAME_BYTES, FLOOR_ROUNDS)]
    command = [sys.executable, "-m", "linnet.bench.bare", *given]
    child = running.enter_context(Child(command, cores()[0], place / "bare.log"))
    return against(child, options.members - 1)


def _stored(path: Path) -> tuple[int, int]:
    """Rows and bodies in all segments of a server that has ended."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        numbers = [number for (number,) in connection.execute("SELECT number FROM segment")]
        rows, bodies = (
            sum(connection.execute(f"SELECT count(*) FROM {kind}_{it}").get for it in numbers)
            for kind in ("entry", "body")
        )
        return rows, bodies
    finally:
        connection.close()


def report(
    options: FanoutOptions,
    silent: list[Round],
    acking: list[Round],
    written: Written,
    rows: int,
    bodies: int,
) -> FanoutReport:
    """The figures."""
    cpu = _median(silent, lambda it: it.user_us + it.sys_us)
    acked_cpu = _median(acking, lambda it: it.user_us + it.sys_us)
    kinds: dict[str, int] = {}
    for it in (*silent, *acking):
        for kind, count in it.errors.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return FanoutReport(
        shape=f"fanout {options.members}",
        members=options.members,
        messages=options.messages,
        in_flight=options.in_flight,
        pinned=cores()[0] is not None,
        deliveries_per_s=round(statistics.median(it.deliveries / it.seconds for it in silent)),
        server_cpu_us_per_delivery=round(cpu, 2),
        server_cpu_user_us_per_delivery=round(_median(silent, lambda it: it.user_us), 2),
        server_cpu_sys_us_per_delivery=round(_median(silent, lambda it: it.sys_us), 2),
        deliveries_per_core_s=round(1e6 / cpu) if cpu else 0,
        acked_deliveries_per_s=round(
            statistics.median(it.deliveries / it.seconds for it in acking)
        ),
        server_cpu_us_per_ack=round(acked_cpu - cpu, 2),
        floor_cpu_us_per_write=round(written.cpu_us, 2),
        floor_writes_per_s=round(1e6 / written.wall_us) if written.wall_us else 0,
        ratio_to_floor=round(cpu / written.cpu_us, 2) if written.cpu_us else 0,
        stored_rows=rows,
        stored_bodies=bodies,
        lost=kinds.pop("lost", 0) + sum(it.broken for it in (*silent, *acking)),
        errors=sum(kinds.values()),
        error_kinds=kinds,
        rounds=silent,
        acked_rounds=acking,
    )


def _median(rounds: list[Round], of: Callable[[Round], float]) -> float:
    """Of a delivery."""
    return statistics.median(of(it) / it.deliveries for it in rounds)
