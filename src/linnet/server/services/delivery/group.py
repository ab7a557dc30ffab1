"""Group: a group as the driver holds it, and what a new roster makes of it. Pure.

A member's numbers are kept as spans: from the first message after the roster that brought it to
the last before the one that removed it. A device begins at the first message after the roster
that brought it, and keeps that when it leaves.
"""

from __future__ import annotations

from linnet.server.ports.timeline import Gathering, Member, Roster
from linnet.server.services.delivery.watermark import Intervals
from linnet.wire.limits import GROUP_MEMBERS

SPANS_MOST = 32
"""Spans kept of one member, the newest."""


class Group:
    """The newest roster in the shapes that every message asks for; never changed once made."""

    __slots__ = ("devices", "gathering", "mailboxes", "seats")

    def __init__(self, gathering: Gathering) -> None:
        seats = gathering.roster.seats
        self.gathering = gathering
        self.seats = {seat.account: seat for seat in seats}
        self.mailboxes = tuple(seat.mailbox for seat in seats)
        self.devices = [bytes(seat.devices) for seat in seats]

    @property
    def roster(self) -> Roster:
        """The roster that messages must name."""
        return self.gathering.roster

    @property
    def members(self) -> dict[bytes, Member]:
        """Who is in the group or was."""
        return self.gathering.members


def regrouped(held: Group | None, roster: Roster, number: int) -> Group:
    """The group under a new roster; `number` is that of the first message it is for."""
    before = held.members if held is not None else {}
    members = _former(before, roster, number)
    for seat in roster.seats:
        member = before.get(seat.account)
        starts = dict(member.starts) if member is not None else {}
        for device in seat.devices:
            starts.setdefault(device, number)
        spans = _entered(member.spans if member is not None else (), number)
        members[seat.account] = Member(seat.set, starts, spans)
    return Group(Gathering(roster, members))


def _former(before: dict[bytes, Member], roster: Roster, number: int) -> dict[bytes, Member]:
    """Who is no longer in it, the last to leave last, and no more of them than a group may have."""
    staying = {seat.account for seat in roster.seats}
    former = {}
    for account, member in before.items():
        if account not in staying and (spans := _left(member.spans, number)):
            former[account] = Member(member.set, member.starts, spans)
    if len(former) > GROUP_MEMBERS:
        newest = sorted(former, key=lambda account: former[account].spans[-1][1])
        former = {account: former[account] for account in newest[-GROUP_MEMBERS:]}
    return former


def _entered(spans: Intervals, number: int) -> Intervals:
    if spans and spans[-1][1] == 0:
        return spans
    if spans and spans[-1][1] == number - 1:
        return (*spans[:-1], (spans[-1][0], 0))  # no message came while it was out
    return (*spans, (number, 0))[-SPANS_MOST:]


def _left(spans: Intervals, number: int) -> Intervals:
    if spans[-1][1]:
        return spans
    first = spans[-1][0]
    return (*spans[:-1], (first, number - 1)) if first < number else spans[:-1]


def within(intervals: Intervals, spans: Intervals) -> Intervals:
    """What of `intervals` lies in spans: nobody has committed what was not for it."""
    if len(spans) == 1 and spans[0][1] == 0:
        return intervals  # never left, and its devices begin where it came
    cut = [
        (max(low, first), min(high, last or high))
        for first, last in spans
        for low, high in intervals
    ]
    return tuple((low, high) for low, high in cut if low <= high)
