"""Bodies of contacts and of reading mailboxes."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from linnet.wire.frames import Id16, Natural
from linnet.wire.rest.base import Body, Number


class ContactLookup(Body):
    """`POST /v1/contacts/lookup`: E.164 numbers."""

    numbers: Annotated[list[Number], Meta(min_length=1, max_length=100)]


class ContactMatch(Body):
    """A number that has an account."""

    number: Number
    account: Id16


class ContactMatches(Body):
    """Only the numbers that have accounts."""

    matches: list[ContactMatch]


class SyncPage(Body):
    """`GET /v1/messages/sync?since=&limit=`: rows after the cursor, oldest first.

    `resync` is set where rows after the cursor have expired: continue from there.
    """

    rows: list[dict[str, Any]]
    head: Natural
    more: bool
    resync: Natural | None = None
