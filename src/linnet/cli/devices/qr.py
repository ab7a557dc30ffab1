"""QR codes on a terminal: two rows of modules in a line of text."""

from __future__ import annotations

import io
import sys


def drawn(data: bytes) -> str:
    """The QR code of these bytes, as light and dark half blocks with the border it needs.

    On a terminal light is white and dark is black, whatever its own colours are.
    """
    import segno

    out = io.StringIO()
    segno.make(data, error="l", mode="byte", micro=False).terminal(out, border=2, compact=True)
    if not sys.stdout.isatty():
        return out.getvalue()
    return "".join(f"\x1b[97;40m{line}\x1b[0m\n" for line in out.getvalue().splitlines())
