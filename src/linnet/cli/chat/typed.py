"""Typed: the line that is being typed. Bytes in, finished lines out; draws nothing.

Edits at the end of the line only: backspace, Ctrl-U, Ctrl-W. Arrow and function keys are ignored.
"""

from __future__ import annotations

import codecs

_ESCAPE = "\x1b"
_BACKSPACE = ("\x7f", "\b")
_WORD, _LINE, _END = "\x17", "\x15", "\x04"


class Typed:
    """What was typed since the last Enter."""

    def __init__(self) -> None:
        self.text = ""
        self.ended = False
        """Ctrl-D was typed on an empty line: no more is to come."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._escape = ""

    def feed(self, data: bytes) -> list[str]:
        """Take what came from the keyboard; the lines that it finished."""
        lines: list[str] = []
        for letter in self._decode(data):
            if self._escape or letter == _ESCAPE:
                self._skip(letter)
            elif letter in "\r\n":
                lines.append(self.text)
                self.text = ""
            else:
                self._edit(letter)
        return lines

    def _edit(self, letter: str) -> None:
        if letter in _BACKSPACE:
            self.text = self.text[:-1]
        elif letter == _LINE:
            self.text = ""
        elif letter == _WORD:
            self.text = self.text.rstrip()
            self.text = self.text[: self.text.rfind(" ") + 1]
        elif letter == _END:
            self.ended = self.ended or not self.text
        elif letter == "\t":
            self.text += " "
        elif letter.isprintable() or letter == "\u200d":  # joins emoji
            self.text += letter

    def _skip(self, letter: str) -> None:
        """Swallow an escape sequence: ESC, [ or O, parameters, a letter or ~ (ECMA-48 §5.4)."""
        self._escape += letter
        inside = self._escape[1:]
        if not inside or inside in ("[", "O"):
            return
        if inside[0] != "[" or "@" <= letter <= "~":
            self._escape = ""
