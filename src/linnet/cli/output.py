"""Output: standard output and error that take every text, and may be full or gone.

What is printed is decided elsewhere.
"""

from __future__ import annotations

import io
import os
import sys


def forgiving() -> None:
    """What the terminal's encoding lacks is shown as `?`, and ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def let_go() -> None:
    """Write what is left of standard output, or drop it: the interpreter must not fail over it."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
