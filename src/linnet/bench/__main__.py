"""`python -m linnet.bench`: the four shapes, one after another, into benchmarks/results.

`make bench` runs it. Prints a line per shape and exits 1 where a message was lost or something
failed; how fast it was never decides that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from linnet.bench import idle, load, results
from linnet.bench.idle import IdleOptions, IdleReport
from linnet.bench.load import LoadOptions, LoadReport
from linnet.bench.process import BenchError

Measure = Callable[[float], LoadReport | IdleReport]
"""A measurement of so many seconds."""


class Shape(msgspec.Struct, frozen=True):
    """One of the loads Linnet is judged by, and what was wanted of it."""

    arguments: str
    """As `linnet bench` takes them."""
    measure: Measure
    wanted: str


def _load(pairs: int, in_flight: int | None = None, rate: float | None = None) -> Measure:
    return lambda seconds: load.run(
        LoadOptions(pairs=pairs, in_flight=in_flight, rate=rate, seconds=seconds)
    )


SHAPES = (
    Shape("load --pairs 200 --in-flight 4", _load(200, in_flight=4), "≤ 3 × floor"),
    Shape("load --pairs 2000 --in-flight 1", _load(2000, in_flight=1), "≤ 1.6 × floor"),
    Shape(
        "load --pairs 20 --rate 100",
        _load(20, rate=100),
        "≤ 500 µs; received p50 ≤ 1 ms, p99 ≤ 3 ms",
    ),
    Shape(
        "idle --connections 10000",
        lambda seconds: idle.run(IdleOptions(connections=10_000, seconds=min(seconds, 5))),
        "≤ 8 KB a connection, ≤ 250 µs a connect",
    ),
)


def line(report: LoadReport | IdleReport) -> str:
    """A report in one line."""
    if isinstance(report, IdleReport):
        return (
            f"{report.shape}: {report.rss_kb_per_connection} KB a connection, "
            f"{report.cpu_us_per_connect} µs a connect, {report.idle_cpu_percent} % idle, "
            f"{report.errors} errors"
        )
    return (
        f"{report.shape}: {report.messages_per_s:,.0f} msg/s, "
        f"{report.server_cpu_us_per_message} µs a message "
        f"({report.ratio_to_floor} × floor {report.floor_cpu_us_per_message}), "
        f"received p50 {report.received_p50_ms} p99 {report.received_p99_ms} ms, "
        f"lost {report.lost}, {report.errors} errors"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure every shape; 0 if nothing was lost and nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m linnet.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="measured time per shape")
    parser.add_argument("--results", type=Path, help="folder for the result files")
    given = parser.parse_args(arguments)
    clean = True
    for shape in SHAPES:
        command = ["linnet", "bench", *shape.arguments.split(), "--seconds", f"{given.seconds:g}"]
        try:
            report = shape.measure(given.seconds)
        except BenchError as error:
            print(f"{shape.arguments}: {error}", flush=True)
            clean = False
            continue
        print(f"{line(report)}   (wanted: {shape.wanted})", flush=True)
        clean = clean and not report.errors and not getattr(report, "lost", 0)
        if given.results is not None:
            results.write(given.results, results.result(report, report.shape, command))
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
