"""Epoch: the two facts that must not go back when the database is put back to an older one.

In a file of its own beside `secrets`, and never part of a backup: the highest epoch of positions
ever begun, and when the store was last restored. Knows nothing of positions or logins.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from linnet.server.ports import Unavailable


class _Kept(msgspec.Struct, frozen=True):
    highest: int = 0
    restored_ms: int = 0


class EpochFile:
    """The file; port `epochs`. A missing one says 0 and 0. Raises Unavailable: it is damaged, or
    the disk failed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept = _read(file)

    @property
    def highest(self) -> int:
        """The highest epoch ever begun."""
        return self._kept.highest

    @property
    def restored_ms(self) -> int:
        """When the operator last said that the data came from a backup; 0: never."""
        return self._kept.restored_ms

    def begin(self, epoch: int) -> None:
        """This epoch is about to be used. Durable when it returns. Raises Unavailable."""
        if epoch > self._kept.highest:
            self._keep(msgspec.structs.replace(self._kept, highest=epoch))

    def restored(self, now_ms: int) -> None:
        """The data came from a backup. Durable when it returns. Raises Unavailable."""
        self._keep(msgspec.structs.replace(self._kept, restored_ms=now_ms))

    def _keep(self, kept: _Kept) -> None:
        try:
            _replace(self._file, msgspec.json.encode(kept))
        except OSError as error:
            raise Unavailable("the epoch file cannot be written") from error
        self._kept = kept


def _read(file: Path) -> _Kept:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return _Kept()
    except OSError as error:
        raise Unavailable("the epoch file cannot be read") from error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unavailable("the epoch file is damaged") from None


def _replace(file: Path, content: bytes) -> None:
    """The whole new content or the whole old one, whenever the power fails."""
    draft = file.with_name(f"{file.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
