"""The SDK: an account on this device, without any user interface.

`Client` registers, opens, sends and receives; docs/guides/sdk.md begins with ten lines that send a
first message. Keys, history and what is still to be sent live in one directory per account.
"""

from linnet.client.account import Client
from linnet.client.environment import Environment
from linnet.client.errors import (
    AccountInUse,
    AlreadyRegistered,
    ClientError,
    Closed,
    LoggedOut,
    NotRegistered,
    NotTrusted,
    Offline,
    Refused,
    StoreUnavailable,
    TextTooLong,
    UnknownRecipient,
)
from linnet.client.events import (
    Arrived,
    Connection,
    ConnectionState,
    Damaged,
    Delivered,
    Event,
    IdentityChanged,
    Message,
    Missed,
    NotSent,
    Sent,
    State,
    Undecryptable,
)

__all__ = [
    "AccountInUse",
    "AlreadyRegistered",
    "Arrived",
    "Client",
    "ClientError",
    "Closed",
    "Connection",
    "ConnectionState",
    "Damaged",
    "Delivered",
    "Environment",
    "Event",
    "IdentityChanged",
    "LoggedOut",
    "Message",
    "Missed",
    "NotRegistered",
    "NotSent",
    "NotTrusted",
    "Offline",
    "Refused",
    "Sent",
    "State",
    "StoreUnavailable",
    "TextTooLong",
    "Undecryptable",
    "UnknownRecipient",
]
