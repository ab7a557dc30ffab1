"""Registry: where the demos of this user are, so that `--as alice` finds her.

A file per demo in a directory that only this user can enter; it names directories and no secrets.
A file whose demo is gone is removed when it is met.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from linnet.cli.failures import Failure


class Person(msgspec.Struct, frozen=True):
    """Somebody in a demo."""

    directory: str
    number: str
    peer: str
    """Who they talk to: a key of `Running.people`."""


class Running(msgspec.Struct, frozen=True):
    """A demo that stays up."""

    pid: int
    url: str
    people: dict[str, Person]


@contextmanager
def entered(running: Running) -> Iterator[None]:
    """Can be found while this lasts."""
    file = _place() / f"demo-{running.pid}.json"
    file.write_bytes(msgspec.json.encode(running))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find() -> Running | None:
    """The demo that was started last, if one is running."""
    files = _place().glob("demo-*.json")
    for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        running = _read(file)
        if running is not None and _alive(running.pid):
            return running
        file.unlink(missing_ok=True)
    return None


def _read(file: Path) -> Running | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError):
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _place() -> Path:
    """The runtime directory, ours alone. Raises Failure if somebody else made it."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(given) if given and Path(given).is_dir() else Path(tempfile.gettempdir())
    place = base / f"linnet-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    held = place.lstat()
    if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.getuid() or held.st_mode & 0o077:
        raise Failure(
            f"{place} is not a directory of yours alone.",
            "Demos write there where their accounts are.",
            "Remove it, or set XDG_RUNTIME_DIR.",
        )
    return place
