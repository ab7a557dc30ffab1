"""Services: what the HTTP edge calls, handed over by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from linnet.server.services.accounts import Accounts
from linnet.server.services.callers import Callers
from linnet.server.services.certificates import Certificates
from linnet.server.services.contacts import Contacts
from linnet.server.services.devices import Devices
from linnet.server.services.group_views import GroupViews
from linnet.server.services.groups import Groups
from linnet.server.services.keys import Keys
from linnet.server.services.links import Links
from linnet.server.services.recovery import Recovery
from linnet.server.services.sealed import Sealed
from linnet.server.services.tokens import Identity, Tokens
from linnet.wire.rest import GroupPage, SyncPage


class Sync(Protocol):
    """Reads a mailbox in pages."""

    async def sync(self, identity: Identity, since: int, limit: int) -> SyncPage:
        """At most `limit` rows after `since` for this device, oldest first."""


class GroupPages(Protocol):
    """Reads messages of groups by number."""

    async def page(self, identity: Identity, group: bytes, first: int, last: int) -> GroupPage:
        """Those numbered `first` to `last` that were for this device, or as many as a page
        holds."""


@dataclass(frozen=True)
class Services:
    """One of each."""

    accounts: Accounts
    recovery: Recovery
    tokens: Tokens
    callers: Callers
    devices: Devices
    links: Links
    groups: Groups
    group_views: GroupViews
    group_pages: GroupPages
    keys: Keys
    sealed: Sealed
    certificates: Certificates
    contacts: Contacts
    sync: Sync
