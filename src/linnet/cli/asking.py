"""Asking: questions to the person at the terminal. Ctrl-C there ends the command at once, also
while an event loop runs, which would hear of it only after the answer."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from linnet.cli.failures import Failure


def must_be_answered() -> None:
    """Raises Failure where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise Failure("there is nobody to ask.", do="Run it in a terminal, or with --yes.")


def wanted(question: str) -> bool:
    """Whether a person says yes; no unless they do. Raises Failure, Interrupted."""
    must_be_answered()
    with _interruptible():
        return typer.confirm(question, err=True)


def typed(question: str) -> str:
    """What a person types. Raises Interrupted."""
    with _interruptible():
        return str(typer.prompt(question, err=True))


@contextmanager
def _interruptible() -> Iterator[None]:
    from linnet.cli.running import Interrupted  # brings asyncio, which `--help` does without

    held = signal.signal(signal.SIGINT, signal.default_int_handler)
    loop = signal.set_wakeup_fd(-1)  # a running loop would hear of it too, and cut off tidying up
    try:
        yield
    except typer.Abort:
        sys.stderr.write("\n")
        raise Interrupted from None
    finally:
        signal.set_wakeup_fd(loop, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, held)
