"""One row, as each device sees it."""

from __future__ import annotations

from tests.server.services.delivery.records import ALICE, BOB, NOW_MS, fresh_id

from linnet.server.ports.timeline import Accepted, Entry
from linnet.server.services.delivery.view import view
from linnet.wire.frames import FULL, Deliver, Own, Part, Row

ACCEPTED = Accepted(
    b"conversation 16b",
    7,
    fresh_id(1),
    ALICE,
    2,
    FULL,
    NOW_MS - 5,
    NOW_MS,
    b"c" * 32,
    (3, 4),
    0,
    b"stamp",
)
ENTRY = Entry(b"m", 12, 9, ACCEPTED, [Part(1, 3, b"for one"), Part(3, 2, b"for three")])


def test_the_sending_device_sees_what_was_accepted() -> None:
    assert view(ENTRY, ALICE, 2) == Own(
        12, 9, ACCEPTED.conversation, ACCEPTED.id, 7, NOW_MS, b"c" * 32, (3, 4), 0
    )


def test_a_device_with_a_ciphertext_sees_its_own_and_no_other() -> None:
    expected = Deliver(
        12,
        9,
        ACCEPTED.conversation,
        7,
        ACCEPTED.id,
        ALICE,
        2,
        FULL,
        3,
        b"for one",
        b"c" * 32,
        NOW_MS - 5,
        NOW_MS,
        (3, 4),
        0,
        b"stamp",
    )
    assert view(ENTRY, BOB, 1) == expected
    assert view(ENTRY, ALICE, 1) == expected


def test_a_device_with_nothing_in_it_sees_a_bare_row() -> None:
    assert view(ENTRY, BOB, 2) == Row(12, 9, ACCEPTED.conversation, 7)
