"""linnet.bench.load: the arithmetic of a report, and real short runs against the floor."""

from __future__ import annotations

import msgspec
import pytest

from linnet.bench import load
from linnet.bench.job import Connected, Pooled, Window
from linnet.bench.load import LoadOptions, Measured
from linnet.bench.process import BenchError
from linnet.bench.quantiles import Spread


def window(messages: int, user_us: float, sys_us: float, **more: object) -> Window:
    made = Window(
        2.0, messages, user_us, sys_us, 50.0, Spread(), Spread(), Spread(), Spread(), 0, {}
    )
    return msgspec.structs.replace(made, **more)


def measured(*windows: Window, errors: dict[str, int] | None = None) -> Measured:
    connected = Connected(4, 0.1, 24_000, 0.0, 0.0, errors or {})
    spreads = (Spread(9, 1.0, 2.0, 3.0), Spread(9, 4.0, 5.0, 6.0), Spread(9, 7.0, 8.0, 9.0))
    return Measured(connected, list(windows), Pooled(*spreads))


OPTIONS = LoadOptions(pairs=2, in_flight=1, seconds=6)


def test_cost_is_the_median_of_windows_and_the_ratio_is_to_the_floors() -> None:
    server = measured(window(10, 100, 100), window(10, 200, 200), window(10, 9000, 9000))
    floor = measured(window(20, 100, 100), window(20, 100, 100), window(20, 500, 500))
    made = load.report(OPTIONS, server, floor)
    assert made.server_cpu_us_per_message == 40.0
    assert made.server_cpu_user_us_per_message == 20.0
    assert made.floor_cpu_us_per_message == 10.0
    assert made.ratio_to_floor == 4.0
    assert (made.messages, made.messages_per_s, made.floor_messages_per_s) == (30, 5.0, 10.0)
    assert (made.sent_p50_ms, made.received_p99_ms, made.delivered_max_ms) == (1.0, 5.0, 9.0)
    assert made.rss_kb_per_connection == 6.0
    assert made.shape == "pairs 2 in-flight 1"


def test_loss_and_errors_of_floor_and_server_add_up() -> None:
    server = measured(window(1, 1, 1, lost=2, errors={"gap": 1}), errors={"connect: X": 1})
    floor = measured(window(1, 1, 1, lost=1, errors={"gap": 2}))
    made = load.report(OPTIONS, server, floor)
    assert (made.lost, made.errors) == (3, 4)
    assert made.error_kinds == {"connect: X": 1, "gap": 3}


def test_a_window_without_messages_is_no_measurement() -> None:
    with pytest.raises(BenchError, match="without a complete message"):
        load.report(OPTIONS, measured(window(0, 5, 5)), None)


def test_the_report_has_the_names_that_results_are_read_by() -> None:
    made = msgspec.json.decode(
        msgspec.json.encode(load.report(OPTIONS, measured(window(1, 1, 1)), None))
    )
    wanted = {"messages_per_s", "server_cpu_us_per_message", "floor_cpu_us_per_message"}
    wanted |= {"ratio_to_floor", "rss_kb_per_connection", "lost", "errors"}
    for what in ("sent", "received", "delivered"):
        wanted |= {f"{what}_{quantile}_ms" for quantile in ("p50", "p99", "max")}
    assert wanted <= set(made)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"in_flight": 1, "rate": 5.0},
        {"in_flight": 0},
        {"rate": -1.0},
        {"rate": 0.0},
        {"in_flight": 1, "pairs": 0},
    ],
)
def test_loads_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"at least|above|either"):
        LoadOptions(**wrong)  # type: ignore[arg-type]


def short(**more: float) -> LoadOptions:
    return LoadOptions(server=False, seconds=1.0, windows=2, warmup_s=0.2, **more)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [3, 80])
def test_the_floor_loses_nothing_in_a_closed_loop(pairs: int) -> None:
    made = load.run(short(pairs=pairs, in_flight=4))
    assert (made.lost, made.error_kinds) == (0, {})
    assert made.connections == 2 * pairs
    assert made.messages > 100


@pytest.mark.slow
def test_the_floor_keeps_an_open_loops_pace() -> None:
    made = load.run(short(pairs=3, rate=200.0))
    assert (made.lost, made.error_kinds) == (0, {})
    assert 100 <= made.messages <= 300
    assert 0 < made.sent_p50_ms <= made.sent_max_ms
    assert made.received_p50_ms <= made.delivered_p50_ms
