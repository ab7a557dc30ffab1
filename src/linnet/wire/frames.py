"""Frames: everything that may be said on the WebSocket, declared once.

The structs are arrays in MessagePack; `codec` derives the object twins that JSON uses. Fields
are append-only and every later one has a default, so old and new ends understand each other.
Names follow docs/protocol/frames.md. No behaviour lives here.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, field

from linnet.wire.limits import ACCOUNT_DEVICES, POSITION_END, STATUS_CONVERSATIONS, SessionLimits

Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Address17 = Annotated[bytes, Meta(min_length=17, max_length=17)]
Hash32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Device = Annotated[int, Meta(ge=1, le=127)]
SenderDevice = Annotated[int, Meta(ge=0, le=127)]
"""0 where the sender is sealed inside the ciphertext."""
Natural = Annotated[int, Meta(ge=0, lt=POSITION_END)]
TokenText = Annotated[str, Meta(min_length=1, max_length=4096)]
Proof = Annotated[bytes, Meta(max_length=16)]
Mode = Annotated[int, Meta(ge=0, le=2)]
Sets = tuple[Natural, Natural]
"""Device-set numbers of a 1:1: (recipient's, sender's)."""
Interval = tuple[Natural, Natural]
"""Conversation sequence numbers, both ends included."""

FULL, NARROWED, CONTROL = 0, 1, 2
SESSION, PREKEY, SEALED, SENDER_KEY = 2, 3, 6, 7
"""Kinds of ciphertext."""


class Frame(msgspec.Struct, array_like=True, gc=False):
    """Base of every frame. Frames are never changed once made."""


class Part(Frame):
    """One device's ciphertext. `kind`: 2 a session message, 3 a pre-key message."""

    device: Device
    kind: Annotated[int, Meta(ge=2, le=3)]
    ciphertext: bytes


# ---- client to server


class Hello(Frame, tag="hello"):
    """First frame of a socket. `resume` is the cursor and counts as an ack; `proof` is the
    server's own proof of the highest head it told this device (docs/protocol/session.md)."""

    token: TokenText
    device: Device
    resume: Natural = 0
    proof: Proof = b""
    proved: Natural = 0

    def __repr__(self) -> str:
        return "Hello(…)"


class Renew(Frame, tag="token"):
    """A fresh access token for a live socket."""

    token: TokenText

    def __repr__(self) -> str:
        return "Renew(…)"


class Send(Frame, tag="message"):
    """One message: a ciphertext per device (1:1) or one sender-key ciphertext (group).

    `parts` go to the recipient's devices, `own_parts` to the sender's other devices.
    """

    id: Id16
    to: Address17
    mode: Mode
    commitment: Hash32
    timestamp: Natural
    sets: Sets | None = None
    parts: Annotated[list[Part], Meta(max_length=ACCOUNT_DEVICES)] = []
    own_parts: Annotated[list[Part], Meta(max_length=ACCOUNT_DEVICES)] = []
    roster: Natural = 0
    body: bytes = b""


class Ack(Frame, tag="ack"):
    """Everything up to `position` is committed on this device."""

    position: Natural


class StatusQuery(Frame, tag="status?"):
    """Asks for the delivered watermarks of conversations, after a reconnect."""

    conversations: Annotated[list[Id16], Meta(max_length=STATUS_CONVERSATIONS)]


class Ping(Frame, tag="ping"):
    """Heartbeat."""


# ---- server to client


class Welcome(Frame, tag="welcome"):
    """The socket is authenticated. `head` is the mailbox's last position, `proof` its MAC, `set`
    the account's own device set as delivery knows it."""

    head: Natural
    proof: Proof
    server_time: Natural
    limits: SessionLimits
    set: Natural = 0


class Deliver(Frame, tag="message"):
    """A message for this device: the row at `position`, which follows the row at `prev`.

    Of a sealed one, `conversation` and `from` are zeros, `device` and `conv_seq` 0.
    """

    position: Natural
    prev: Natural
    conversation: Id16
    conv_seq: Natural
    id: Id16
    sender: Id16 = field(name="from")
    device: SenderDevice
    mode: Mode
    kind: Annotated[int, Meta(ge=2, le=7)]
    ciphertext: bytes
    commitment: Hash32
    timestamp: Natural
    server_timestamp: Natural
    sets: Sets | None = None
    roster: Natural = 0
    stamp: Annotated[bytes, Meta(max_length=66)] = b""


class Row(Frame, tag="row"):
    """A row with nothing in it for this device."""

    position: Natural
    prev: Natural
    conversation: Id16
    conv_seq: Natural


class Own(Frame, tag="own"):
    """The sending device's own row: what was accepted of its message."""

    position: Natural
    prev: Natural
    conversation: Id16
    id: Id16
    conv_seq: Natural
    server_timestamp: Natural
    commitment: Hash32
    sets: Sets | None = None
    roster: Natural = 0


class Sent(Frame, tag="sent"):
    """Durable and decided. With a `position`, it is also that row's push."""

    id: Id16
    conv_seq: Natural
    server_timestamp: Natural
    commitment: Hash32
    sets: Sets | None = None
    roster: Natural = 0
    position: Natural = 0
    prev: Natural = 0


class Rejected(Frame, tag="rejected"):
    """Nothing was stored for this try. `sets` or `roster` say what is new where that is why."""

    id: Id16
    code: str
    retryable: bool
    sets: Sets | None = None
    roster: Natural = 0


class Resync(Frame, tag="resync"):
    """Rows after the cursor have expired: continue from position `start`."""

    start: Natural = field(name="from")


class Status(Frame, tag="status"):
    """What `account` has committed of a conversation, as intervals of `conv_seq`."""

    conversation: Id16
    account: Id16
    delivered: list[Interval]


class GroupStatus(Frame, tag="group_status"):
    """What members of a group have committed: (account, intervals of `conv_seq`) each."""

    conversation: Id16
    delivered: list[tuple[Id16, list[Interval]]]


class DevicesChanged(Frame, tag="devices"):
    """A hint, never stored: this account's device set is now `set`. Losing it costs time."""

    account: Id16
    set: Natural


class GroupChanged(Frame, tag="group"):
    """A hint, never stored: the group's roster is now `roster`. Losing it costs time."""

    group: Id16
    roster: Natural


class Pong(Frame, tag="pong"):
    """Answers `ping`: a `head` above what was pushed means that a notice was lost."""

    head: Natural
    proof: Proof


class Error(Frame, tag="error"):
    """Something this client said cannot be done. `re` names the frame type."""

    code: str
    text: str
    retryable: bool
    re: str = ""


class Drain(Frame, tag="drain"):
    """This server is going away: reconnect at a random moment within `within_s` seconds."""

    within_s: Natural


ClientFrame = Hello | Renew | Send | Ack | StatusQuery | Ping
ServerFrame = (
    Welcome
    | Deliver
    | Row
    | Own
    | Sent
    | Rejected
    | Resync
    | Status
    | GroupStatus
    | DevicesChanged
    | GroupChanged
    | Pong
    | Error
    | Drain
)
RowFrame = Deliver | Row | Own
