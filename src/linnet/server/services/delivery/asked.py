"""Asked: what a member may ask for afterwards. Ticks after a reconnect; messages of a group by
number, for holes.

Reads only, of what is committed, and tells nobody what was not for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from linnet.server.ports.bus import Delivered
from linnet.server.ports.timeline import (
    Entry,
    Gathering,
    Head,
    Mark,
    Member,
    Timeline,
    Wanted,
    spread_entry,
)
from linnet.server.services.delivery.group import within
from linnet.server.services.delivery.watermark import Intervals, union

PAGE_ROWS = 500
PAGE_BYTES = 1024 * 1024


class GroupMessages(NamedTuple):
    """Messages of a range of numbers; what of it is not here is in one of the two other lists.

    A page ends where it is full: ask again after the highest number told. `rows` stand in no
    mailbox: their position and prev are 0.
    """

    rows: list[Entry]
    not_entitled: list[tuple[int, int]]
    expired: list[tuple[int, int]]


async def watermarks(
    timeline: Timeline, conversations: Iterable[bytes], asker: bytes
) -> list[Delivered]:
    """The other members' watermarks of each; of one's own where there is nobody else.

    Nothing of conversations that the asker is not a member of. Raises Unavailable.
    """
    heads = (await timeline.load(Wanted(heads=set(conversations)))).heads
    groups = {id for id, head in heads.items() if head.roster}
    gatherings: dict[bytes, Gathering] = {}
    if groups:
        gatherings = (await timeline.load(Wanted(gatherings=groups))).gatherings
    members = {id: _members_for(asker, heads[id], gatherings.get(id)) for id in heads}
    keys = {
        (conversation, account)
        for conversation, all_of in members.items()
        if asker in all_of
        for account in (all_of.keys() - {asker}) or {asker}
    }
    if not keys:
        return []
    marks = (await timeline.load(Wanted(marks=keys))).marks
    found = []
    for conversation, account in sorted(keys):
        member = members[conversation][account]
        told = _told(marks.get((conversation, account), []), member)
        found.append(Delivered(asker, conversation, account, told, conversation in groups))
    return found


def _members_for(asker: bytes, head: Head, gathering: Gathering | None) -> dict[bytes, Member]:
    """Who is in a conversation; of a group, those who were as well, if the asker still is."""
    if gathering is None:
        return head.members
    member = gathering.members.get(asker)
    return gathering.members if member is not None and member.spans[-1][1] == 0 else {}


def _told(marks: list[Mark], member: Member) -> Intervals:
    told = union(interval for mark in marks for interval in mark.intervals)
    return within(told, member.spans) if member.spans else told


async def group_messages(
    timeline: Timeline, group: bytes, account: bytes, device: int, first: int, last: int
) -> GroupMessages:
    """Messages numbered `first` to `last` that were for this device, as far as they are kept.

    Numbers above the newest message are not there yet, and left out. Membership is that at each
    number: who was removed may still ask for what came before. Raises Unavailable.
    """
    # What has expired is told apart by the head, so it is read first.
    loaded = await timeline.load(Wanted(heads={group}, gatherings={group}))
    head, gathering = loaded.heads.get(group), loaded.gatherings.get(group)
    first, last = max(first, 1), min(last, head.conv_seq if head is not None else 0)
    if first > last:
        return GroupMessages([], [], [])
    member = gathering.members.get(account) if gathering is not None else None
    entitled = _entitled(member, device, first, last)
    rows: list[Entry] = []
    size = 0
    expired: list[tuple[int, int]] = []
    for low, high in entitled:
        most, most_bytes = PAGE_ROWS - len(rows), PAGE_BYTES - size
        if most <= 0 or most_bytes <= 0:
            last = low - 1
            break
        found = await timeline.numbered(group, low, high, most, most_bytes)
        size += sum(len(body) for _, body in found)
        rows += [
            spread_entry(b"", 0, 0, accepted, body, bytes((device,))) for accepted, body in found
        ]
        reached = found[-1][0].conv_seq if found else high
        first_kept = found[0][0].conv_seq if found else high + 1
        if first_kept > low:
            expired.append((low, first_kept - 1))
        if reached < high:
            last = reached
            break
    return GroupMessages(rows, _others(entitled, first, last), expired)


def _entitled(member: Member | None, device: int, first: int, last: int) -> Intervals:
    """What of a range was for this device: its account was in, and it was there."""
    if member is None or device not in member.starts:
        return ()
    return within(((max(first, member.starts[device]), last),), member.spans)


def _others(entitled: Intervals, first: int, last: int) -> list[tuple[int, int]]:
    """What of a range lies in none of these intervals."""
    found = []
    for low, high in entitled:
        if low > last:
            break
        if first < low:
            found.append((first, low - 1))
        first = high + 1
    if first <= last:
        found.append((first, last))
    return found
