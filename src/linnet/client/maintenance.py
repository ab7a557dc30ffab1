"""Maintenance: what an account does now and then, without being asked.

Keys are rotated weekly and refilled when the server runs low; the own device list is signed again
weekly, long before it expires; parked messages are tried again; devices that lists newly show get
what they may have; what is kept for a time is erased.
Everything is stored before it is uploaded, and uploaded again as it is until the server has it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import apsw

from linnet.client import accepted, device_changes, keys, lost, outbox, parking, reading
from linnet.client.dialogue import Parts, carry_out
from linnet.client.errors import ClientError, LoggedOut
from linnet.client.rest import Api
from linnet.crypto.errors import CryptoError
from linnet.signing.errors import SigningError
from linnet.wire import rest

EVERY_S: Final = 3600.0
AGAIN_S: Final = 60.0

Duty = Callable[[], Awaitable[None]]
"""Something to be done now and then; it knows itself when it is due."""

_log = logging.getLogger(__name__)


class Maintenance:
    """One account's upkeep."""

    def __init__(
        self, parts: Parts, api: Api, asked: asyncio.Event, duties: Sequence[Duty]
    ) -> None:
        self._parts = parts
        self._api = api
        self._asked = asked
        self._duties = (self._unpark, parts.healer.follow, self._keys, *duties)

    async def run(self) -> None:
        """Keep things up until cancelled, whatever fails on the way. Raises only LoggedOut."""
        while True:
            self._asked.clear()
            try:
                await self.once()
                wait_s = await self.due_in_s()
            except LoggedOut:
                raise
            except (ClientError, CryptoError, SigningError) as error:
                _log.info("maintenance will be tried again: %s", type(error).__name__)
                wait_s = AGAIN_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def due_in_s(self) -> float:
        """When to look again: hourly, but at what was parked lately after a minute, two, four …

        Its list may not have been there yet, or not to be had just then."""
        parked_ms = await self._parts.store.read(parking.newest_ms)
        if parked_ms is None:
            return EVERY_S
        return min(max((self._parts.world.now_ms() - parked_ms) / 1000, AGAIN_S), EVERY_S)

    async def once(self) -> None:
        """Do what is due now, all of it. Raises the first that failed, such as Offline or Refused
        where the server did not help."""
        now_ms = self._parts.world.now_ms()
        await self._parts.store.write(lambda db: _prune(db, now_ms))
        failed: Exception | None = None
        for duty in self._duties:
            try:
                await duty()
            except LoggedOut:
                raise
            except (ClientError, CryptoError, SigningError) as error:
                failed = failed or error
        if failed is not None:
            raise failed

    async def _keys(self) -> None:
        parts, rng, now_ms = self._parts, self._parts.world.rng, self._parts.world.now_ms()
        on_server = await parts.tokens.use(self._api.key_count)

        def make(db: apsw.Connection) -> rest.KeyUpload | None:
            if keys.rotation_due(db, now_ms):
                keys.rotate(db, now_ms, rng)
            keys.fill(db, on_server, now_ms, rng)
            return keys.unpublished(db)

        upload = await parts.store.write(make)
        if upload is not None:
            await parts.tokens.use(lambda token: self._api.upload_keys(token, upload))
            await parts.store.write(lambda db: keys.published(db, upload))

    async def _unpark(self) -> None:
        parts = self._parts
        for sender in await parts.store.read(parking.senders):
            await parts.directory.refresh_for_message(sender)
            now_ms = parts.world.now_ms()
            await parts.store.write(
                lambda db, s=sender, n=now_ms: parts.inbox.unpark(db, s, n),  # type: ignore[misc]
                then=lambda effects: carry_out(effects, parts),
            )


def _prune(db: apsw.Connection, now_ms: int) -> None:
    outbox.prune(db, now_ms)
    reading.prune(db, now_ms)
    device_changes.prune(db, now_ms)
    accepted.prune(db, now_ms)
    lost.prune(db, now_ms)
