"""Maintenance: what an account does now and then, without being asked.

Keys are rotated weekly and refilled when the server runs low; the own device list is signed again
weekly, long before it expires; parked messages are tried again; what is kept for a time is erased.
Everything is stored before it is uploaded, and uploaded again as it is until the server has it.
"""

import asyncio
import logging
from typing import Final

import apsw

from linnet.client import facts, keys, lists, outbox, parking
from linnet.client.dialogue import Parts, carry_out
from linnet.client.errors import ClientError, LoggedOut, Refused
from linnet.client.facts import Identity, Keys, SignedList
from linnet.client.lists import Held
from linnet.client.rest import Api, signed
from linnet.crypto.errors import CryptoError
from linnet.signing.device_list import next_list
from linnet.signing.errors import SigningError
from linnet.signing.objects import SignedObject
from linnet.wire import rest

EVERY_S: Final = 3600.0
AGAIN_S: Final = 60.0
RESIGN_AFTER_S: Final = 7 * 86_400

_log = logging.getLogger(__name__)


class Maintenance:
    """One account's upkeep."""

    def __init__(self, parts: Parts, api: Api, asked: asyncio.Event) -> None:
        self._parts = parts
        self._api = api
        self._asked = asked

    async def run(self) -> None:
        """Keep things up until cancelled, whatever fails on the way. Raises only LoggedOut."""
        while True:
            self._asked.clear()
            try:
                await self.once()
                wait_s = EVERY_S
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

    async def once(self) -> None:
        """Do what is due now. Raises Offline or Refused where the server did not help."""
        now_ms = self._parts.world.now_ms()
        await self._parts.store.write(lambda db: outbox.prune(db, now_ms))
        await self._unpark()
        await self._keys(now_ms)
        await self._own_list(now_ms // 1000)

    async def _keys(self, now_ms: int) -> None:
        parts, rng = self._parts, self._parts.world.rng
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

    async def _own_list(self, now_s: int) -> None:
        """Sign the own list again when it is a week old; upload what was signed, always."""
        parts = self._parts
        obj = await parts.store.write(lambda db: self._signed(db, now_s))
        if obj is None:
            return
        await self._upload(obj)

        def uploaded(db: apsw.Connection) -> None:
            identity = facts.get(db, Identity)
            assert identity is not None
            lists.adopt(db, identity.account, obj, now_s * 1000)
            facts.drop(db, SignedList)

        await parts.store.write(uploaded)

    async def _upload(self, obj: SignedObject) -> None:
        """Publish the list after the held one; the held one first, as it was signed, if the
        server's store went back behind it."""
        try:
            await self._put(obj)
        except Refused as refusal:
            if refusal.code != "conflict":
                raise
            held = await self._parts.store.read(_own_held)
            assert held is not None
            await self._put(held.obj)
            await self._put(obj)

    async def _put(self, obj: SignedObject) -> None:
        body = signed(obj.body, obj.sig)
        await self._parts.tokens.use(lambda token: self._api.upload_list(token, body))

    def _signed(self, db: apsw.Connection, now_s: int) -> SignedObject | None:
        begun = facts.get(db, SignedList)
        if begun is not None:
            return SignedObject(begun.body, begun.sig)
        own_keys, held = facts.get(db, Keys), _own_held(db)
        assert own_keys is not None
        if held is None or now_s - held.list.issued < RESIGN_AFTER_S:
            return None
        account = keys.account_key(own_keys)
        obj = next_list(held.obj, account, held.list.devices, now_s, self._parts.world.rng)
        facts.put(db, SignedList(body=obj.body, sig=obj.sig))
        return obj

    async def _unpark(self) -> None:
        parts = self._parts
        for sender in await parts.store.read(parking.senders):
            await parts.directory.refresh_for_message(sender)
            now_ms = parts.world.now_ms()
            await parts.store.write(
                lambda db, s=sender, n=now_ms: parts.inbox.unpark(db, s, n),  # type: ignore[misc]
                then=lambda effects: carry_out(effects, parts),
            )


def _own_held(db: apsw.Connection) -> Held | None:
    identity = facts.get(db, Identity)
    assert identity is not None
    return lists.held(db, identity.account)
