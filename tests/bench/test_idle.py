"""linnet.bench.idle: the arithmetic of a report, and a short run against the floor."""

from __future__ import annotations

import pytest

from linnet.bench import idle
from linnet.bench.idle import IdleOptions
from linnet.bench.job import Connected, Held
from linnet.bench.process import BenchError

pytestmark = pytest.mark.slow


def test_figures_are_per_connection_that_opened() -> None:
    connected = Connected(100, 0.5, 0, 6000.0, 2000.0, {"connect: OSError": 2})
    held = Held(4.0, 30_000.0, 10_000.0, 700_000, 99, {"unanswered": 1})
    made = idle.report(IdleOptions(connections=102), connected, held)
    assert (made.connections, made.rss_kb_per_connection) == (100, 7.0)
    assert (made.cpu_us_per_connect, made.cpu_user_us_per_connect) == (80.0, 60.0)
    assert (made.connects_per_s, made.idle_cpu_percent) == (200.0, 1.0)
    assert (made.errors, made.alive) == (3, 99)


def test_no_connection_at_all_is_no_measurement() -> None:
    nothing = Connected(0, 1.0, 0, 0.0, 0.0, {"connect: OSError": 5})
    with pytest.raises(BenchError, match="OSError"):
        idle.report(IdleOptions(connections=5), nothing, Held(1.0, 0.0, 0.0, 0, 0, {}))


def test_more_connections_than_files_may_be_open_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (100, 100))
    with pytest.raises(BenchError, match="limit here is 100"):
        idle.run(IdleOptions(connections=200, server=False))


def test_every_connection_of_the_floor_answers_after_the_silence() -> None:
    made = idle.run(IdleOptions(connections=300, seconds=0.5, server=False))
    assert (made.connections, made.alive, made.error_kinds) == (300, 300, {})
