"""Events as text and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.cli.told import as_line, as_object, is_arrival, plain, words
from linnet.client import (
    ClockWrong,
    Connection,
    ConnectionState,
    Damaged,
    Delivered,
    DeviceAdded,
    DeviceRemoved,
    Event,
    Healed,
    IdentityChanged,
    ListConflict,
    MainDeviceNeeded,
    Message,
    Missed,
    NotSent,
    NumberMoved,
    Read,
    Sent,
    State,
    Synced,
    Unconfirmed,
    Undecryptable,
)
from linnet.client.groups.events import (
    GroupChanged,
    GroupForked,
    GroupHeld,
    GroupJoined,
    GroupLeft,
)
from linnet.wire.ids import AccountId, ConversationId, DeviceId, GroupId, MessageId, show

ID = MessageId(bytes(range(16)))
WHO = AccountId(b"a" * 16)
HERE = ConversationId(b"c" * 16)
ROW: dict[str, Any] = {
    "conversation": HERE,
    "sender": AccountId(b"a" * 16),
    "device": DeviceId(1),
    "id": ID,
    "conv_seq": 3,
    "sent_at": datetime(2026, 11, 1, 12, 0, tzinfo=UTC),
    "received_at": None,
    "state": State.RECEIVED,
}


def message(text: str | None, kind: str = "text") -> Message:
    return Message(**ROW, kind=kind, text=text)


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (message("hi"), "message"),
        (Undecryptable(**ROW), "undecryptable"),
        (Damaged(**ROW), "damaged"),
        (Sent(HERE, ID, 3), "sent"),
        (Delivered(HERE, ID), "delivered"),
        (NotSent(HERE, ID, State.FAILED, "id_time"), "not_sent"),
        (IdentityChanged(AccountId(b"a" * 16)), "identity_changed"),
        (ConnectionState(Connection.ONLINE), "connection"),
        (Missed(3), "missed"),
        (Healed(HERE, ID, message("hi")), "healed"),
        (Unconfirmed(WHO, DeviceId(2)), "unconfirmed"),
        (ListConflict(WHO, b"proof" * 40), "list_conflict"),
        (ClockWrong(), "clock_wrong"),
        (DeviceAdded(DeviceId(2), 1, "laptop"), "device_added"),
        (DeviceRemoved(DeviceId(2), 1, "laptop"), "device_removed"),
        (MainDeviceNeeded(ROW["sent_at"], True), "main_device_needed"),
        (Read(HERE, WHO, 3), "read"),
        (NumberMoved("+15550100001", WHO, WHO), "number_moved"),
        (Synced("contact"), "synced"),
        (GroupChanged(GroupId(HERE), WHO, "add", (WHO, WHO)), "group_changed"),
        (GroupHeld(GroupId(HERE), WHO), "group_held"),
        (GroupForked(GroupId(HERE), b"proof" * 40), "group_forked"),
    ],
)
def test_every_event_is_one_line_of_json_with_its_name(event: Event, name: str) -> None:
    line = as_object(event)
    assert "\n" not in line
    assert json.loads(line)["event"] == name


def test_what_stops_sending_says_so_with_the_command_that_accepts_it() -> None:
    for event in (IdentityChanged(WHO), ListConflict(WHO, b"proof")):
        line = as_line(event, lambda account: "Bob")
        assert line is not None
        assert line.startswith("Bob ")
        assert f"`linnet safety {show(WHO)}`" in line
    moved = as_line(NumberMoved("+15550100001", WHO, AccountId(b"b" * 16)))
    assert moved is not None
    assert "`linnet safety +15550100001`, then `--accept`" in moved


@pytest.mark.parametrize("reason", ["identity_changed", "not_trusted", "unknown_recipient"])
def test_why_a_message_was_not_sent_is_told_in_words(reason: str) -> None:
    line = as_line(NotSent(HERE, ID, State.FAILED, reason))
    assert line is not None
    assert reason not in line


def test_a_message_in_json_has_all_a_program_needs() -> None:
    told = json.loads(as_object(message("Grüße\n")))
    assert told["text"] == "Grüße\n"
    assert told["id"] == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert told["sent_at"] == "2026-11-01T12:00:00+00:00"
    assert told["conv_seq"] == 3


def test_only_what_was_said_counts_as_arrived() -> None:
    assert is_arrival(message("hi"))
    assert is_arrival(Damaged(**ROW))
    assert not is_arrival(Sent(HERE, ID, 3))


@pytest.mark.parametrize(
    ("arrived", "said"),
    [
        (message("hi"), "hi"),
        (message(None, "poll"), "[poll: this version cannot show it]"),
        (Undecryptable(**ROW), "[could not be decrypted]"),
        (Damaged(**ROW), "[damaged]"),
    ],
)
def test_what_cannot_be_shown_says_so(arrived: Message, said: str) -> None:
    assert words(arrived) == said


def test_a_person_is_not_told_of_ticks_by_listen() -> None:
    assert as_line(Sent(HERE, ID, 3)) is None
    assert as_line(NotSent(HERE, ID, State.FAILED, "id_time")) is not None


@given(st.text())
def test_nothing_printed_can_move_the_cursor_or_turn_the_line(text: str) -> None:
    shown = plain(text)
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in shown)
    assert not set(shown) & set("\u202e\u2066\u2028")


def test_an_escape_sequence_in_a_message_is_shown_as_letters() -> None:
    assert plain("\x1b[2Jhello\r\nworld") == "[2Jhello  world"


CHOIR, ME = GroupId(HERE), AccountId(b"m" * 16)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (GroupJoined(CHOIR, WHO), "Choir: you are a member now, added by Ada"),
        (GroupJoined(CHOIR, ME), "Choir: you are a member now"),
        (GroupLeft(CHOIR, WHO), "Choir: Ada removed you"),
        (GroupLeft(CHOIR, ME), "Choir: you left"),
        (GroupChanged(CHOIR, WHO, "add", (ME, WHO)), "Choir: Ada added you, Ada"),
        (GroupChanged(CHOIR, ME, "remove", (WHO,)), "Choir: you removed Ada"),
        (GroupChanged(CHOIR, WHO, "leave"), "Choir: Ada left"),
        (GroupChanged(CHOIR, WHO, "retitle"), "Choir: Ada changed the title"),
        (
            GroupChanged(CHOIR, WHO, "of_a_later_version"),
            "Choir: Ada changed it (of_a_later_version)",
        ),
    ],
)
def test_what_happens_to_a_group_is_a_sentence_after_its_name(event: Event, line: str) -> None:
    names: dict[bytes, str] = {WHO: "Ada", ME: "you", HERE: "Choir"}
    assert as_line(event, names.__getitem__, names.__getitem__) == line


def test_what_is_said_in_a_group_names_the_group_and_who_said_it() -> None:
    line = as_line(message("hi"), lambda account: "Ada", lambda conversation: "Choir")
    assert line is not None
    assert line.endswith(" Choir · Ada: hi")
