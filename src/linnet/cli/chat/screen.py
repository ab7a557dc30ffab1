"""Screen: lines above, the line being typed below, on a terminal that only scrolls.

What arrives is written where the typed line was, and the typed line again below it. Ticks of a
message are renewed in place while it is in sight and the window keeps its size; otherwise they
are told in a line of their own. Without a terminal, lines are simply written.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Protocol, TextIO

import msgspec
from rich.cells import cell_len

PROMPT = "> "
TICKS = {"sending": "⋯ ", "sent": "✓ ", "delivered": "✓✓", "unknown": "? ", "failed": "✗ "}
_RANK = {"sending": 0, "sent": 1, "delivered": 2, "unknown": 2, "failed": 2}
_REMEMBERED = 200

Size = Callable[[], tuple[int, int]]
"""Columns and rows."""


class Line(msgspec.Struct):
    """A line that was written."""

    text: str
    rows: int
    columns: int
    id: bytes | None = None
    state: str = ""


class Screen(Protocol):
    """Where a conversation is shown."""

    def say(self, text: str) -> None:
        """A line."""

    def own(self, id: bytes, text: str, state: str) -> None:
        """A line of one's own, with ticks."""

    def tick(self, id: bytes, state: str) -> None:
        """A message of one's own came further."""

    def typing(self, text: str) -> None:
        """The line being typed is now this."""

    def leave(self) -> None:
        """Nothing more will be shown."""


class Terminal:
    """A screen on a terminal in cbreak mode."""

    def __init__(self, out: TextIO, size: Size) -> None:
        self._out = out
        self._size = size
        self._typed = ""
        self._lines: collections.deque[Line] = collections.deque(maxlen=_REMEMBERED)
        self._early: dict[bytes, str] = {}

    def say(self, text: str) -> None:
        """Write a line above the one being typed."""
        self._write(Line(text, 0, 0))

    def own(self, id: bytes, text: str, state: str) -> None:
        """Write a line of one's own."""
        state = max(state, self._early.pop(id, state), key=_RANK.__getitem__)
        self._write(Line(text, 0, 0, id, state))

    def tick(self, id: bytes, state: str) -> None:
        """Renew the ticks of a line; they never go back."""
        line = next((line for line in self._lines if line.id == id), None)
        if line is None:
            self._early[id] = state
            return
        if _RANK[state] <= _RANK[line.state]:
            return
        line.state = state
        up = self._rows_up_to(line)
        if up is None:
            self.say(_shown(line))
        else:
            self._out.write(f"\x1b[{up}A\r{TICKS[state]}\x1b[{up}B")
            self._draw()

    def typing(self, text: str) -> None:
        """Draw the line being typed."""
        self._typed = text
        self._draw()

    def leave(self) -> None:
        """Take the typed line away."""
        self._out.write("\r\x1b[K")
        self._out.flush()

    def _write(self, line: Line) -> None:
        line.columns, _ = self._size()
        pieces = wrapped(_shown(line), line.columns)
        line.rows = len(pieces)
        self._lines.append(line)
        self._out.write("\r\x1b[K" + "".join(f"{piece}\n" for piece in pieces))
        self._draw()

    def _draw(self) -> None:
        columns, _ = self._size()
        self._out.write(f"\r\x1b[K{PROMPT}{end_of(self._typed, columns - len(PROMPT) - 1)}")
        self._out.flush()

    def _rows_up_to(self, line: Line) -> int | None:
        """How far above the typed line its first row is; None where it cannot be reached."""
        columns, height = self._size()
        up = 0
        for one in reversed(self._lines):
            up += one.rows
            if one.columns != columns or up >= height:
                return None
            if one is line:
                return up
        return None


class Plain:
    """A screen that is a file or a pipe: every line once, ticks with their line again."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._own: dict[bytes, str] = {}

    def say(self, text: str) -> None:
        """Write a line."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def own(self, id: bytes, text: str, state: str) -> None:
        """Write a line of one's own."""
        self._own[id] = text
        self.say(f"{TICKS[state]} {text}")

    def tick(self, id: bytes, state: str) -> None:
        """Write the line again with its new ticks."""
        if id in self._own:
            self.say(f"{TICKS[state]} {self._own[id]}")

    def typing(self, text: str) -> None:
        """Nobody sees it."""

    def leave(self) -> None:
        """Nothing to take away."""


def _shown(line: Line) -> str:
    return f"{TICKS[line.state]} {line.text}" if line.id is not None else line.text


def wrapped(text: str, columns: int) -> list[str]:
    """The text in pieces that each fill at most one row."""
    pieces, width = [""], 0
    for letter in text:
        cells = cell_len(letter)
        if width + cells > columns and pieces[-1]:
            pieces.append("")
            width = 0
        pieces[-1] += letter
        width += cells
    return pieces


def end_of(text: str, columns: int) -> str:
    """As much of the end of the text as fits in so many columns."""
    width = 0
    for at in range(len(text) - 1, -1, -1):
        width += cell_len(text[at])
        if width > columns:
            return text[at + 1 :]
    return text
