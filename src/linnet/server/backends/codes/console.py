"""Codes on the console: for an operator who hands codes over in person, and for the demo.

This is the one place where Linnet shows a phone number. Nothing else logs or prints one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from linnet.server.ports import Unavailable


class ConsoleCodes:
    """Prints a line per code on stderr, or appends it to `file` (made readable by its owner
    only): `code <number> <code> <seconds it lives>`."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    async def send(self, number: str, code: str, expires_in_s: int) -> None:
        line = f"code {number} {code} {expires_in_s}\n"
        if self._file is None:
            sys.stderr.write(line)
            return
        try:
            self._file.touch(mode=0o600)
            with self._file.open("a", encoding="ascii") as out:
                out.write(line)
        except OSError as error:
            raise Unavailable("codes cannot be written") from error
