"""Draws the parts of docs/protocol that are tables of the code: frames, session, codes, limits.

A page holds `<!-- drawn: NAME -->` … `<!-- end -->`; what stands between is replaced. The prose
around is written by hand.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from tests.wire.strategies import CLIENT_FRAMES, SERVER_FRAMES

from linnet.wire import limits
from linnet.wire.errors import CLOSE_RANGES, CLOSES, ERRORS
from linnet.wire.frames import Frame, Part
from linnet.wire.session import CLIENT_SAYS, DEADLINES, SERVER_SAYS, SKIPS_UNKNOWN, State

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "protocol"
_MARKED = re.compile(r"(<!-- drawn: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def redrawn(text: str) -> str:
    """A page with every drawn part as the code has it now."""
    return _MARKED.sub(lambda part: f"{part[1]}\n{DRAWN[part[2]]()}\n{part[3]}", text)


def drawn_in(text: str) -> list[str]:
    """Names of the drawn parts of a page."""
    return [part[2] for part in _MARKED.finditer(text)]


# ---- frames


def _frames(kinds: tuple[type[msgspec.Struct], ...]) -> str:
    return "\n".join(_frame(kind) for kind in kinds)


def _frame(kind: type[msgspec.Struct]) -> str:
    tag = kind.__struct_config__.tag
    head = f"### `{tag}`" if tag else f"### {kind.__name__}"
    promise = _one_line(kind.__doc__ or "")
    fields = list(msgspec.structs.fields(kind))
    if not fields:
        return f"{head}\n{promise}\n\nNo fields.\n"
    hints = typing.get_type_hints(kind, include_extras=True)
    first = 1 if tag else 0
    rows = [
        f"| {at} | `{info.encode_name}` | {describe(hints[info.name])} | {_default(info)} |"
        for at, info in enumerate(fields, first)
    ]
    return "\n".join(
        [head, promise, "", "| # | name | value | if absent |", "|---|---|---|---|", *rows, ""]
    )


def describe(hint: Any, meta: msgspec.Meta | None = None) -> str:
    """What an annotation allows, in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return describe(args[0], args[1])
    if origin is types.UnionType:
        return " or ".join(describe(arg) for arg in args)
    if origin is tuple:
        return "[" + ", ".join(describe(arg) for arg in args) + "]"
    if origin is list:
        most = f", at most {meta.max_length}" if meta else ""
        return f"list of {describe(args[0])}{most}"
    if isinstance(hint, type) and issubclass(hint, Frame | limits.SessionLimits):
        return f"{hint.__name__}"
    return _plain(hint, meta)


def _plain(hint: Any, meta: msgspec.Meta | None) -> str:
    if hint is int and meta:
        most = meta.le if meta.le is not None else "2^53 - 1"
        assert meta.le is not None or meta.lt == limits.POSITION_END
        return f"integer {meta.ge} … {most}"
    name = {int: "integer", bytes: "bytes", str: "text", bool: "boolean", type(None): "null"}[hint]
    if meta is None:
        return name
    if meta.min_length == meta.max_length:
        return f"{meta.min_length} {name}"
    return f"{name}, {meta.min_length or 0} … {meta.max_length} long"


def _default(info: msgspec.structs.FieldInfo) -> str:
    if info.required:
        return "malformed"
    if info.default is msgspec.NODEFAULT:
        return "empty list"
    shown = {None: "null", b"": "no bytes", "": "no text"}
    return shown.get(info.default) or str(info.default)


# ---- session


def _heard() -> str:
    rows = []
    for state in State:
        client = _names(CLIENT_SAYS[state], state)
        server = _names(SERVER_SAYS[state], state)
        skips = "skipped" if state in SKIPS_UNKNOWN else "close"
        rows.append(f"| {state.value} | {client} | {server} | {skips} |")
    head = "| state | the client may say | the server may say | unknown, from the server |"
    return "\n".join([head, "|---|---|---|---|", *rows, ""])


def _names(turns: dict[type, State], state: State) -> str:
    said = [
        f"`{_tag(kind)}`" + (f" → {after.value}" if after is not state else "")
        for kind, after in turns.items()
    ]
    return ", ".join(said) or "–"


def _tag(kind: type) -> str:
    return str(typing.cast("type[msgspec.Struct]", kind).__struct_config__.tag)


def _diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.NEW.value}"]
    for who, says in (("client", CLIENT_SAYS), ("server", SERVER_SAYS)):
        for state, turns in says.items():
            for kind, after in turns.items():
                if after is not state:
                    lines.append(f"    {state.value} --> {after.value}: {who} says {_tag(kind)}")
    for state, (seconds, close) in DEADLINES.items():
        lines.append(
            f"    {state.value} --> {State.CLOSED.value}: {close} after {seconds} s",
        )
    for state in (State.LIVE, State.DRAINING):
        lines.append(f"    {state.value} --> {State.CLOSED.value}: either end closes")
    return "\n".join([*lines, f"    {State.CLOSED.value} --> [*]", "```", ""])


# ---- codes and limits


def _errors() -> str:
    rows = [
        f"| `{error.code}` | {'yes' if error.retryable else 'no'} | {error.status} | {error.text} |"
        for error in ERRORS.values()
    ]
    head = "| code | try again | HTTP | meaning |"
    return "\n".join([head, "|---|---|---|---|", *rows, ""])


def _closes() -> str:
    rows = [
        f"| {close.code} | `{close.name}` | {close.reconnect.value} |" for close in CLOSES.values()
    ]
    return "\n".join(["| code | name | the client will |", "|---|---|---|", *rows, ""])


def _ranges() -> str:
    rows = [f"| {first}00–{first}99 | {then.value} |" for first, then in CLOSE_RANGES.items()]
    return "\n".join(["| codes | the client will |", "|---|---|", *rows, ""])


def _limits() -> str:
    rows = [
        f"| `{name}` | {getattr(limits, name):,} | {meaning} |"
        for name, meaning in _explained(inspect.getsource(limits))
    ]
    return "\n".join(["| limit | value | meaning |", "|---|---|---|", *rows, ""])


def _session_limits() -> str:
    rows = [
        f"| {at} | `{info.name}` | {info.default:,} |"
        for at, info in enumerate(msgspec.structs.fields(limits.SessionLimits))
    ]
    return "\n".join(["| # | name | default |", "|---|---|---|", *rows, ""])


def _explained(source: str) -> Iterator[tuple[str, str]]:
    """Each constant of a module with the string that stands below it."""
    body = ast.parse(source).body
    for statement, below in itertools.pairwise(body):
        if isinstance(statement, ast.Assign) and isinstance(below, ast.Expr):
            assert isinstance(below.value, ast.Constant)
            name = typing.cast("ast.Name", statement.targets[0]).id
            yield name, _one_line(str(below.value.value))


def _one_line(text: str) -> str:
    """A docstring's first paragraph and the rest, as one line."""
    return " ".join(text.split())


DRAWN: dict[str, Callable[[], str]] = {
    "client-frames": lambda: _frames(CLIENT_FRAMES),
    "server-frames": lambda: _frames(SERVER_FRAMES),
    "parts": lambda: _frames((Part,)),
    "session-table": _heard,
    "session-diagram": _diagram,
    "errors": _errors,
    "closes": _closes,
    "close-ranges": _ranges,
    "limits": _limits,
    "session-limits": _session_limits,
}
"""Name of a drawn part to what draws it."""
