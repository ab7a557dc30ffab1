"""Verdict: whether everything arrived, and whether what was typed lies anywhere with the server.

The search is checked in the same pass: it must find the ciphertexts, which are known to be there.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from linnet.cli.demo import search
from linnet.cli.demo.play import TITLE, Exchange
from linnet.cli.demo.search import Searched
from linnet.cli.demo.stage import Stage


class Verdict(msgspec.Struct, kw_only=True):
    """What `linnet demo --once --json` prints."""

    ok: bool
    """Everything arrived as it was typed, the search works, and it found nothing typed."""
    messages: int
    server_bytes_searched: int
    plaintext_found: bool
    sent_ms: float
    """Median from typing to the first tick."""
    delivered_ms: float
    """Median from typing to the second tick, without messages to somebody who was away."""


def searched(stage: Stage, said: Sequence[Exchange]) -> Searched:
    """Look for everything typed in everything the server wrote."""
    typed = [TITLE, *(one.typed for one in said)]
    return search.search(_written(stage), [text.encode() for text in typed])


def search_works(stage: Stage, said: Sequence[Exchange]) -> bool:
    """Whether the same search finds each ciphertext where it must be."""
    files = _written(stage)
    stored = [ciphertext for one in said for ciphertext in one.kept]
    return bool(stored) and all(search.search(files, [one]).findings for one in stored)


def verdict(said: Sequence[Exchange], passes: Sequence[Searched], works: bool) -> Verdict:
    """Judge; `passes` are the searches made while the server ran and after it stopped."""
    found = any(one.findings for one in passes)
    arrived = all(
        one.read == [one.typed] * len(one.readers) and one.kept and one.delivered_ms is not None
        for one in said
    )
    live = [one.delivered_ms for one in said if not one.away and one.delivered_ms is not None]
    return Verdict(
        ok=arrived and works and not found and all(one.bytes for one in passes),
        messages=len(said),
        server_bytes_searched=sum(one.bytes for one in passes),
        plaintext_found=found,
        sent_ms=round(statistics.median(one.sent_ms for one in said), 2),
        delivered_ms=round(statistics.median(live), 2) if live else 0.0,
    )


def _written(stage: Stage) -> list[Path]:
    return search.files_under(stage.data, stage.log)
