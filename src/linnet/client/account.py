"""Client: one account on one device, as an application uses it.

    async with await Client.open("alice") as me:
        await me.send("+15550100002", "Hello, Bob!")
        async for event in me.events():
            ...

What is behind it is put together in `linnet.client.engine`. All tasks belong to the `async with`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import apsw

from linnet.client import claims, facts, history, linking, list_alarms, lists, outbox
from linnet.client import health as counts
from linnet.client.approving import Confirm
from linnet.client.engine import Engine
from linnet.client.environment import Environment
from linnet.client.errors import Closed, NotRegistered, TextEmpty, TextTooLong
from linnet.client.events import Arrived, Event, State
from linnet.client.facts import Identity, RecoveryCode
from linnet.client.failures import first_cause
from linnet.client.linking import NewDevice, Show
from linnet.client.outbox import Item
from linnet.client.recovering import FoundDevice, ShowDevices, recover
from linnet.client.registration import AskCode, register
from linnet.client.rest import Api
from linnet.client.store import Store
from linnet.crypto.bodies import text_body
from linnet.crypto.recovery import to_text
from linnet.wire.ids import (
    AccountId,
    ConversationId,
    DeviceId,
    MessageId,
    direct_conversation,
)

TEXT_BYTES: Final = 16_384
"""Longest text of one message, in UTF-8 bytes."""
FLUSH_LOOKS_S: Final = 0.05


class Client:
    """An open account. Made by `register` or `open`; sends and receives inside `async with`."""

    def __init__(self, engine: Engine) -> None:
        self.account = engine.account
        """This account's id."""
        self.device = engine.device
        self.recovery_code: str | None = None
        """The recovery code, after `register` only, and never again: have it written down."""
        self.devices = engine.devices
        """The devices of this account."""
        self.settings = engine.settings
        self.contacts = engine.contacts
        self.groups = engine.groups
        self.sealed = engine.sealed
        """Conversations in which the server is not told who sends."""
        self.safety = engine.safety
        """Safety numbers, and who was verified by them."""
        self._engine, self._store, self._world = engine, engine.store, engine.world
        self._tasks: asyncio.TaskGroup | None = None

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
        made: list[bytes] = []

        async def work(store: Store, api: Api) -> None:
            made.append(
                await register(
                    store, api, world, server=server_url, number=number, code=code, name=name
                )
            )

        client = await cls._begun(server_url, directory, world, work)
        client.recovery_code = to_text(made[0])
        return client

    @classmethod
    async def recover(
        cls,
        server_url: str,
        directory: str | Path,
        number: str,
        code: AskCode,
        recovery_code: str,
        *,
        name: str = "",
        show: ShowDevices | None = None,
        world: Environment | None = None,
    ) -> "Client":
        """Go on with the account that has the number, on this device as its main one.

        `code` is awaited as in `register`. `show` is awaited with the devices that the account
        has; the main one is removed, and if it returns False nothing is changed. Cut off, the
        same call goes on. Raises RecoveryFailed, AlreadyRegistered, AccountInUse, Refused, Offline.
        """
        world = world or Environment()

        async def work(store: Store, api: Api) -> None:
            await recover(
                store,
                api,
                world,
                server=server_url,
                number=number,
                code=code,
                recovery_code=recovery_code,
                name=name,
                show=show or _go_on,
            )

        return await cls._begun(server_url, directory, world, work)

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
        world = world or Environment()

        async def work(store: Store, api: Api) -> None:
            await linking.link(store, api, world, server_url, device or NewDevice(), show)

        return await cls._begun(server_url, directory, world, work)

    @classmethod
    async def open(cls, directory: str | Path, *, world: Environment | None = None) -> "Client":
        """Open an account that was registered here. Raises NotRegistered, AccountInUse."""
        world = world or Environment()
        async with contextlib.AsyncExitStack() as undo:
            store = Store(Path(directory))
            undo.push_async_callback(store.close)
            await store.open(create=False)
            identity = await store.read(lambda db: facts.get(db, Identity))
            if identity is None:
                raise NotRegistered("this directory holds no finished account")
            await store.write(lambda db: facts.drop(db, RecoveryCode))
            api = Api(identity.server, world.http)
            undo.push_async_callback(api.close)
            client = cls(await Engine.of(store, api, world))
            undo.pop_all()
        return client

    async def __aenter__(self) -> "Client":
        if self._tasks is not None or self._engine.closed:
            raise Closed("a client is entered once")
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self._running = self._tasks.create_task(self._engine.run())
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
        await self._engine.close()

    async def send(self, to: AccountId | str, text: str) -> MessageId:
        """Take over a text for an account or an E.164 number; it is durable on return.

        It is sent now, or whenever the server can be reached. One's own account is allowed: a
        note to self. Raises TextEmpty, TextTooLong, UnknownRecipient, Offline (only for a number
        that was never looked up), Closed, LoggedOut once that is known: nothing would ever send it.
        """
        self._check_open()
        self._engine.parts.tokens.not_over()
        if not text:
            raise TextEmpty("a text is not empty")
        if len(text.encode()) > TEXT_BYTES:
            raise TextTooLong(f"a text has at most {TEXT_BYTES} bytes")
        peer = await self._engine.numbers.find(to) if isinstance(to, str) else to
        now_ms, rng = self._world.now_ms(), self._world.rng

        def queue(db: apsw.Connection) -> tuple[MessageId, bool]:
            item = Item(
                id=outbox.new_id(db, now_ms, rng),
                conversation=direct_conversation(self.account, peer),
                peer=peer,
                counter=0,
                kind="text",
                body=text_body(text),
                sent_ms=outbox.server_ms(db, now_ms),
            )
            outbox.enqueue(db, item, self.account, self.device, self._engine.account_key)
            return MessageId(item.id), self._engine.wrote_to(db, peer)

        id, first = await self._store.write(queue)
        if first:
            self._engine.sealed.look()
        self._engine.parts.sender.wake()
        return id

    async def flush(self, within_s: float = 10.0) -> bool:
        """Wait until all that was written has an answer: whether that was so in time."""
        until_s = self._world.monotonic_s() + within_s
        while await self._store.read(outbox.busy):
            if self._world.monotonic_s() >= until_s:
                return False
            await self._world.sleep(FLUSH_LOOKS_S)
        return True

    def events(self) -> AsyncIterator[Event]:
        """What happens, as it happens (`linnet.client.events`). One reader at a time."""
        return self._engine.events.read()

    async def messages(
        self,
        conversation: ConversationId,
        *,
        before: int | MessageId | None = None,
        limit: int = 100,
    ) -> list[Arrived]:
        """The newest messages of a conversation in its order, both sides' (before a conv_seq or a
        message); what has no place yet is at the end."""
        self._check_open()
        return await self._store.read(lambda db: history.page(db, conversation, before, limit))

    async def state(self, id: MessageId) -> State | None:
        """How far a message that this account sent has come; None if it sent no such message."""
        self._check_open()
        return await self._store.read(lambda db: history.state(db, self.account, id))

    async def find(self, number: str) -> AccountId:
        """The account with this E.164 number. Raises UnknownRecipient, Offline, Refused."""
        self._check_open()
        return await self._engine.numbers.find(number)

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
        self._engine.upkeep.set()
        return accepted

    async def accept_list(self, account: AccountId) -> bool:
        """Having compared safety numbers after a `ListConflict`, go on with the next device list
        of the account that is newer than both. False if no such alarm is on."""
        self._check_open()
        accepted = await self._store.write(lambda db: list_alarms.accept(db, account))
        self._engine.parts.sender.wake()
        return accepted

    async def list_proofs(self, account: AccountId) -> list[bytes]:
        """The proof of every `ListConflict` of an account so far; anybody can check them
        (`linnet.signing.list_alarm.read_conflict`)."""
        self._check_open()
        return await self._store.read(lambda db: list_alarms.proofs(db, account))

    async def unconfirmed(self, account: AccountId) -> list[DeviceId]:
        """Devices of an account that name a device list which nobody can show."""
        self._check_open()
        found = await self._store.read(lambda db: claims.unconfirmed(db, account))
        return [DeviceId(device) for device in found]

    async def health(self) -> counts.Health:
        """How often messages could not be read, were dropped, asked for again, or healed."""
        self._check_open()
        return await self._store.read(counts.read)

    async def accept_number_change(self, number: str) -> AccountId | None:
        """Go on with the account that a number has now, after a `NumberMoved`; that account.

        None if it is the same as before. What was written to the old one is not sent to it.
        """
        self._check_open()
        return await self._engine.numbers.accept(number)

    async def mark_read(self, conversation: ConversationId, up_to: int | MessageId) -> None:
        """The person has read up to this conv_seq, or this sealed message, which has none. Others
        are told a little later, unless the setting `read_receipts` is off; one's own other devices
        always."""
        self._check_open()
        await self._engine.reads.mark(conversation, up_to)

    async def read_up_to(self, conversation: ConversationId, account: AccountId) -> int:
        """The last conv_seq that an account is known to have read; 0 if none."""
        self._check_open()
        return await self._engine.reads.up_to(conversation, account)

    async def approve_link(self, code: str | bytes, confirm: Confirm) -> DeviceId:
        """On the main device: link the device that shows this code, if `confirm`, awaited with
        what it calls itself, says so. The id of the new device.

        Raises NotMainDevice, LinkFailed, Refused, Offline.
        """
        self._check_open()
        return await self.devices.approve(code, confirm)

    # ---- how it comes to be open

    @classmethod
    async def _begun(
        cls,
        server_url: str,
        directory: str | Path,
        world: Environment,
        work: Callable[[Store, Api], Awaitable[None]],
    ) -> "Client":
        """The client of a directory that `work` makes an account in."""
        async with contextlib.AsyncExitStack() as undo:
            store, api = Store(Path(directory)), Api(server_url, world.http)
            undo.push_async_callback(store.close)
            undo.push_async_callback(api.close)
            await store.open()
            await work(store, api)
            client = cls(await Engine.of(store, api, world))
            undo.pop_all()
        return client

    def _check_open(self) -> None:
        if self._engine.closed:
            raise Closed("the client is closed")


async def _go_on(devices: Sequence[FoundDevice]) -> bool:
    return True
