"""Rosters: whom a group reaches, made anew after every change of its members or their devices.

Whoever commits such a change leaves a mark; here, after the commit, members and device sets are
read, the next roster is written, carried to delivery, and forgotten only once delivery has decided
it. A crash anywhere repeats a step and loses none. Nothing else makes rosters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache

from linnet.server.ports.directory import Directory, Listing
from linnet.server.ports.groups import Folded, Groups
from linnet.server.ports.rosters import Mark
from linnet.server.ports.rosters import Rosters as RosterStore
from linnet.server.ports.timeline import Roster, Seat
from linnet.server.services.group_states import read_state
from linnet.signing.device_list import decode_list
from linnet.signing.group_state import GroupState, suspended

MARKS = 100
"""Marks looked at together."""
ROSTERS = 16
"""Rosters carried at a time: one of a large group is 60 KB."""
DECODED_LISTS = 8192

ChangeRoster = Callable[[Roster], Awaitable[None]]
"""Has delivery decide a roster; raises Unavailable. One not above the current is ignored there."""


class Rosters:
    """One at a time; who waits finds its change already carried."""

    def __init__(
        self, groups: Groups, rosters: RosterStore, directory: Directory, change: ChangeRoster
    ) -> None:
        self._groups = groups
        self._rosters = rosters
        self._directory = directory
        self._change = change
        self._turn = asyncio.Lock()

    async def sets_changed(self, accounts: Sequence[bytes]) -> None:
        """Return once delivery knows the device sets of these accounts in all their groups, as
        committed before the call. Raises Unavailable."""
        await self._rosters.enqueue(accounts)
        await self.carry()

    async def carry(self) -> None:
        """Return once every change committed and marked before the call is in a roster that
        delivery has decided. Raises Unavailable."""
        async with self._turn:
            # Marks come oldest first. What is marked after the last look has a caller of its own.
            more = True
            while more:
                marks = await self._rosters.marks(MARKS)
                for mark in marks:
                    await self._recompute(mark)
                more = len(marks) == MARKS
            await self._carry()

    async def newest(self, group: bytes) -> Roster | None:
        """The group's roster, as delivery knows it. Raises Unavailable."""
        if not await self._rosters.is_settled(group):
            await self.carry()
        return await self._rosters.newest(group)

    async def _carry(self) -> None:
        while rosters := await self._rosters.undecided(ROSTERS):
            # Handed over together, they are one commit.
            await asyncio.gather(*(self._change(roster) for roster in rosters))
            await self._rosters.decided(rosters)

    async def _recompute(self, mark: Mark) -> None:
        """Make the next roster, unless the newest is right as it is.

        The newest roster is read first, then the log, then the sets: so whoever writes upon the
        same one knows at least as much as it did.
        """
        written = False
        while not written:
            newest = await self._rosters.newest(mark.group)
            folded = await self._groups.get(mark.group)
            if folded is None:
                await self._rosters.clear(mark)
                return
            seats = await self._seats(read_state(folded.state))
            if newest is not None and _says(newest, folded, seats):
                await self._rosters.clear(mark)
                return
            head, number = folded.head, 0 if newest is None else newest.number
            roster = Roster(mark.group, number + 1, head.version, head.hash, seats)
            written = await self._rosters.write(roster, mark)

    async def _seats(self, state: GroupState) -> tuple[Seat, ...]:
        """Every member that is not suspended, by account id."""
        found = await self._directory.find(sorted(state.members))
        out = unreachable(state, found)
        return tuple(_seat(found[account]) for account in sorted(state.members.keys() - out))


def unreachable(state: GroupState, found: Mapping[bytes, Listing]) -> frozenset[bytes]:
    """Members to whom nothing is delivered: those who have another account key now, until an
    admin signs `rekey`, and those who do not exist any more."""
    keys = {account: listing.key for account, listing in found.items()}
    return suspended(state, keys) | (state.members.keys() - keys.keys())


def _says(roster: Roster, folded: Folded, seats: tuple[Seat, ...]) -> bool:
    head = folded.head
    return (roster.version, roster.hash, roster.seats) == (head.version, head.hash, seats)


def _seat(listing: Listing) -> Seat:
    devices = _devices(listing.list.body)
    return Seat(listing.account, listing.mailbox, listing.list.set, devices)


@lru_cache(maxsize=DECODED_LISTS)
def _devices(body: bytes) -> tuple[int, ...]:
    """Ids on a list, which was checked when it was stored."""
    return tuple(device.id for device in decode_list(body).devices)
