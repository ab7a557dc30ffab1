"""Events: what an application is told, as an async iterator over the account.

Arrived messages are read from the store, where they were committed before anyone is told, so none
is lost however slowly the application reads. All other events wait in a queue of `QUEUE_EVENTS`;
when it is full the oldest is dropped and a `Missed` says how many, and what they said can be read
again (`Client.state`, `Client.messages`). Messages may come again after a crash.
"""

import asyncio
import collections
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from linnet.client.device_events import OwnEvent
from linnet.client.groups.events import GroupEvent
from linnet.client.sealed.events import SealedChanged
from linnet.wire.ids import AccountId, ConversationId, DeviceId, MessageId

QUEUE_EVENTS: Final = 1024


class State(StrEnum):
    """How far a message has come."""

    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNKNOWN = "unknown"
    """It may or may not have been accepted, and nobody can tell any more."""
    FAILED = "failed"
    RECEIVED = "received"
    UNDECRYPTABLE = "undecryptable"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of a conversation. `reason` says why, where the state is a failure.

    `note`: "narrowed" if the sender wrote to this account's main device only, "resent" if it was
    sent again and its place in the conversation is only what the sender says.
    """

    conversation: ConversationId
    sender: AccountId
    device: DeviceId
    id: MessageId
    conv_seq: int | None
    sent_at: datetime
    received_at: datetime | None
    state: State
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Entry):
    """Something said. `text` is None for a kind that this version cannot show."""

    kind: str
    text: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecryptable(Entry):
    """A message that no session of this device opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged(Entry):
    """A message that was opened and is not what it claims to be."""


@dataclass(frozen=True, slots=True)
class Sent:
    """✓ The server has it, durably, and gave it its place in the conversation. What is sealed has
    no number there: `conv_seq` is 0."""

    conversation: ConversationId
    id: MessageId
    conv_seq: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """✓✓ A device of the recipient has committed it."""

    conversation: ConversationId
    id: MessageId


@dataclass(frozen=True, slots=True)
class NotSent:
    """The message will not be sent (`failed`), or nobody can tell whether it was (`unknown`)."""

    conversation: ConversationId
    id: MessageId
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Healed:
    """What could not be decrypted was sent again: `message` stands in its place now. None if it is
    nothing to show."""

    conversation: ConversationId
    id: MessageId
    message: "Message | Undecryptable | Damaged | None"


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A device of an account names a device list that neither it nor the server can show. Sending
    paused for it once, an hour at most."""

    account: AccountId
    device: DeviceId


@dataclass(frozen=True, slots=True)
class ListConflict:
    """The account signed two device lists that contradict each other: somebody else may have its
    key. Nothing is sent to it until safety numbers were compared, `Client.accept_list` was called,
    and a newer list has come. `proof` can be shown to anyone."""

    account: AccountId
    proof: bytes


@dataclass(frozen=True, slots=True)
class ClockWrong:
    """By this device's clock most device lists have expired, or are not valid yet. Nothing is sent
    until the clock is right."""


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """The account shows another account key. Nothing is sent to it until
    `Client.accept_identity`; compare safety numbers first."""

    account: AccountId


class Connection(StrEnum):
    """Whether frames can flow."""

    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """The connection changed. `reason` names the close or error that caused it, if one did."""

    state: Connection
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """The application was too slow: this many events other than messages were dropped."""

    count: int


Arrived = Message | Undecryptable | Damaged
Told = Sent | Delivered | NotSent | Healed
Warned = IdentityChanged | Unconfirmed | ListConflict | ClockWrong
Event = Arrived | Told | Warned | ConnectionState | Missed | OwnEvent | GroupEvent | SealedChanged


class Events:
    """The queue between the SDK and one application loop."""

    def __init__(
        self, arrived_after: Callable[[int], Awaitable[list[tuple[int, Arrived]]]]
    ) -> None:
        self._arrived_after = arrived_after
        self._queue: collections.deque[Event] = collections.deque()
        self._missed = 0
        self._news = asyncio.Event()
        self._unread = True
        self._closed = False
        self.told = 0
        """Row number of the last message the application is done with."""

    def tell(self, event: Event) -> None:
        """Queue an event that is not an arrived message."""
        if len(self._queue) >= QUEUE_EVENTS:
            self._queue.popleft()
            self._missed += 1
        self._queue.append(event)
        self._news.set()

    def messages_arrived(self) -> None:
        """Messages were committed: read them from the store."""
        self._unread = True
        self._news.set()

    def close(self) -> None:
        """End the iteration once what is queued was read."""
        self._closed = True
        self._news.set()

    async def read(self) -> AsyncIterator[Event]:
        """Events, oldest first within messages and within the rest. One reader at a time."""
        while True:
            self._news.clear()
            async for event in self._messages():
                yield event
            while self._queue:
                if self._missed:
                    missed, self._missed = self._missed, 0
                    yield Missed(missed)
                yield self._queue.popleft()
            if self._closed:
                return
            if not self._unread and not self._queue:
                await self._news.wait()

    async def _messages(self) -> AsyncIterator[Event]:
        while self._unread and not self._closed:
            self._unread = False
            page = await self._arrived_after(self.told)
            for seq, message in page:
                yield message
                self.told = seq
            if page:
                self._unread = True
