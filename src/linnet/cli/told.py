"""Told: events of the SDK as lines for people and as JSON for programs. The only place that
decides how a message looks as text."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any

from linnet.cli.warned import accepting, contradiction, new_keys, why_not
from linnet.client import (
    Arrived,
    ClockWrong,
    ConnectionState,
    Damaged,
    DeviceAdded,
    DeviceRemoved,
    Event,
    IdentityChanged,
    ListConflict,
    MainDeviceNeeded,
    Message,
    NotSent,
    NumberMoved,
    Undecryptable,
)
from linnet.client.events import Healed
from linnet.client.groups.events import (
    GroupChanged,
    GroupForked,
    GroupHeld,
    GroupJoined,
    GroupLeft,
)
from linnet.wire.ids import AccountId, show

GroupNews = GroupJoined | GroupLeft | GroupChanged | GroupForked | GroupHeld


def is_arrival(event: Event) -> bool:
    """Whether something was said, readable or not."""
    return isinstance(event, Message | Undecryptable | Damaged)


def plain(text: str) -> str:
    """Text from somebody else, safe to print: nothing in it moves the cursor or talks to the
    terminal. Line breaks and tabs become spaces."""
    return "".join(
        (" " if letter in "\n\r\t\u2028\u2029" else "")
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNING
        else letter
        for letter in text
    )


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional overrides, which can make a line look like another one."""


def words(message: Arrived) -> str:
    """What a message says, safe to print on one line."""
    match message:
        case Undecryptable():
            return "[could not be decrypted]"
        case Damaged():
            return "[damaged]"
        case Message(text=None, kind=kind):
            return f"[{plain(kind)}: this version cannot show it]"
        case Message(text=text):
            return plain(text or "")


def clock(when: datetime) -> str:
    """Hours and minutes here."""
    return when.astimezone().strftime("%H:%M")


def as_line(
    event: Event,
    who: Callable[[AccountId], str] = show,
    group: Callable[[bytes], str] = lambda conversation: "",
) -> str | None:
    """A line for a person; None for what a person need not see. `who` names accounts, `group` the
    group of a conversation."""
    match event:
        case Message() | Undecryptable() | Damaged():
            return said(event, who, group)
        case Healed(message=Message() as message):
            return f"{said(message, who, group)} [sent again]"
        case GroupJoined() | GroupLeft() | GroupChanged() | GroupForked() | GroupHeld():
            return f"{group(event.group) or 'A group'}: {of_group(event, who)}"
        case NotSent():
            return f"A message was not sent: {why_not(event)}."
        case IdentityChanged():
            return f"{who(event.account)} {new_keys(event.account)}"
        case ListConflict():
            return f"{who(event.account)} {contradiction(event.account)}"
        case ClockWrong():
            return "Is the clock of this machine wrong? Nothing is sent until it is right."
        case ConnectionState():
            return f"· {event.state}" + (f" ({event.reason})" if event.reason else "")
        case DeviceAdded():
            return f"A device was added to your account: {device(event)}. Not you? Remove it."
        case DeviceRemoved():
            return f"A device was removed from your account: {device(event)}."
        case MainDeviceNeeded(until=until, receiving=True):
            return f"Open your main device before {until:%d %B}, or nothing arrives here any more."
        case MainDeviceNeeded():
            return "You are not receiving: your main device was away too long. Open it."
        case NumberMoved():
            return (
                f"{event.number} has a new account: a new owner, or the same person anew. Nothing"
                f" is sent to it until you accept that. Make sure first: {accepting(event.number)}."
            )
        case _:
            return None  # ticks, and what is for programs


def said(message: Arrived, who: Callable[[AccountId], str], group: Callable[[bytes], str]) -> str:
    """When, where, who and what."""
    where = group(message.conversation)
    at = f"{clock(message.sent_at)} {where} ·" if where else clock(message.sent_at)
    return f"{at} {who(message.sender)}: {words(message)}"


def of_group(event: GroupNews, who: Callable[[AccountId], str]) -> str:
    """What happened to a group, in a sentence that follows its name; `who` names oneself `you`."""
    match event:
        case GroupJoined(by=by):
            return "you are a member now" + ("" if who(by) == "you" else f", added by {who(by)}")
        case GroupLeft(by=by):
            return "you left" if who(by) == "you" else f"{who(by)} removed you"
        case GroupHeld(by=by):
            what = "a removed device signed a change of it, in the name of"
            return f"{what} {who(by)}: nothing is sent to it until an admin changes something"
        case GroupForked():
            return "members were shown different histories of it: nothing is sent to it any more"
        case GroupChanged(by=by, what=what, about=about):
            people = ", ".join(who(account) for account in about)
            return _CHANGES.get(what, "{by} changed it ({what})").format(
                by=who(by), what=what, people=people
            )


_CHANGES = {
    "add": "{by} added {people}",
    "remove": "{by} removed {people}",
    "leave": "{by} left",
    "promote": "{by} made {people} an admin",
    "demote": "{by} made {people} an ordinary member",
    "rekey": "{by} let {people} go on under new keys",
    "retitle": "{by} changed the title",
    "confirm": "{by} confirmed the devices of their account",
}


def device(event: DeviceAdded | DeviceRemoved) -> str:
    """A device, as a person knows it."""
    name = plain(event.name)
    return f"{KINDS.get(event.kind, 'device')} {event.device}" + (f" “{name}”" if name else "")


KINDS = {1: "terminal", 2: "browser", 3: "phone", 4: "desktop"}
"""Kinds of devices, in words."""


def as_object(event: Event) -> str:
    """A line of JSON: `event`, and the event's own fields."""
    return json.dumps({"event": _name(event), **_fields(event)}, ensure_ascii=False)


def _name(event: Event) -> str:
    """The name of its class, in small letters with underscores."""
    name = type(event).__name__.removesuffix("State")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


def _fields(event: Event) -> dict[str, Any]:
    names = [name for base in reversed(type(event).__mro__) for name in _slots(base)]
    return {name: _value(getattr(event, name)) for name in names}


def _slots(base: type) -> tuple[str, ...]:
    return tuple(base.__dict__.get("__slots__", ()))


def _value(value: object) -> object:
    match value:
        case bytes() if len(value) == _ID_BYTES:
            return show(value)
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat()
        case tuple():
            return [_value(one) for one in value]
        case Message() | Undecryptable() | Damaged():
            return _fields(value)
        case _:
            return value


_ID_BYTES = 16
