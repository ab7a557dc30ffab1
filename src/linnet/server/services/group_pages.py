"""Group pages: messages of a group by number, for a device that finds a hole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from linnet.server.ports.groups import Groups
from linnet.server.services.delivery.asked import GroupMessages
from linnet.server.services.delivery.sync import shown
from linnet.server.services.group_views import standing
from linnet.server.services.tokens import Identity
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import GroupPage

Messages = Callable[[bytes, bytes, int, int, int], Awaitable[GroupMessages]]
"""Of a group, for an account and its device, from a number to another: `Inline.group_messages`."""


@dataclass(frozen=True)
class GroupPages:
    """Asks delivery, for members and former ones."""

    groups: Groups
    messages: Messages

    async def page(self, identity: Identity, group: bytes, first: int, last: int) -> GroupPage:
        """Messages numbered `first` to `last`, each judged by membership at its number.

        What is in neither list lies above the group's newest message, or after a full page: ask
        again from there. Raises `malformed` for a range that ends before it begins, `not_found`,
        `not_member`.
        """
        if last < first:
            raise RequestRefused("malformed", "to is below from")
        await standing(self.groups, group, identity.account)
        found = await self.messages(group, identity.account, identity.device, first, last)
        return GroupPage(
            rows=[shown(entry, identity) for entry in found.rows],
            not_entitled=found.not_entitled,
            expired=found.expired,
        )
