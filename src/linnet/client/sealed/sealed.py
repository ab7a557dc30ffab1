"""Sealed: the setting per conversation, and what runs for it while the account is open."""

import asyncio
import contextlib
import logging
from typing import Final

import apsw

from linnet.client import facts, outbox, parking
from linnet.client.environment import Environment
from linnet.client.errors import (
    ClientError,
    LoggedOut,
    NotMet,
)
from linnet.client.lists import Adopted
from linnet.client.outbox import Item
from linnet.client.own_channel import OwnChannel
from linnet.client.sealed import profile, receipts, state
from linnet.client.sealed.directory import SealedDirectory
from linnet.client.sealed.own_profile import Profile
from linnet.client.sealed.sending import SealedSender
from linnet.client.sealed.upkeep import Upkeep
from linnet.client.store import Store
from linnet.crypto.bodies import Sealed as Switch
from linnet.crypto.body import body_of
from linnet.wire.ids import AccountId, direct_conversation

COLLECT_S: Final = (0.2, 1.0)
"""Receipts are collected for a random time between these."""
AGAIN_S: Final = 60.0

_log = logging.getLogger(__name__)


class Sealed:
    """Which conversations are sealed: `turn` switches one."""

    def __init__(
        self,
        store: Store,
        world: Environment,
        channel: OwnChannel,
        directory: SealedDirectory,
        sender: SealedSender,
        upkeep: Upkeep,
    ) -> None:
        self._store, self._world, self._channel = store, world, channel
        self._directory, self._sender, self.upkeep = directory, sender, upkeep
        self._look = asyncio.Event()
        self._look.set()
        sender.on_need = self._look.set

    async def on(self, account: AccountId) -> bool:
        """Whether what is said to an account is sealed."""
        return await self._store.read(lambda db: state.on(db, account))

    async def possible(self, account: AccountId) -> bool:
        """Whether it can be switched on: both sides have written, and know each other's key."""
        return await self._store.read(lambda db: _possible(db, account))

    async def turn(self, account: AccountId, on: bool) -> None:
        """Seal what is said in the conversation with an account from here on, or no longer: on
        both sides, and on all devices. Raises NotMet while it is not possible, and for oneself;
        Offline, Refused where the server is needed for the first certificate."""
        if account == self._channel.account or (on and not await self.possible(account)):
            raise NotMet("both sides must have written to each other first")
        if on:
            await self.upkeep.certify()
        await self._store.write(lambda db: self._turn(db, account, on))
        self._sender.wake()

    def look(self) -> None:
        """Something changed that there may be something to do about."""
        self._look.set()

    async def refresh_quietly(self, account: bytes) -> Adopted | None:
        """As `Directory.quietly`."""
        if not await self._store.read(
            lambda db: state.on(db, account) or parking.any_sealed(db, account)
        ):
            return None
        return await self._directory.refresh(account)

    async def run(self) -> None:
        """Send, give, and answer with receipts, until cancelled. Raises LoggedOut."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sender.run())
            tasks.create_task(self._tidy())

    async def send_receipts(self) -> None:
        """Send the receipts that are owed."""
        now_ms = self._world.now_ms()
        if await self._store.write(lambda db: receipts.send(db, now_ms, self._world.rng)):
            self._sender.wake()

    async def _tidy(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self._look.wait()
            self._look.clear()
            try:
                await self._once()
            except LoggedOut:
                return  # the connection tells the application
            except ClientError as error:
                _log.info("sealed sending will be looked at again: %s", type(error).__name__)

    async def _once(self) -> None:
        profile_held = await self._store.read(lambda db: facts.get(db, Profile))
        if profile_held is not None and not profile_held.registered:
            await self.upkeep.register()
        else:
            await self.upkeep.give()
        if await self._store.read(state.any_on):
            await self.upkeep.certify()
        if await self._store.read(receipts.owed):
            soonest_s, latest_s = COLLECT_S
            await self._world.sleep(soonest_s + (latest_s - soonest_s) * self._world.random())
            await self.send_receipts()

    def _turn(self, db: apsw.Connection, account: AccountId, on: bool) -> None:
        if state.on(db, account) == on:
            return
        now_ms, rng = self._world.now_ms(), self._world.rng
        switch = Switch(on, state.number(db, account) + 1)
        item = Item(
            id=outbox.new_id(db, now_ms, rng),
            conversation=direct_conversation(self._channel.account, account),
            peer=account,
            kind="sealed",
            body=body_of(switch),
            sent_ms=outbox.server_ms(db, now_ms),
        )
        outbox.enqueue_unshown(db, item)  # the last message to go the way of until now
        state.switch(db, account, switch)


def _possible(db: apsw.Connection, account: bytes) -> bool:
    own = facts.get(db, Profile)
    known = own is not None and own.registered and profile.may_have(db, account)
    return known and profile.delivery_of(db, account) is not None
