"""Keyboard: standard input as bytes when they come, a key at a time on a terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_MOST_BYTES = 4096


@contextmanager
def by_key() -> Iterator[None]:
    """Keys come one by one and unseen while this lasts; Ctrl-C stays what it is."""
    descriptor = sys.stdin.fileno()
    held = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, held)


async def keys() -> bytes:
    """What comes next; nothing at the end of the input."""
    descriptor = sys.stdin.fileno()
    await _readable(descriptor)
    try:
        return os.read(descriptor, _MOST_BYTES)
    except OSError:  # the terminal was closed
        return b""


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        return  # a file: epoll refuses it, and reading it never waits
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
