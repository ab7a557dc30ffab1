"""Client: one account on one device, as an application uses it.

    async with await Client.open("alice") as me:
        await me.send("+15550100002", "Hello, Bob!")
        async for event in me.events():
            ...

Joins the parts; what each does is in its own module. All tasks belong to the `async with`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Final

import apsw

from linnet.client import facts, history, keys, linking, lists, outbox
from linnet.client.approving import Approver, Confirm
from linnet.client.connection import Connection
from linnet.client.contacts import Contacts
from linnet.client.devices import Devices
from linnet.client.dialogue import Parts
from linnet.client.directory import Directory
from linnet.client.environment import Environment
from linnet.client.errors import Closed, LoggedOut, NotRegistered, StoreUnavailable, TextTooLong
from linnet.client.events import Arrived, Event, Events, State
from linnet.client.facts import Clock, Identity, Keys, RecoveryCode, Told
from linnet.client.failures import first_cause
from linnet.client.healing import Healer
from linnet.client.joining import joined_inbox
from linnet.client.linking import NewDevice, Show
from linnet.client.maintenance import Maintenance
from linnet.client.numbers import Numbers
from linnet.client.outbox import Item
from linnet.client.own_channel import OwnChannel
from linnet.client.own_list import OwnList, own_held
from linnet.client.reads import Reads
from linnet.client.registration import AskCode, register
from linnet.client.rest import Api
from linnet.client.safety import Safety
from linnet.client.sealers import sealers
from linnet.client.sender import Sender
from linnet.client.sessions import Sessions
from linnet.client.settings import Settings
from linnet.client.standing import Warner
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.crypto.bodies import text_body
from linnet.crypto.messages import Address
from linnet.crypto.prekeys import LocalIdentity
from linnet.crypto.recovery import to_text
from linnet.wire.ids import (
    AccountId,
    ConversationId,
    DeviceId,
    MessageId,
    direct_conversation,
    message_id,
)

TEXT_BYTES: Final = 16_384
"""Longest text of one message, in UTF-8 bytes."""


class Client:
    """An open account. Made by `register` or `open`; sends and receives inside `async with`."""

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
        self.account = AccountId(identity.account)
        """This account's id."""
        self.device = DeviceId(identity.device)
        self.recovery_code: str | None = None
        """The recovery code, after `register` only, and never again: have it written down."""
        self._store, self._api, self._world = store, api, world
        self._own_key = account_key
        self._events = Events(self._arrived_after)
        self._events.told = told
        self._parts = self._joined(own)
        self._connection = Connection(self._parts, identity.server)
        tokens, tell, wake = self._parts.tokens, self._events.tell, self._parts.sender.wake
        channel = OwnChannel(self.account, world)
        own_list = OwnList(store, api, tokens, world, channel.list_changed, tell)
        self.devices = Devices(store, own_list, Approver(store, api, tokens, world, own_list), wake)
        """The devices of this account."""
        self.settings = Settings(store, channel)
        self.contacts = Contacts(store, channel)
        self.safety = Safety(store, self._parts.directory, channel, account_key)
        self._numbers = Numbers(store, api, tokens, world, channel, tell)
        self._reads = Reads(store, world, channel, wake)
        duties = (
            own_list.sign_again,
            self._numbers.check,
            Warner(store, world, tell).look,
            lambda: store.write(channel.greet),
        )
        self._maintenance = Maintenance(self._parts, api, self._upkeep, duties)
        self._tasks: asyncio.TaskGroup | None = None
        self._closed = False

    @classmethod
    async def register(
        cls,
        server_url: str,
        directory: str | Path,
        number: str,
        code: AskCode,
        *,
        name: str = "",
        world: Environment | None = None,
    ) -> "Client":
        """Make an account for an E.164 number, with this device as its first.

        `code` is awaited for the six digits sent to the number. Cut off at any point, the same
        call goes on where it stopped. Raises AlreadyRegistered, AccountInUse, Refused, Offline.
        """
        world = world or Environment()
        store, api = Store(Path(directory)), Api(server_url, world.http)
        try:
            await store.open()
            recovery = await register(
                store, api, world, server=server_url, number=number, code=code, name=name
            )
            client = await cls._made(store, api, world)
        except BaseException:
            await api.close()
            await store.close()
            raise
        client.recovery_code = to_text(recovery)
        return client

    @classmethod
    async def link(
        cls,
        server_url: str,
        directory: str | Path,
        show: Show,
        *,
        device: NewDevice | None = None,
        world: Environment | None = None,
    ) -> "Client":
        """Make this a device of an account that exists: its main device approves.

        `show` is awaited once with the code for the person to bring there, as a QR or as text,
        and the seconds that are left for it; then this waits. Nothing of the device is active
        before it returns. Cut off, the same call goes on or begins anew, whichever can be.
        Raises LinkFailed, AlreadyRegistered, AccountInUse, Refused, Offline.
        """
        world, device = world or Environment(), device or NewDevice()
        store, api = Store(Path(directory)), Api(server_url, world.http)
        try:
            await store.open()
            await linking.link(store, api, world, server_url, device, show)
            return await cls._made(store, api, world)
        except BaseException:
            await api.close()
            await store.close()
            raise

    @classmethod
    async def open(cls, directory: str | Path, *, world: Environment | None = None) -> "Client":
        """Open an account that was registered here. Raises NotRegistered, AccountInUse."""
        world = world or Environment()
        store = Store(Path(directory))
        api: Api | None = None
        try:
            await store.open(create=False)
            identity = await store.read(lambda db: facts.get(db, Identity))
            if identity is None:
                raise NotRegistered("this directory holds no finished account")
            await store.write(lambda db: facts.drop(db, RecoveryCode))
            api = Api(identity.server, world.http)
            return await cls._made(store, api, world)
        except BaseException:
            if api is not None:
                await api.close()
            await store.close()
            raise

    async def __aenter__(self) -> "Client":
        if self._tasks is not None or self._closed:
            raise Closed("a client is entered once")
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self._running = self._tasks.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._tasks is not None
        self._running.cancel()
        # What the application raised stays what it is; a cancellation may be ours (a task failed).
        cancelled = isinstance(error, asyncio.CancelledError)
        try:
            await self._tasks.__aexit__(*((kind, error, trace) if cancelled else (None,) * 3))
        except BaseExceptionGroup as failures:
            raise first_cause(failures) from None
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the directory. `async with` does this; without it, call it."""
        if self._closed:
            return
        self._closed = True
        self._events.close()
        told = self._events.told
        # If it cannot be remembered what was told, it is told again.
        with contextlib.suppress(StoreUnavailable):
            await self._store.write(lambda db: facts.put(db, Told(seq=told)))
        await self._api.close()
        await self._store.close()

    async def send(self, to: AccountId | str, text: str) -> MessageId:
        """Take over a text for an account or an E.164 number; it is durable on return.

        It is sent now, or whenever the server can be reached. One's own account is allowed: a
        note to self. Raises TextTooLong, UnknownRecipient, Offline (only for a number that was
        never looked up), Closed.
        """
        self._check_open()
        if len(text.encode()) > TEXT_BYTES:
            raise TextTooLong(f"a text has at most {TEXT_BYTES} bytes")
        peer = await self._numbers.find(to) if isinstance(to, str) else to
        now_ms, noise = self._world.now_ms(), self._world.rng(10)

        def queue(db: apsw.Connection) -> MessageId:
            server_ms = now_ms + facts.get_or(db, Clock()).offset_ms
            item = Item(
                id=message_id(server_ms, noise),
                conversation=direct_conversation(self.account, peer),
                peer=peer,
                counter=0,
                kind="text",
                body=text_body(text),
                sent_ms=server_ms,
            )
            outbox.enqueue(db, item, self.account, self.device, self._own_key)
            return MessageId(item.id)

        id = await self._store.write(queue)
        self._parts.sender.wake()
        return id

    def events(self) -> AsyncIterator[Event]:
        """What happens, as it happens (`linnet.client.events`). One reader at a time."""
        return self._events.read()

    async def messages(
        self, conversation: ConversationId, *, before: int | None = None, limit: int = 100
    ) -> list[Arrived]:
        """The newest messages of a conversation in its order, both sides' (below conv_seq
        `before`); what has no place yet is at the end."""
        self._check_open()
        return await self._store.read(lambda db: history.page(db, conversation, before, limit))

    async def state(self, id: MessageId) -> State | None:
        """How far a message that this account sent has come; None if it sent no such message."""
        self._check_open()
        return await self._store.read(lambda db: history.state(db, self.account, id))

    async def find(self, number: str) -> AccountId:
        """The account with this E.164 number. Raises UnknownRecipient, Offline, Refused."""
        self._check_open()
        return await self._numbers.find(number)

    def conversation_with(self, account: AccountId) -> ConversationId:
        """The conversation of this account with another, or with itself."""
        return direct_conversation(self.account, account)

    async def accept_identity(self, account: AccountId) -> bool:
        """Trust the new account key that an `IdentityChanged` told of, from now on.

        What waited for the old key is not sent to the new one. False if there is no new key.
        """
        self._check_open()
        now_ms = self._world.now_ms()
        accepted = await self._store.write(lambda db: lists.accept_changed(db, account, now_ms))
        self._upkeep.set()
        return accepted

    async def accept_number_change(self, number: str) -> AccountId | None:
        """Go on with the account that a number has now, after a `NumberMoved`; that account.

        None if it is the same as before. What was written to the old one is not sent to it.
        """
        self._check_open()
        return await self._numbers.accept(number)

    async def mark_read(self, conversation: ConversationId, up_to: int) -> None:
        """The person has read up to this conv_seq. Others are told a little later, unless the
        setting `read_receipts` is off; one's own other devices always."""
        self._check_open()
        await self._reads.mark(conversation, up_to)

    async def read_up_to(self, conversation: ConversationId, account: AccountId) -> int:
        """The last conv_seq that an account is known to have read; 0 if none."""
        self._check_open()
        return await self._reads.up_to(conversation, account)

    async def approve_link(self, code: str | bytes, confirm: Confirm) -> DeviceId:
        """On the main device: link the device that shows this code, if `confirm`, awaited with
        what it calls itself, says so. The id of the new device.

        Raises NotMainDevice, LinkFailed, Refused, Offline.
        """
        self._check_open()
        return await self.devices.approve(code, confirm)

    # ---- joining the parts

    @classmethod
    async def _made(cls, store: Store, api: Api, world: Environment) -> "Client":
        identity, own, told = await store.read(
            lambda db: (facts.get(db, Identity), facts.get(db, Keys), facts.get_or(db, Told()))
        )
        if identity is None or own is None:
            raise NotRegistered("this directory holds no finished account")
        held = await store.read(own_held)
        return cls(store, api, world, identity, own, held.list.key, told.seq)

    def _joined(self, own: Keys) -> Parts:
        store, world, tell = self._store, self._world, self._events.tell
        tokens = Tokens(store, self._api, world)
        directory = Directory(store, self._api, tokens, world, tell)
        local = LocalIdentity(keys.device_key(own), own.registration_id)
        sessions = Sessions(Address(self.account, self.device), local, world.rng)
        self._upkeep = asyncio.Event()
        sender = Sender(store, directory, sealers(sessions), world, tell)
        return Parts(
            store=store,
            tokens=tokens,
            directory=directory,
            inbox=joined_inbox(sessions),
            sender=sender,
            events=self._events,
            world=world,
            upkeep=self._upkeep.set,
            healer=Healer(store, world, sender.wake),
        )

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._connection.run())
            tasks.create_task(self._maintain())
            tasks.create_task(self._reads.run())

    async def _maintain(self) -> None:
        try:
            await self._maintenance.run()
        except LoggedOut:
            return  # the connection tells the application

    async def _arrived_after(self, seq: int) -> list[tuple[int, Arrived]]:
        return await self._store.read(lambda db: history.arrived_after(db, seq))

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the client is closed")
