"""View: what one device is shown of a mailbox row."""

from __future__ import annotations

from linnet.server.ports.timeline import Accepted, Entry
from linnet.wire.frames import SEALED, Deliver, Own, Row, Sent

_NOWHERE = bytes(16)


def view(entry: Entry, account: bytes, device: int) -> Deliver | Own | Row:
    """The row as `own` to the sending device, `message` where a part is for it, else `row`."""
    accepted = entry.accepted
    if not accepted.device:
        return _sealed(entry, device)
    if accepted.device == device and accepted.sender == account:
        return Own(
            entry.position,
            entry.prev,
            accepted.conversation,
            accepted.id,
            accepted.conv_seq,
            accepted.server_timestamp,
            accepted.commitment,
            accepted.sets,
            accepted.roster,
        )
    for part in entry.parts:
        if part.device == device:
            return Deliver(
                entry.position,
                entry.prev,
                accepted.conversation,
                accepted.conv_seq,
                accepted.id,
                accepted.sender,
                accepted.device,
                accepted.mode,
                part.kind,
                part.ciphertext,
                accepted.commitment,
                accepted.timestamp,
                accepted.server_timestamp,
                accepted.sets,
                accepted.roster,
                accepted.stamp,
            )
    return Row(entry.position, entry.prev, accepted.conversation, accepted.conv_seq)


def _sealed(entry: Entry, device: int) -> Deliver | Row:
    """Neither where it belongs nor whose it is: that is inside."""
    accepted = entry.accepted
    for part in entry.parts:
        if part.device == device:
            return Deliver(
                entry.position,
                entry.prev,
                _NOWHERE,
                0,
                accepted.id,
                accepted.sender,
                0,
                accepted.mode,
                SEALED,
                part.ciphertext,
                accepted.commitment,
                accepted.timestamp,
                accepted.server_timestamp,
            )
    return Row(entry.position, entry.prev, _NOWHERE, 0)


def sent(accepted: Accepted, position: int, prev: int) -> Sent:
    """The answer to the sending device; with a position it is also its row's push."""
    return Sent(
        accepted.id,
        accepted.conv_seq,
        accepted.server_timestamp,
        accepted.commitment,
        accepted.sets,
        accepted.roster,
        position,
        prev,
    )
