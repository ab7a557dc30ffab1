"""The command line as a user meets it: processes, their output and exit codes."""

from __future__ import annotations

import codecs
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINNET = (sys.executable, "-m", "linnet.cli")
WITHIN_S = 60


@dataclass
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


def linnet(*arguments: object, stdin: str = "", **environment: str) -> Ran:
    """Run a command to its end."""
    done = subprocess.run(
        [*LINNET, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        env=_environment(**{"COLUMNS": "100", **environment}),
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass
class Served:
    """A running `linnet serve`."""

    process: subprocess.Popen[str]
    url: str
    data: Path
    codes: Path
    log: Path

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_S)

    def code_for(self, number: str) -> str:
        """The last code that was sent to a number."""
        lines = [line.split() for line in self.codes.read_text().splitlines()]
        return [line[2] for line in lines if line[1] == number][-1]


@contextmanager
def started(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A command that stays up, with pipes for input and output; ended at the end."""
    process = subprocess.Popen(
        [*LINNET, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(**environment),
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.terminate()
        process.wait(WITHIN_S)
        process.stdin.close()
        process.stdout.close()


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, *arguments: object) -> None:
        ours, theirs = pty.openpty()
        self._ours = ours
        self._decode = codecs.getincrementaldecoder("utf-8")().decode  # reads end anywhere
        self.shown = ""
        self.process = subprocess.Popen(
            [*LINNET, *map(str, arguments)],
            preexec_fn=lambda: os.login_tty(theirs),
            pass_fds=(theirs,),
        )
        os.close(theirs)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def see(self, text: str) -> str:
        """Read until this is shown; what was shown since the last time, with it."""
        deadline = time.monotonic() + WITHIN_S
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self._ours], [], [], 0.1)[0]:
                self.shown += self._decode(os.read(self._ours, 65536))
        seen, _, self.shown = self.shown.partition(text)
        return seen + text

    def end(self) -> int:
        code = self.process.wait(WITHIN_S)
        os.close(self._ours)
        return code


def registered(town: Served, directory: Path, number: str) -> dict[str, Any]:
    """An account in `directory`, made in the two steps of a program."""
    arguments = ["register", "--number", number, "--server", town.url, "--dir", directory]
    linnet(*arguments)
    done = linnet(*arguments, "--code", town.code_for(number), "--json")
    assert done.code == 0, done.err
    account: dict[str, Any] = done.json
    return account


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line it prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "it ended"
    return line


@contextmanager
def served(place: Path) -> Iterator[Served]:
    """A server of its own process with everything under `place`."""
    data, codes, log = place / "server", place / "codes", place / "server.log"
    arguments = ["serve", "--data", data, "--port", "0", "--codes-file", codes, "--json"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*LINNET, *map(str, arguments)], stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Served(process, json.loads(line)["url"], data, codes, log)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(WITHIN_S)
        process.stdout.close()


def _environment(**changed: str) -> dict[str, str]:
    """As here, but buffered, so that a line that was not flushed is missed."""
    return {**{k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}, **changed}
