"""linnet.bench.__main__: the four shapes, and an exit code that no slow machine can change."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from linnet.bench import __main__ as bench
from linnet.bench.idle import IdleReport
from linnet.bench.process import BenchError


def report(errors: int) -> IdleReport:
    return IdleReport(
        shape="idle 5",
        connections=5,
        pinned=False,
        rss_kb_per_connection=1e9,
        cpu_us_per_connect=1e9,
        cpu_user_us_per_connect=1e9,
        cpu_sys_us_per_connect=0.0,
        connects_per_s=0.1,
        idle_seconds=1.0,
        idle_cpu_percent=100.0,
        alive=5,
        errors=errors,
        error_kinds={},
    )


def failing(seconds: float) -> IdleReport:
    raise BenchError("no server")


def with_shapes(monkeypatch: pytest.MonkeyPatch, *measures: bench.Measure) -> None:
    shapes = tuple(bench.Shape("idle --connections 5", measure, "") for measure in measures)
    monkeypatch.setattr(bench, "SHAPES", shapes)


def test_slowness_alone_is_no_failure_and_is_stored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_shapes(monkeypatch, lambda seconds: report(0))
    assert bench.main(["--results", str(tmp_path), "--seconds", "3"]) == 0
    (stored,) = [msgspec.json.decode(path.read_bytes()) for path in tmp_path.iterdir()]
    assert stored["command"] == "linnet bench idle --connections 5 --seconds 3"


def test_errors_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with_shapes(monkeypatch, lambda seconds: report(1))
    assert bench.main([]) == 1


def test_what_cannot_be_measured_fails_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_shapes(monkeypatch, failing, lambda seconds: report(0))
    assert bench.main([]) == 1
    said = capsys.readouterr().out
    assert "no server" in said
    assert "idle 5:" in said


def test_the_shapes_are_the_ones_that_linnet_is_judged_by() -> None:
    assert [shape.arguments for shape in bench.SHAPES] == [
        "load --pairs 200 --in-flight 4",
        "load --pairs 2000 --in-flight 1",
        "load --pairs 20 --rate 100",
        "idle --connections 10000",
    ]
