"""docs/security/proof.md names tests that exist, each by its file; read, not run."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "security" / "proof.md"
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())


@cache
def functions(path: Path) -> frozenset[str]:
    """The names of all functions of a file."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        it.name for it in ast.walk(ast.parse(path.read_text())) if isinstance(it, kinds)
    )


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_what_the_page_names_exists(file: str, name: str) -> None:
    assert (ROOT / file).is_file()
    assert name in functions(ROOT / file)


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    without = [row for row in rows if "::" not in row and "shown by" not in row]
    assert without == []


def test_what_is_called_otherwise_would_be_missed() -> None:
    assert "test_nothing_of_the_kind" not in functions(Path(__file__))
    assert len(NAMED) > 100
