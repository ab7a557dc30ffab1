"""The operators' page lists every setting with its default. Rewrite: run this file as a module."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import msgspec

from linnet.server import config

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "operate.md"
BEGIN, END = "<!-- config -->\n", "<!-- end -->"


def table() -> str:
    """A row a setting: its path, its default, what the code says of it."""
    notes = _notes()
    rows = ["", "| setting | default | |", "|---|---|---|"]
    for name, field in _fields(config.Config):
        section = field.default
        if isinstance(section, msgspec.Struct) and not isinstance(section, config.Rate):
            owner = type(section).__name__
            rows += [
                f"| `{name}.{inner}` | {_shown(one.default)} | {notes.get((owner, inner), '')} |"
                for inner, one in _fields(type(section))
            ]
        else:
            rows.append(
                f"| `{name}` | {_shown(field.default)} | {notes.get(('Config', name), '')} |"
            )
    return "\n".join(rows) + "\n\n"


def _fields(owner: type[msgspec.Struct]) -> list[tuple[str, msgspec.structs.FieldInfo]]:
    return [(field.name, field) for field in msgspec.structs.fields(owner)]


def _shown(value: object) -> str:
    if value is msgspec.NODEFAULT:
        return "–"
    if isinstance(value, config.Rate):
        return f"{value.burst} at once, then one every {value.every_s:g} s"
    if isinstance(value, msgspec.Struct):
        return ", ".join(f"{name} {getattr(value, name)}" for name in value.__struct_fields__)
    return f"{value}"


def _notes() -> dict[tuple[str, str], str]:
    """The docstring under each field."""
    notes: dict[tuple[str, str], str] = {}
    for owner in ast.parse(inspect.getsource(config)).body:
        if not isinstance(owner, ast.ClassDef):
            continue
        for field, after in zip(owner.body, owner.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                notes[owner.name, field.target.id] = " ".join(str(after.value.value).split())
    return notes


def test_the_operators_page_lists_every_setting() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    listed, found, _ = rest.partition(END)
    assert found
    assert listed == table()


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
