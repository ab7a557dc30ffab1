"""QR codes on a terminal: two rows of modules in a line of text."""

from __future__ import annotations

import io


def drawn(data: bytes) -> str:
    """The QR code of these bytes, as light and dark half blocks with the border it needs."""
    import segno

    out = io.StringIO()
    segno.make(data, error="l", mode="byte", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue()
