"""Sync: a mailbox over HTTP, page by page, by the same push rule as on a socket.

Reads only: asking for rows after a cursor acknowledges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.ports.accounts import Accounts
from linnet.server.ports.timeline import Entry, Timeline, Wanted
from linnet.server.services.delivery.view import view
from linnet.server.services.tokens import Identity
from linnet.wire.codec import CODECS, JSON
from linnet.wire.errors import RequestRefused
from linnet.wire.limits import SYNC_ROWS
from linnet.wire.rest import SyncPage


class Sync:
    """Pages of rows as one device sees them."""

    def __init__(self, timeline: Timeline, accounts: Accounts, config: DeliveryConfig) -> None:
        self._timeline = timeline
        self._accounts = accounts
        self._config = config

    async def sync(self, identity: Identity, since: int, limit: int) -> SyncPage:
        """At most `limit` rows (1 to SYNC_ROWS) after `since`, or where to go on if the rows that
        follow it have expired.

        Raises RequestRefused: `unauthorized` for no account, `malformed` for a cursor above the
        mailbox's head; and Unavailable.
        """
        account = await self._accounts.get(identity.account)
        if account is None:
            raise RequestRefused("unauthorized")
        mailbox, most = account.mailbox, min(max(limit, 1), SYNC_ROWS)
        # The head first: what expired between the two is then seen as expired, not as the end.
        loaded = await self._timeline.load(Wanted(mailboxes={mailbox}))
        head = loaded.mailboxes.get(mailbox, 0)
        if since > head:
            raise RequestRefused("malformed", "since is above the head")
        if since == head:
            return SyncPage([], head, more=False)
        page = await self._page(mailbox, since, most)
        if not _following(page, since):
            page = await self._page(mailbox, since, most)
        rows = _following(page, since)
        if not rows:
            start = page[0].prev if page else head
            return SyncPage([], head, more=start < head, resync=start)
        said = [shown(entry, identity) for entry in rows]
        return SyncPage(said, head, more=rows[-1].position < head)

    async def _page(self, mailbox: bytes, since: int, most: int) -> Sequence[Entry]:
        return await self._timeline.page(mailbox, since, most, self._config.page_bytes)


def _following(page: Sequence[Entry], since: int) -> list[Entry]:
    """The push rule: rows up to the first that does not follow the one before it."""
    rows: list[Entry] = []
    for entry in page:
        if entry.prev > since:
            break
        rows.append(entry)
        since = entry.position
    return rows


def shown(entry: Entry, identity: Identity) -> dict[str, Any]:
    """The row as the JSON subprotocol would say it."""
    said = CODECS[JSON].encode(view(entry, identity.account, identity.device))
    return msgspec.json.decode(said, type=dict[str, Any])
