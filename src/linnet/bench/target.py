"""Targets: the floor and the server, started on their core and ready to be spoken to."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import msgspec

from linnet.bench.job import Login
from linnet.bench.process import Child, Listening, cores
from linnet.bench.seed import seed

READY_WITHIN_S = 120


def start_floor(place: Path, running: ExitStack) -> tuple[Child, Listening]:
    """The relay; `running` ends it. Raises BenchError."""
    return _start([sys.executable, "-m", "linnet.bench.floor"], place / "floor.log", running)


def start_server(
    place: Path, accounts: int, running: ExitStack
) -> tuple[Child, Listening, list[Login]]:
    """The server on a new data directory with so many accounts. Raises BenchError."""
    logins = seed(place / "data", accounts)
    child, at = serve(place, running)
    return child, at, logins


def serve(place: Path, running: ExitStack) -> tuple[Child, Listening]:
    """The server on a data directory that was seeded. Raises BenchError."""
    command = [sys.executable, "-m", "linnet.bench.server", str(place / "data")]
    return _start(command, place / "server.log", running)


def floor_logins(count: int) -> list[Login]:
    """Accounts the floor believes in: any."""
    accounts = [os.urandom(16) for _ in range(count)]
    return [Login(account, account.hex()) for account in accounts]


def write_job(path: Path, job: msgspec.Struct) -> Path:
    """Store a job where only this user can read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(job))
    return path


def _start(command: list[str], log: Path, running: ExitStack) -> tuple[Child, Listening]:
    child = running.enter_context(Child(command, cores()[0], log))
    return child, child.listening(READY_WITHIN_S)
