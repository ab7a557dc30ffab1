"""A decoder under test: what it is given, what it may raise, and what must come back the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CORPUS: Final = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Decoder:
    """`decode` returns or raises one of `errors`. `again`: what it returned, encoded.

    `canonical`: that is what was decoded, byte for byte; else decoding it gives the same again.
    `covers` are the functions of the package that it is the test of.
    """

    name: str
    decode: Callable[[bytes], Any]
    errors: tuple[type[Exception], ...]
    covers: tuple[str, ...]
    again: Callable[[Any], bytes] | None = None
    canonical: bool = True
    within_s: float = 1.0

    def examples(self) -> list[bytes]:
        """The committed corpus: valid examples first made by `python -m tests.fuzz.gather`, and
        whatever was once found wanting."""
        lines = (CORPUS / f"{self.name}.hex").read_text(encoding="ascii").split()
        return [bytes.fromhex(line) if line != "-" else b"" for line in lines]

    def accepts(self, data: bytes) -> bool:
        """Whether it decodes. Raises what breaks the promise."""
        try:
            value = self.decode(data)
        except self.errors:
            return False
        if self.again is not None:
            encoded = self.again(value)
            if self.canonical:
                assert encoded == data, f"{self.name}: another encoding of the same"
            else:
                assert self.again(self.decode(encoded)) == encoded, f"{self.name}: does not settle"
        return True


def by_text(decode: Callable[[str], Any]) -> Callable[[bytes], Any]:
    """A decoder of text, given bytes: what is no UTF-8 stands as lone surrogates do."""
    return lambda data: decode(data.decode("utf-8", "replace"))
