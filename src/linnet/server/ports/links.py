"""Links: meetings of a new device with the primary that will list it, and how far each has come."""

from __future__ import annotations

from typing import Protocol

import msgspec

from linnet.server.ports.devices import Admission
from linnet.wire.rest import LinkAnswer, LinkKeys


class Link(msgspec.Struct, frozen=True):
    """One meeting. It is *live* until `expires_ms`, *active* once its device is listed."""

    id: bytes
    offer: bytes
    """Empty once it expired and was cleared."""
    expires_ms: int
    account: bytes | None = None
    """Whose primary answered."""
    answer: LinkAnswer | None = None
    keys: LinkKeys | None = None
    """The new device's slot: nobody is served from it."""
    device: int = 0
    """Its id once active; 0 before."""


class Links(Protocol):
    """Links by id. Each step is taken once: the first to come is kept, and a step of a link that
    is not live changes nothing. A link that was active or has expired is never live again."""

    async def open(self, link: Link, now_ms: int, most: int) -> Link | None:
        """Store it, unless its id is known; the link that now has the id. None: `most` are live
        already, nothing was stored."""

    async def get(self, id: bytes) -> Link | None:
        """One link, live or not."""

    async def answer(
        self, id: bytes, account: bytes, answer: LinkAnswer, now_ms: int, expires_ms: int
    ) -> None:
        """Store the first answer, and let the link live until `expires_ms` if that is later."""

    async def fill(self, id: bytes, keys: LinkKeys, now_ms: int) -> None:
        """Store the first keys in the slot of an answered link."""

    async def activate(self, id: bytes, admission: Admission, most: int, now_ms: int) -> bool:
        """Replace the account's list, list the new device with its ticket, publish its keys (up
        to `most` one-time ones of a kind), leave the set change for delivery, and make the link
        active: all or none.

        False, and nothing changed: the link is not live, or another list was first.
        """

    async def end(self, id: bytes, now_ms: int) -> None:
        """Let a live link expire now; an active one is left alone."""

    async def forget(self, now_ms: int, before_ms: int) -> int:
        """Clear what links that expired by `now_ms` hold, save the device of active ones, and
        drop those that expired before `before_ms`; how many were dropped."""
