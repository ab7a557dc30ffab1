"""`linnet bench`: the arguments, the waiting and the printing; `linnet.bench` measures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.cli.failures import Failure
from linnet.cli.places import AsJson

if TYPE_CHECKING:
    from linnet.bench.fanout import FanoutReport
    from linnet.bench.idle import IdleReport
    from linnet.bench.load import LoadReport

bench = typer.Typer(
    help="Measure a server that is started for it, beside a floor without accounts or a store.",
    no_args_is_help=True,
)


@bench.command()
def load(
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of people who talk.")] = 200,
    in_flight: Annotated[
        int | None,
        typer.Option(min=1, help="Messages of a pair not yet delivered. 4 without --rate."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, help="Instead: messages a second, over all pairs.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="Measured time, each.")] = 9.0,
    as_json: AsJson = False,
) -> None:
    """What a message costs: throughput, CPU, latency, and whether one was lost.

    A message is sent, durably accepted, delivered, acknowledged and reported as delivered. The
    exit code is 1 if one was lost or something failed, never for being slow.

    Example: `linnet bench load --pairs 200 --in-flight 4 --seconds 9`
    """
    if rate is not None and in_flight is not None:
        raise typer.BadParameter("not together with --rate", param_hint="--in-flight")
    from linnet.bench.load import LoadOptions, run

    if rate is None and in_flight is None:
        in_flight = 4
    with _measuring("Loading a server and its floor, in turns"):
        options = LoadOptions(pairs=pairs, in_flight=in_flight, rate=rate, seconds=seconds)
        report = run(options)
    _told(report, as_json, clean=not report.errors and not report.lost)


@bench.command()
def idle(
    connections: Annotated[int, typer.Option(min=1, help="Sockets to open.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long to watch them.")] = 5.0,
    as_json: AsJson = False,
) -> None:
    """What a connection costs: CPU to connect, memory to keep, CPU while nothing is said.

    Example: `linnet bench idle --connections 10000`
    """
    from linnet.bench.idle import IdleOptions, run

    with _measuring("Connecting, then waiting"):
        report = run(IdleOptions(connections=connections, seconds=seconds))
    _told(report, as_json, clean=not report.errors)


@bench.command()
def fanout(
    members: Annotated[int, typer.Option(min=2, max=1024, help="Members of the group.")] = 1024,
    messages: Annotated[
        int, typer.Option(min=1, max=240, help="Messages to everybody in a round.")
    ] = 120,
    in_flight: Annotated[
        int, typer.Option(min=1, help="Messages sent without waiting for an answer.")
    ] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each kind.")] = 3,
    as_json: AsJson = False,
) -> None:
    """What a message to a large group costs: deliveries, acknowledgements, bodies stored.

    A delivery is a durable row and a written frame. The exit code is 1 if one was lost or
    something failed, never for being slow.

    Example: `linnet bench fanout --members 1024 --json`
    """
    from linnet.bench.fanout import FanoutOptions, run

    with _measuring("Telling a group, with and without acknowledgements"):
        report = run(
            FanoutOptions(members=members, messages=messages, in_flight=in_flight, rounds=rounds)
        )
    _told(report, as_json, clean=not report.errors and not report.lost)


@contextmanager
def _measuring(what: str) -> Iterator[None]:
    """A moving bar where a person waits; failures in words."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from linnet.bench.process import BenchError

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    bar = Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stdout.isatty()
    )
    try:
        with bar:
            bar.add_task(what, total=None)
            yield
    except BenchError as error:
        raise Failure("the benchmark could not be done.", f"{error}") from error


def _told(report: LoadReport | IdleReport | FanoutReport, as_json: bool, clean: bool) -> None:
    import msgspec

    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        _table(msgspec.to_builtins(report))
    if not clean:
        raise typer.Exit(1)


def _table(figures: dict[str, Any]) -> None:
    """Every figure that is one number or name; the windows are for --json."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in figures.items():
        if not isinstance(value, list | dict):
            table.add_row(name.replace("_", " "), _figure(value))
    Console().print(table)


def _figure(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:,}" if isinstance(value, int | float) else str(value)
