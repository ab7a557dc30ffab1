"""`linnet bench` hands on and prints; what it measures is tested in tests/bench."""

from __future__ import annotations

import pytest
from tests.cli.kit import linnet


@pytest.mark.slow
def test_idle_prints_a_report_as_json() -> None:
    ran = linnet("bench", "idle", "--connections", 5, "--seconds", 0.5, "--json")
    assert ran.code == 0
    assert ran.json["alive"] == 5


@pytest.mark.slow
def test_load_prints_its_figures_for_people() -> None:
    ran = linnet("bench", "load", "--pairs", 2, "--rate", 20, "--seconds", 1.5)
    assert ran.code == 0
    assert "ratio to floor" in ran.out


def test_more_connections_than_files_may_be_open_is_told_in_words() -> None:
    ran = linnet("bench", "idle", "--connections", 10**9)
    assert ran.code == 1
    assert "open files are needed" in ran.err
