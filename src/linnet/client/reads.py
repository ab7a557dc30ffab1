"""Reads: telling others, and one's own other devices, how far a conversation was read.

A mark is stored at once and told after a random 1 to 5 seconds, with all that was read meanwhile,
so that the moment of reading does not show in the traffic. The other side is told unless the
setting `read_receipts` is off, or it shows another account key; one's own devices always are.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import apsw

from linnet.client import facts, lists, outbox, read_marks, settings
from linnet.client.environment import Environment
from linnet.client.errors import StoreUnavailable
from linnet.client.events import Event
from linnet.client.facts import Clock
from linnet.client.outbox import Item
from linnet.client.own_channel import OwnChannel
from linnet.client.reading import Received
from linnet.client.sealed import marks as sealed_marks
from linnet.client.sql import every
from linnet.client.store import Store
from linnet.crypto.bodies import Read
from linnet.crypto.bodies_sync import SyncRead, SyncReadSealed
from linnet.crypto.body import body_of, read_body
from linnet.wire.ids import AccountId, ConversationId, MessageId, direct_conversation, message_id

SOONEST_S: Final = 1.0
LATEST_S: Final = 5.0


class Reads:
    """What was read on this device."""

    def __init__(
        self, store: Store, world: Environment, channel: OwnChannel, wake: Callable[[], None]
    ) -> None:
        self._store, self._world, self._channel, self._wake = store, world, channel, wake
        self._news = asyncio.Event()
        self._news.set()

    async def mark(self, conversation: ConversationId, up_to: int | MessageId) -> None:
        """The person has read up to this conv_seq, or sealed message. Less than before changes
        nothing."""
        me = self._channel.account

        def read(db: apsw.Connection) -> bool:
            if isinstance(up_to, int):
                return read_marks.read_here(db, conversation, me, up_to)
            return sealed_marks.read_here(db, conversation, me, up_to)

        if await self._store.write(read):
            self._news.set()

    async def up_to(self, conversation: ConversationId, account: AccountId) -> int:
        """How far an account is known to have read; 0 if nothing."""
        return await self._store.read(lambda db: read_marks.mark(db, conversation, account))

    async def run(self) -> None:
        """Tell what was read, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            spread = LATEST_S - SOONEST_S
            await self._world.sleep(SOONEST_S + spread * self._world.random())
            try:
                await self.tell()
            except StoreUnavailable:
                self._news.set()

    async def tell(self) -> None:
        """Queue what is to be told now."""
        if await self._store.write(self._tell):
            self._wake()

    def _tell(self, db: apsw.Connection) -> bool:
        me = self._channel.account
        unsaid = read_marks.unsaid(db, me)
        for conversation, up_to in unsaid:
            peer = _peer(db, me, conversation)
            if peer is not None and settings.value(db, settings.READ_RECEIPTS, True):
                self._to_peer(db, conversation, peer, Read(up_to))
            else:
                self._channel.tell(db, SyncRead(((conversation, up_to),)))
            read_marks.said(db, conversation, me)
        return self._tell_sealed(db) or bool(unsaid)

    def _tell_sealed(self, db: apsw.Connection) -> bool:
        """As `_tell`, of sealed messages."""
        me = self._channel.account
        unsaid = sealed_marks.unsaid(db, me)
        for conversation, mark in unsaid:
            peer = _peer(db, me, conversation)
            if peer is not None and settings.value(db, settings.READ_RECEIPTS, True):
                self._to_peer(db, conversation, peer, Read(0, mark))
            else:
                self._channel.tell(db, SyncReadSealed(((conversation, *mark),)))
            sealed_marks.said(db, conversation, me)
        return bool(unsaid)

    def _to_peer(self, db: apsw.Connection, conversation: bytes, peer: bytes, body: Read) -> None:
        """To the other side, and with it as a copy to one's own devices."""
        now_ms = self._world.now_ms() + facts.get_or(db, Clock()).offset_ms
        item = Item(
            id=message_id(now_ms, self._world.rng(10)),
            conversation=conversation,
            peer=peer,
            kind="read",
            body=body_of(body),
            sent_ms=now_ms,
        )
        outbox.enqueue_unshown(db, item)


def read_read(db: apsw.Connection, received: Received) -> list[Event]:
    """Somebody has read, or this account did on another device. Raises Damaged."""
    by, conversation = received.content.sender, received.frame.conversation
    body = read_body(Read, received.content.body)
    told = [*read_marks.raise_to(db, conversation, by, body.up_to)]
    if body.sealed is not None:
        told += sealed_marks.raise_to(db, conversation, by, body.sealed)
    return [*told]


def _peer(db: apsw.Connection, me: AccountId, conversation: bytes) -> bytes | None:
    """The other side of a direct conversation, if it may be told anything."""
    for (account,) in every(db, "SELECT account FROM lists"):
        if account != me and direct_conversation(me, AccountId(account)) == conversation:
            held = lists.held(db, account)
            return None if held is None or held.key_changed else account
    return None
