"""Search: whether a text occurs anywhere in files, in the forms it could have leaked in.

Forms: UTF-8, UTF-16, hex, base64 at each alignment, JSON escapes. A text is looked for in pieces
too, because a database may cut a value in two. Compressed or encrypted text is not found: finding
nothing is no proof of privacy.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

PIECE_BYTES = 12
_BLOCK_BYTES = 8 * 1024 * 1024


class Finding(msgspec.Struct, frozen=True):
    """One form of something looked for, at one place. Does not say what."""

    file: str
    form: str
    offset: int


class Searched(msgspec.Struct):
    """What a search came to."""

    files: int = 0
    bytes: int = 0
    findings: list[Finding] = []


def forms(secret: bytes) -> dict[bytes, str]:
    """Every byte string to look for, with the name of its form."""
    found: dict[bytes, str] = {}
    for piece in pieces(secret):
        for needle, form in _encoded(piece):
            found.setdefault(needle, form)
    return found


def pieces(secret: bytes) -> list[bytes]:
    """The secret, and pieces of PIECE_BYTES that begin so close to each other that one is whole
    on one side of any single cut; shorter than two pieces, the secret alone."""
    if len(secret) < 2 * PIECE_BYTES:
        return [secret]
    last = len(secret) - PIECE_BYTES
    step = min(PIECE_BYTES // 2, len(secret) // 2 - PIECE_BYTES + 1)
    starts = [*range(0, last, step), last]
    return [secret, *(secret[start : start + PIECE_BYTES] for start in starts)]


def _encoded(piece: bytes) -> Iterator[tuple[bytes, str]]:
    yield piece, "raw"
    yield piece.hex().encode(), "hex"
    yield piece.hex().upper().encode(), "hex"
    for skip in range(3):
        yield from ((text, "base64") for text in _in_base64(piece, skip))
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return
    yield text.encode("utf-16-le"), "utf-16"
    yield text.encode("utf-16-be"), "utf-16"
    yield json.dumps(text)[1:-1].encode(), "json"


def _in_base64(piece: bytes, skip: int) -> set[bytes]:
    """The characters that stand for whole groups of `piece` when `skip` of its bytes belong to
    the group before."""
    whole = piece[skip : skip + (len(piece) - skip) // 3 * 3]
    if len(whole) < 6:  # shorter than that occurs by chance
        return set()
    return {base64.b64encode(whole), base64.urlsafe_b64encode(whole)}


def files_under(*places: Path) -> list[Path]:
    """Every regular file in these directories, and these files."""
    found: list[Path] = []
    for place in places:
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        found.extend(path for path in inside if path.is_file() and not path.is_symlink())
    return found


def search(files: Iterable[Path], secrets: Iterable[bytes]) -> Searched:
    """Read every byte of every file once. A file that vanishes meanwhile is skipped."""
    needles: dict[bytes, str] = {}
    for secret in secrets:
        needles.update(forms(secret))
    done = Searched()
    for file in files:
        try:
            _one(file, needles, done)
        except FileNotFoundError:
            continue
    return done


def _one(file: Path, needles: dict[bytes, str], done: Searched) -> None:
    overlap = max(map(len, needles), default=1) - 1
    with file.open("rb") as opened:
        tail, offset = b"", 0
        while block := opened.read(_BLOCK_BYTES):
            done.bytes += len(block)
            seen = tail + block
            for needle, form in needles.items():
                at = seen.find(needle)
                if at >= 0:
                    done.findings.append(Finding(str(file), form, offset - len(tail) + at))
            offset += len(block)
            tail = seen[-overlap:] if overlap else b""
    done.files += 1
