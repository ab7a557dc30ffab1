"""linnet.bench.fanout: the arithmetic of a report, and a short run against a real server."""

from __future__ import annotations

import pytest

from linnet.bench import fanout
from linnet.bench.bare import Written
from linnet.bench.fanout import FanoutOptions
from linnet.bench.job import Round


def test_figures_are_medians_of_a_delivery() -> None:
    silent = [Round(0.5, 1000, 8000.0, 4000.0, 0, {}) for _ in range(3)]
    acking = [Round(1.0, 1000, 20000.0, 10000.0, 2, {"closed": 1, "lost": 3})]
    options = FanoutOptions(members=11, messages=100)
    made = fanout.report(options, silent, acking, Written(10, 6.0, 8.0), 2200, 200)
    assert (made.deliveries_per_s, made.acked_deliveries_per_s) == (2000, 1000)
    assert (made.server_cpu_us_per_delivery, made.server_cpu_us_per_ack) == (12.0, 18.0)
    assert made.server_cpu_user_us_per_delivery == 8.0
    assert made.deliveries_per_core_s == 83333
    assert (made.floor_writes_per_s, made.ratio_to_floor) == (125000, 2.0)
    assert (made.lost, made.errors, made.error_kinds) == (5, 1, {"closed": 1})


@pytest.mark.parametrize(
    "wrong",
    [{"members": 1}, {"members": 1025}, {"messages": 0}, {"messages": 241}, {"in_flight": 0}],
)
def test_what_cannot_be_measured_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FanoutOptions(**wrong)


@pytest.mark.slow
def test_a_short_fan_out_loses_nothing_and_stores_one_body_a_message() -> None:
    made = fanout.run(FanoutOptions(members=60, messages=20, rounds=2, in_flight=3))
    assert (made.lost, made.error_kinds) == (0, {})
    assert (made.stored_bodies, made.stored_rows) == (80, 80 * 60)
    assert made.server_cpu_us_per_delivery > 0
    assert made.floor_cpu_us_per_write > 0
