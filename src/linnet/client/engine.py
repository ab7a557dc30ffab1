"""Engine: the parts of an open account put together, and what runs while it is open.

What each part does is in its own module; what an application calls is `linnet.client.account`.
"""

import asyncio
import contextlib

import apsw

from linnet.client import facts, history, keys, outbox
from linnet.client.approving import Approver
from linnet.client.connection import Connection
from linnet.client.contacts import Contacts
from linnet.client.devices import Devices
from linnet.client.dialogue import Parts
from linnet.client.directory import Directory
from linnet.client.environment import Environment
from linnet.client.errors import LoggedOut, NotRegistered, StoreUnavailable
from linnet.client.events import Arrived, Events
from linnet.client.facts import Identity, Keys, Told
from linnet.client.groups import joining as of_groups
from linnet.client.groups.changes import Author
from linnet.client.groups.groups import Groups
from linnet.client.groups.keeper import Keeper
from linnet.client.groups.log import Member
from linnet.client.healing import Healer
from linnet.client.joining import joined_inbox
from linnet.client.maintenance import Maintenance
from linnet.client.numbers import Numbers
from linnet.client.own_channel import OwnChannel, read_own
from linnet.client.own_list import OwnList, own_held
from linnet.client.passing_on import PassOn
from linnet.client.reads import Reads, read_read
from linnet.client.rest import Api
from linnet.client.safety import Safety
from linnet.client.sealed import profile
from linnet.client.sealed.api import SealedApi
from linnet.client.sealed.directory import SealedDirectory
from linnet.client.sealed.sealed import Sealed
from linnet.client.sealed.sending import SealedSender
from linnet.client.sealed.upkeep import Upkeep
from linnet.client.sealers import sealers
from linnet.client.sender import Sender
from linnet.client.sessions import Sessions
from linnet.client.settings import Settings
from linnet.client.standing import Warner
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.crypto.messages import Address
from linnet.crypto.prekeys import LocalIdentity
from linnet.wire.ids import (
    AccountId,
    DeviceId,
)


class Engine:
    """One account on one device."""

    def __init__(
        self,
        store: Store,
        api: Api,
        world: Environment,
        identity: Identity,
        own: Keys,
        account_key: bytes,
        told: int,
    ) -> None:
        self.account, self.device = AccountId(identity.account), DeviceId(identity.device)
        self.account_key = account_key
        self.store, self.api, self.world = store, api, world
        self.events = Events(self._arrived_after)
        self.events.told = told
        self.upkeep = asyncio.Event()
        self.parts = self._joined(own)
        self.parts.directory.on_new_list = self._list_is_new
        tokens, tell, wake = self.parts.tokens, self.events.tell, self.parts.sender.wake
        self._channel = channel = OwnChannel(self.account, world)
        own_list = OwnList(store, api, tokens, world, channel.list_changed, tell)
        approver = Approver(store, api, tokens, world, own_list)
        self.devices = Devices(store, own_list, approver, self._devices_changed)
        self.settings = Settings(store, channel, wake)
        self.contacts = Contacts(store, channel, wake)
        self.safety = Safety(store, self.parts.directory, channel, account_key, wake)
        self.numbers = Numbers(store, api, tokens, world, channel, tell)
        self.reads = Reads(store, world, channel, wake)
        self.sealed = Sealed(
            store, world, channel, self._quiet, self._sealed_sender, self._sealed_upkeep(own)
        )
        self.parts.directory.quietly = self.sealed.refresh_quietly
        self.contacts.on_shut_out = self.sealed.look
        author = self.parts.keeper.author
        assert author is not None
        self.groups = Groups(
            store=store,
            world=world,
            directory=self.parts.directory,
            find=self.numbers.find,
            keeper=self.parts.keeper,
            author=author,
            account_key=account_key,
            wake=wake,
            closed=lambda: self.closed,
            not_over=tokens.not_over,
        )
        duties = (
            own_list.sign_again,
            self.numbers.check,
            Warner(store, world, tell).look,
            lambda: store.write(channel.greet),
            self.sealed.upkeep.keep,
        )
        self._maintenance = Maintenance(self.parts, api, self.upkeep, duties)
        self._connection = Connection(self.parts, identity.server)
        self.closed = False

    @classmethod
    async def of(cls, store: Store, api: Api, world: Environment) -> "Engine":
        """The engine of an open store. Raises NotRegistered if it holds no finished account."""
        identity, own, told = await store.read(
            lambda db: (facts.get(db, Identity), facts.get(db, Keys), facts.get_or(db, Told()))
        )
        if identity is None or own is None:
            raise NotRegistered("this directory holds no finished account")
        await store.write(outbox.opened)
        held = await store.read(own_held)
        return cls(store, api, world, identity, own, held.list.key, told.seq)

    async def run(self) -> None:
        """Stay connected and keep things up, until cancelled or logged out."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._connection.run())
            tasks.create_task(self._maintain())
            tasks.create_task(self.reads.run())
            tasks.create_task(self._keep_groups())
            tasks.create_task(self._seal())

    async def close(self) -> None:
        """Let go of the directory, also when cancelled. Closing twice is allowed."""
        if self.closed:
            return
        self.closed = True
        self.events.close()
        told = self.events.told
        async with contextlib.AsyncExitStack() as last:
            for part in (self.store, self.api, self._sealed_api):
                last.push_async_callback(part.close)
            # If it cannot be remembered what was told, it is told again.
            with contextlib.suppress(StoreUnavailable):
                await self.store.write(lambda db: facts.put(db, Told(seq=told)))

    def _joined(self, own: Keys) -> Parts:
        store, world, tell = self.store, self.world, self.events.tell
        tokens = Tokens(store, self.api, world)
        directory = Directory(store, self.api, tokens, world, tell)
        local = LocalIdentity(keys.device_key(own), own.registration_id)
        sessions = Sessions(Address(self.account, self.device), local, world.rng)
        me = Member(self.account, self.account_key)
        author = Author(self.account, self.device, own.device_private, world.rng)
        keeper = Keeper(store, self.api, tokens, world, me, tell, self.upkeep.set, author)
        sender = Sender(store, directory, sealers(sessions), world, tell, keeper.read_on)
        channel = OwnChannel(self.account, world)
        inbox = joined_inbox(
            sessions,
            more={"read": PassOn(channel, read_read), "sync": PassOn(channel, read_own)},
            groups=of_groups.cipher(me, keeper.offer),
            reissue={**of_groups.reissues(world.rng), **profile.reissues(world.rng)},
            member=of_groups.is_member,
        )
        self._sealed_api = SealedApi(self.api.url, world.http)
        self._quiet = SealedDirectory(store, self._sealed_api, directory)
        # Seals and gives up as the other does; what it fetches, it fetches without a token.
        maker = Sender(store, self._quiet, sealers(sessions), world, tell)
        self._sealed_sender = SealedSender(
            store, self._sealed_api, self._quiet, maker, inbox.resends, world, self.account, sender
        )
        return Parts(
            store=store,
            tokens=tokens,
            directory=directory,
            inbox=inbox,
            sender=sender,
            events=self.events,
            world=world,
            upkeep=self.upkeep.set,
            healer=Healer(store, world, sender.wake, inbox.resends),
            keeper=keeper,
        )

    def _devices_changed(self) -> None:
        self.parts.sender.wake()
        self.parts.keeper.look()  # groups are told that a removed device signs no more

    def _list_is_new(self, parked: bool) -> None:
        self.parts.healer.look()
        self.sealed.look()
        if parked:
            self.upkeep.set()

    async def _maintain(self) -> None:
        try:
            await self._maintenance.run()
        except LoggedOut:
            return  # the connection tells the application

    def wrote_to(self, db: apsw.Connection, account: bytes) -> bool:
        """This account writes to another: from now on it may send sealed messages here. Whether
        that is new."""
        return profile.wrote_to(db, self._channel, account)

    def _sealed_upkeep(self, own: Keys) -> Upkeep:
        key = keys.device_key(own).public
        return Upkeep(self.store, self.api, self.parts.tokens, self._channel, key)

    async def _seal(self) -> None:
        with contextlib.suppress(LoggedOut):  # the connection tells the application
            await self.sealed.run()

    async def _keep_groups(self) -> None:
        try:
            await self.parts.keeper.run()
        except LoggedOut:
            return  # the connection tells the application

    async def _arrived_after(self, seq: int) -> list[tuple[int, Arrived]]:
        return await self.store.read(lambda db: history.arrived_after(db, seq))
