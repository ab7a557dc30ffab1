"""Runs: what an ack says of others' messages, by conversation. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from linnet.server.ports.timeline import Accepted
from linnet.server.services.delivery.watermark import Run


def runs_of(
    rows: Iterable[tuple[int, Accepted, bool]], account: bytes, gap: int = 0
) -> dict[bytes, list[Run]]:
    """Runs of others' messages in rows that were acknowledged, by conversation: of one sender
    each, because in a group each sender is told.

    Messages of this account's other devices are told to nobody; control messages have no number
    and no tick. No run reaches over `gap`, below which rows have expired.
    """
    runs: dict[bytes, list[Run]] = {}
    for at, accepted, bare in rows:
        number = accepted.conv_seq
        if not number or accepted.sender == account:
            continue
        held = runs.get(accepted.conversation)
        if held is None:
            runs[accepted.conversation] = [Run(accepted.sender, number, number, at, bare)]
            continue
        sender, first, _, before, was_bare = held[-1]
        if was_bare == bare and accepted.sender == sender and not before < gap < at:
            held[-1] = Run(sender, first, number, at, bare)
        else:
            held.append(Run(accepted.sender, number, number, at, bare))
    return runs
