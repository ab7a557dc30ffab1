"""Failures: what a person is told instead of a traceback.

Only for what can go wrong without a bug. Anything else stays a traceback, to be reported.
"""

from __future__ import annotations

import errno
import os
import sys


class Failure(Exception):
    """The command ends with exit code 1. `what` happened, `why`, and what to `do`."""

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.do = do

    def told(self) -> str:
        """What goes to standard error: one to three lines."""
        return "\n  ".join(line for line in (f"linnet: {self.what}", self.why, self.do) if line)


def in_words(error: Exception) -> Failure | None:
    """What a mistake or the machine caused, for a person; None if it may be a bug."""
    match error:
        case Failure():
            return error
        case UnicodeEncodeError() | UnicodeDecodeError():
            return Failure(
                "the text is not valid Unicode.",
                f"It cannot be read or written as {error.encoding}.",
                "Write it in the encoding of your terminal, which is best UTF-8.",
            )
        case UnicodeError():  # the codec of host names
            return _no_address("")
        case OSError():
            return _of_system(error)
    if isinstance(error, _loaded("httpx", "InvalidURL")):
        return _no_address(f"{error}".rstrip(".") + ".")
    if isinstance(error, _loaded("linnet.client.errors", "ClientError")):
        return Failure(f"{error}.")
    return None


def unwritten(error: OSError) -> Failure:
    """Standard output takes no more."""
    return Failure("the output cannot be written.", _why(error), "Make room, or send it elsewhere.")


def _of_system(error: OSError) -> Failure:
    if error.filename is not None:
        return Failure(
            f"{os.fsdecode(error.filename)} cannot be used.",
            _why(error),
            "Give this user that place with room in it, or name another one.",
        )
    if error.errno in _OF_OUTPUT:
        return unwritten(error)
    return Failure("the system refused something.", _why(error))


_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def _no_address(why: str) -> Failure:
    return Failure(
        "the server's address is not valid.", why, "Write it as in http://127.0.0.1:8080."
    )


def _why(error: OSError) -> str:
    return f"{error.strerror or type(error).__name__}."


def _loaded(module: str, name: str) -> tuple[type[Exception], ...]:
    """The class, if anything could have raised it: saying why loads nothing."""
    found = getattr(sys.modules.get(module), name, None)
    return () if found is None else (found,)
