"""Child processes: started on a core of their own, heard line by line, always ended.

A child says JSON lines on its output and ends when its input does, so nothing outlives a
benchmark that was killed. Only children started here are ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

END_WITHIN_S = 15
_TAIL_CHARACTERS = 2000


class BenchError(Exception):
    """A benchmark could not be done: a child did not start, answer in time, or stay alive."""


class Listening(msgspec.Struct):
    """The line a server says once it answers: `{"event": "listening", "url": …, "port": …}`."""

    event: str
    url: str
    port: int


def cores() -> tuple[int | None, int | None]:
    """Cores for (server, generator), where there are two; otherwise nothing is pinned."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


class Child:
    """One child process; a context manager that ends it."""

    def __init__(self, command: Sequence[str], core: int | None, log: Path) -> None:
        """Start `command` on `core`; what it says on its error output goes to `log`."""
        self._log = log
        self._command = command
        self._waiting = bytearray()
        with log.open("wb") as errors, _on_core(core):
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def tell(self, line: str) -> None:
        """Say one line to the child. Raises BenchError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._failed("ended") from error

    def line(self, within_s: float) -> bytes:
        """The child's next line. Raises BenchError when it ends or stays silent for so long."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + within_s
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._waiting:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise self._failed(f"said nothing for {within_s:.0f} s")
            said = os.read(descriptor, 1 << 16)
            if not said:
                raise self._failed("ended")
            self._waiting += said
        line, _, rest = bytes(self._waiting).partition(b"\n")
        self._waiting = bytearray(rest)
        return line

    def listening(self, within_s: float) -> Listening:
        """Wait until a server answers. Raises BenchError."""
        line = self.line(within_s)
        try:
            return msgspec.json.decode(line, type=Listening)
        except msgspec.DecodeError as error:
            raise self._failed("did not say where it listens") from error

    def end(self) -> None:
        """Close its input, ask it to stop, and kill it if it has not after END_WITHIN_S."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # it may have ended first, with something unread
            process.stdin.close()
        process.terminate()
        try:
            process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _failed(self, what: str) -> BenchError:
        said = self._log.read_text(errors="replace")[-_TAIL_CHARACTERS:]
        return BenchError(f"{' '.join(self._command[1:4])}: {what}\n{said}".rstrip())


@contextlib.contextmanager
def _on_core(core: int | None) -> Iterator[None]:
    """A child inherits the affinity of the thread that starts it: set it before, not after."""
    if core is None:
        yield
        return
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)
