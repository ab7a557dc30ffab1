"""Events about one's own devices, and about people's accounts as a whole."""

from dataclasses import dataclass
from datetime import datetime

from linnet.wire.ids import AccountId, ConversationId, DeviceId, MessageId


@dataclass(frozen=True, slots=True)
class DeviceAdded:
    """A device was added to one's own account. Nobody at hand who did that? Remove it at once, on
    the main device."""

    device: DeviceId
    kind: int
    name: str


@dataclass(frozen=True, slots=True)
class DeviceRemoved:
    """A device was removed from one's own account: it gets nothing new."""

    device: DeviceId
    kind: int
    name: str


@dataclass(frozen=True, slots=True)
class MainDeviceNeeded:
    """The account's main device was not online for weeks: open it before `until`, or this one
    gets no messages any more. With `receiving` False that has happened."""

    until: datetime
    receiving: bool


@dataclass(frozen=True, slots=True)
class Read:
    """`by` has read the conversation up to this conv_seq: another person, or oneself elsewhere.
    Of sealed messages, which have none, up to the message `sealed`."""

    conversation: ConversationId
    by: AccountId
    up_to: int
    sealed: MessageId | None = None


@dataclass(frozen=True, slots=True)
class NumberMoved:
    """The number belongs to another account now: a new owner, or the same person without their
    recovery code. Nothing is sent to it until `Client.accept_number_change`."""

    number: str
    before: AccountId
    now: AccountId


@dataclass(frozen=True, slots=True)
class Synced:
    """Something was changed on another of one's own devices: `what` is `setting`, `contact` or
    `verified`."""

    what: str


OwnEvent = DeviceAdded | DeviceRemoved | MainDeviceNeeded | Read | NumberMoved | Synced
