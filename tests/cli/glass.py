"""A terminal's glass: what stands on it after what was written. Only what `Screen` uses."""

from __future__ import annotations

import re

from rich.cells import cell_len

_PIECES = re.compile(r"\x1b\[(\d*)([A-Z])|([\r\n])|([^\x1b\r\n])")


class Glass:
    """As wide as told and endlessly high; a letter in the last column wraps with the next one."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows = [[""] * columns]
        self.row = self.column = 0

    def write(self, text: str) -> int:
        """Show what a program wrote; anything not understood is an error."""
        at = 0
        for piece in _PIECES.finditer(text):
            assert piece.start() == at, f"not understood: {text[at : at + 10]!r}"
            at = piece.end()
            count, command, control, letter = piece.groups()
            if command:
                self._command(command, int(count or 1))
            elif control:
                self._control(control)
            else:
                self._put(letter)
        assert at == len(text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def lines(self) -> list[str]:
        """What can be read, a row each."""
        return ["".join(row).rstrip() for row in self.rows]

    def _command(self, command: str, count: int) -> None:
        match command:
            case "A":
                assert count <= self.row, "above the top"
                self.row -= count
            case "B":
                assert self.row + count < len(self.rows), "below the bottom"
                self.row += count
            case "K":
                self.rows[self.row][self.column :] = [""] * (self.columns - self.column)
            case _:
                raise AssertionError(f"not understood: {command}")

    def _control(self, control: str) -> None:
        self.column = 0
        if control == "\n":
            self._down()

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([""] * self.columns)

    def _put(self, letter: str) -> None:
        cells = cell_len(letter)
        if self.column + cells > self.columns:
            self.column = 0
            self._down()
        if cells:
            self.rows[self.row][self.column] = letter
            for at in range(self.column + 1, self.column + cells):
                self.rows[self.row][at] = ""
            self.column += cells
