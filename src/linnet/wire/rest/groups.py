"""Bodies of group logs and rosters."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from linnet.wire.frames import Device, Id16, Interval, Natural
from linnet.wire.rest.base import Body, Signed


class GroupCreate(Body):
    """`POST /v1/groups`: the genesis entry, signed by a device of the founder."""

    genesis: Signed


class GroupAppend(Body):
    """`POST /v1/groups/{group}/log`: the next entry; `conflict` if another one was first."""

    entry: Signed


class GroupHead(Body):
    """Where a group stands: its log's version, that entry's hash, and its roster."""

    group: Id16
    version: Natural
    hash: Annotated[bytes, Meta(min_length=32, max_length=32)]
    roster: Natural


class GroupLog(Body):
    """`GET /v1/groups/{group}/log?since=`: entries after version `since`, and the lists that
    their actors cited, each once."""

    entries: list[Signed]
    lists: list[Signed]
    head: GroupHead
    more: bool


class RosterMember(Body):
    """An account that messages naming this roster reach, and its devices."""

    account: Id16
    set: Natural
    devices: list[Device]


class Roster(Body):
    """`GET /v1/groups/{group}/members`: the newest roster."""

    head: GroupHead
    members: list[RosterMember]


class OwnGroups(Body):
    """`GET /v1/groups`: the groups that this account is a member of."""

    groups: list[GroupHead]


class GroupPage(Body):
    """`GET /v1/groups/{group}/messages?from=&to=`: messages by number, for holes.

    What of the range is not in `rows` is in `not_entitled` or `expired`, as intervals.
    """

    rows: list[dict[str, Any]]
    not_entitled: list[Interval]
    expired: list[Interval]
