"""Secrets: the server's own keys, in one file that only its owner may read.

Made once and never changed: with other keys every phone number becomes unknown and every login
ends. Back the file up with the database, and apart from it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from linnet.server.ports import Unavailable

SECRET_BYTES = 32


class SecretsUnreadable(Exception):
    """The file is not what `load` writes. It is never replaced: that would end every login."""


class Secrets(msgspec.Struct, frozen=True):
    """Independent random keys of 32 bytes; never shown by `repr`."""

    pepper: bytes
    """Keys the hashes of phone numbers and codes."""
    access: bytes
    """Signs access tokens."""
    refresh: bytes
    """Derives refresh tokens."""
    certificates: bytes = b""
    """Makes the keys that certify senders. A file by an older Linnet has none: then it follows
    from `refresh`, so that the file need never change."""

    def __repr__(self) -> str:
        return "Secrets(…)"


def load(file: Path, rng: Callable[[int], bytes] = os.urandom, may_make: bool = True) -> Secrets:
    """Read the file, making it first if it is missing: whole or not at all, mode 0600.

    Where it may not be made, there is a database that was written with other secrets, which a
    restore forgot. Raises SecretsUnreadable, or Unavailable if the disk fails.
    """
    try:
        if not file.exists():
            if not may_make:
                raise SecretsUnreadable(f"{file} is missing beside its database")
            _create(file, _fresh(rng))
        return _decode(file.read_bytes())
    except OSError as error:
        raise Unavailable("the secrets file cannot be used") from error


def _fresh(rng: Callable[[int], bytes]) -> Secrets:
    return Secrets(*(rng(SECRET_BYTES) for _ in Secrets.__struct_fields__))


def _create(file: Path, secrets: Secrets) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(msgspec.json.encode(secrets))
            out.flush()
            os.fsync(out.fileno())
        _publish(draft, file)
    finally:
        draft.unlink()


def _publish(draft: Path, file: Path) -> None:
    try:
        os.link(draft, file)  # unlike a rename, never replaces what somebody else just made
    except FileExistsError:
        return
    directory = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _decode(content: bytes) -> Secrets:
    try:
        secrets = msgspec.json.decode(content, type=Secrets)
    except msgspec.MsgspecError:
        raise SecretsUnreadable("the secrets file is damaged") from None
    if not secrets.certificates:
        derived = hmac.digest(secrets.refresh, b"certificates", hashlib.sha256)
        secrets = msgspec.structs.replace(secrets, certificates=derived)
    if {len(key) for key in msgspec.structs.astuple(secrets)} != {SECRET_BYTES}:
        raise SecretsUnreadable("the secrets file is damaged")
    return secrets
