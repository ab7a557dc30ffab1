"""Group views: what members, and former members, may read of a group.

A former member may read the log up to and including the entry that ended its membership: it can
verify that it was removed, and by whom, and learns nothing of what came after. To everybody else
a group's id tells nothing but whether there is such a group.
"""

from __future__ import annotations

from dataclasses import dataclass

from linnet.server import config
from linnet.server.ports.groups import CitedList, Groups, Head, LoggedEntry
from linnet.server.services.rosters import Rosters
from linnet.server.services.tokens import Identity
from linnet.wire.errors import RequestRefused
from linnet.wire.limits import GROUP_LOG_ENTRIES
from linnet.wire.rest import GroupHead, GroupLog, OwnGroups, Roster, RosterMember, Signed


async def standing(groups: Groups, group: bytes, account: bytes) -> GroupHead:
    """Where the group stands for this account: its head for a member; for a former one the entry
    that ended its membership, and no roster.

    Raises `not_found`, `not_member`.
    """
    head = await groups.head(group)
    if head is None:
        raise RequestRefused("not_found")
    membership = await groups.membership(group, account)
    if membership is None:
        raise RequestRefused("not_member")
    if membership.removed is None:
        return _shown(head)
    last = await groups.entry(group, membership.removed)
    assert last is not None
    return GroupHead(group=group, version=last.version, hash=last.hash, roster=0)


@dataclass(frozen=True)
class GroupViews:
    """Reads groups."""

    groups: Groups
    rosters: Rosters
    limits: config.Groups

    async def log(self, identity: Identity, group: bytes, since: int) -> GroupLog:
        """Entries after version `since`, and the lists they cite. Raises `not_found`,
        `not_member`."""
        head = await standing(self.groups, group, identity.account)
        page = await self.groups.log(
            group, since, head.version, GROUP_LOG_ENTRIES, self.limits.page_bytes
        )
        last = page.entries[-1].version if page.entries else since
        return GroupLog(
            entries=[_signed(entry) for entry in page.entries],
            lists=[_signed(cited) for cited in page.lists],
            head=head,
            more=last < head.version,
        )

    async def members(self, identity: Identity, group: bytes) -> Roster:
        """The roster that messages must name now, with the head it was made at. Raises
        `not_found`, `not_member` (also for a member that is suspended)."""
        await standing(self.groups, group, identity.account)
        roster = await self.rosters.newest(group)
        if roster is None or all(seat.account != identity.account for seat in roster.seats):
            raise RequestRefused("not_member")
        head = Head(group, roster.version, roster.hash, roster.number)
        members = [
            RosterMember(account=seat.account, set=seat.set, devices=list(seat.devices))
            for seat in roster.seats
        ]
        return Roster(head=_shown(head), members=members)

    async def own(self, identity: Identity) -> OwnGroups:
        """The groups that the caller is a member of."""
        heads = await self.groups.heads_of(identity.account)
        return OwnGroups(groups=[_shown(head) for head in heads])


def _shown(head: Head) -> GroupHead:
    return GroupHead(group=head.group, version=head.version, hash=head.hash, roster=head.roster)


def _signed(stored: LoggedEntry | CitedList) -> Signed:
    return Signed(body=stored.body, sig=stored.sig)
