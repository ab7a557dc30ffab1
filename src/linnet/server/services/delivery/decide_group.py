"""Decide for groups: what becomes of one record to a group.

Pure, like `decide`. In place of two sets stands the group's roster: who is not in it is no member,
who names another one is stale. Removal therefore takes effect where its roster stands among the
group's records: no message that names it reaches who it left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from linnet.server.ports.timeline import Accepted, Head, Outcome, Roster, Seat
from linnet.server.services.delivery.decide import (
    Decision,
    Record,
    Retry,
    earliest_ms,
    judged_before,
    refuse,
)
from linnet.wire.frames import FULL, Send


def decide_group(
    head: Head, known: Sequence[Outcome], roster: Roster | None, seat: Seat | None, record: Record
) -> Decision:
    """The outcome of a record to a group. `seat` is the sender's in `roster`, None without one.

    The decision has no rows: there is one for every seat of the roster.
    """
    if (judged := judged_before(head, known, record)) is not None:
        return judged
    frame = record.frame
    if roster is None or seat is None or record.device not in seat.devices:
        # The roster that brings it may be on its way here; then the same message is accepted.
        return Decision(Retry("not_member"), [], head)
    if frame.roster != roster.number:
        return Decision(Retry("group_changed", roster=roster.number), [], head)
    if not _is_for_a_group(frame):
        return refuse(head, record, "malformed")
    return _accept(head, record, roster)


def _is_for_a_group(frame: Send) -> bool:
    """One body for everybody, and nothing for a device alone."""
    private = frame.parts or frame.own_parts or frame.sets is not None
    return frame.mode == FULL and bool(frame.body) and not private


def _accept(head: Head, record: Record, roster: Roster) -> Decision:
    frame = record.frame
    clock = max(earliest_ms(record), head.clock)
    after = Head(record.conversation, head.conv_seq + 1, clock, head.members, roster.number)
    accepted = Accepted(
        record.conversation,
        after.conv_seq,
        frame.id,
        record.sender,
        record.device,
        frame.mode,
        frame.timestamp,
        clock,
        frame.commitment,
        None,
        roster.number,
    )
    return Decision(accepted, [], after)
