"""Which kind of content may come over which channel, and from whom: one table.

The same table is printed in docs/protocol/content.md and a test compares the two. What a kind's
body holds is for whoever reads that kind. A kind that is not here comes from a newer client: it
is kept and shown as "needs a newer version", wherever ordinary messages go.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

TO_ACCOUNT: Final = 0x01
TO_GROUP: Final = 0x02


class Mode(IntEnum):
    """The mode of a frame: whom its ciphertexts reach."""

    FULL = 0
    NARROWED = 1
    CONTROL = 2


class Channel(StrEnum):
    """The way by which content comes."""

    DIRECT = "direct"
    """Pairwise, between two accounts and the sender's other devices; numbered."""
    OWN = "own"
    """Pairwise, among the devices of one account: notes to self, sync; numbered."""
    GROUP = "group"
    """Under a sender key, to a group; numbered."""
    CONTROL = "control"
    """Pairwise, to some devices of one account; not numbered."""
    SIGNAL = "signal"
    """An encrypted signal, not stored."""
    STORY = "story"
    """Under a story sender key; not numbered."""
    SEALED = "sealed"
    """Pairwise and sealed, from another account; numbered by its sender, without a conv_seq."""
    SEALED_OWN = "sealed own"
    """Pairwise and sealed, among the devices of one account; numbered as `SEALED`."""
    SEALED_CONTROL = "sealed control"
    """Pairwise and sealed, to some devices of one account; not numbered."""


class Author(StrEnum):
    """Who may send a kind; always a listed device."""

    ANY = "any"
    OWN = "own account"
    PRIMARY = "own primary, linking"


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a kind may come from."""

    channels: frozenset[Channel]
    author: Author = Author.ANY


NUMBERED: Final = frozenset(
    {Channel.DIRECT, Channel.OWN, Channel.GROUP, Channel.SEALED, Channel.SEALED_OWN}
)
"""The channels whose content carries a counter from 1."""

KEPT: Final = NUMBERED - {Channel.SEALED_OWN}
"""The channels where a kind that we do not know is kept, for a newer version to show."""

_MESSAGE: Final = Rule(KEPT)
_CONTROL: Final = Rule(frozenset({Channel.CONTROL}))
_PAIR_CONTROL: Final = Rule(frozenset({Channel.CONTROL, Channel.SEALED_CONTROL}))

RULES: Final = {
    "text": _MESSAGE,
    "media": _MESSAGE,
    "voice": _MESSAGE,
    "location": _MESSAGE,
    "contact": _MESSAGE,
    "poll": _MESSAGE,
    "vote": _MESSAGE,
    "reaction": _MESSAGE,
    "edit": _MESSAGE,
    "delete": _MESSAGE,
    "read": _MESSAGE,
    "timer": _MESSAGE,
    "pin": _MESSAGE,
    "sealed": Rule(frozenset({Channel.DIRECT, Channel.SEALED})),
    "group_notice": Rule(frozenset({Channel.GROUP})),
    "typing": Rule(frozenset({Channel.SIGNAL})),
    "story": Rule(frozenset({Channel.STORY})),
    "sync": Rule(frozenset({Channel.OWN, Channel.SEALED_OWN}), Author.OWN),
    "history": Rule(frozenset({Channel.OWN}), Author.PRIMARY),
    "sender_key": _CONTROL,
    "signal_key": _PAIR_CONTROL,
    "profile_key": _PAIR_CONTROL,
    "device_list": _PAIR_CONTROL,
    "group_secret": _CONTROL,
    "group_secret_request": _CONTROL,
    "resend": _PAIR_CONTROL,
    "resend_request": _PAIR_CONTROL,
    "receipt": _PAIR_CONTROL,
}


def is_known(kind: str) -> bool:
    """Tell whether this client has a rule for `kind`; if not, it "needs a newer version"."""
    return kind in RULES


def frame_channel(to: bytes, sender: bytes, mode: int, *, sealed: bool = False) -> Channel | None:
    """Return the channel of content in a `message` frame; None if no client sends such a frame.

    `to` is 0x01 ‖ AccountId or 0x02 ‖ GroupId, `sender` an AccountId; `sealed`: the frame named no
    sender. Groups are never sealed.
    """
    own = to[1:] == sender
    match to[:1], mode:
        case b"\x01", Mode.CONTROL:
            return Channel.SEALED_CONTROL if sealed else Channel.CONTROL
        case b"\x01", Mode.FULL | Mode.NARROWED if sealed:
            return Channel.SEALED_OWN if own else Channel.SEALED
        case b"\x01", Mode.FULL | Mode.NARROWED:
            return Channel.OWN if own else Channel.DIRECT
        case b"\x02", Mode.FULL if not sealed:
            return Channel.GROUP
        case _:
            return None


def permitted(
    kind: str, channel: Channel, *, own_account: bool, primary: bool = False, linking: bool = False
) -> bool:
    """Tell whether `kind` may come over `channel` from this sender.

    `own_account`: the sender is the receiving account; `primary`: and its primary device;
    `linking`: that primary opened a linking window for this device.
    """
    rule = RULES.get(kind)
    if rule is None:
        return channel in KEPT
    authorised = {
        Author.ANY: True,
        Author.OWN: own_account,
        Author.PRIMARY: own_account and primary and linking,
    }
    return channel in rule.channels and authorised[rule.author]
