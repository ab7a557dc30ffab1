"""What an acknowledgement says of others' messages, cut where nothing may be claimed."""

from __future__ import annotations

from tests.server.services.delivery.records import ALICE, BOB, CAROL, NOW_MS, fresh_id

from linnet.server.gateway.runs import runs_of
from linnet.server.gateway.window import Window
from linnet.server.ports.timeline import Accepted
from linnet.server.services.delivery.watermark import Run

CONVERSATION = b"conversation 16b"


def message(conv_seq: int, sender: bytes = ALICE) -> Accepted:
    return Accepted(CONVERSATION, conv_seq, fresh_id(1), sender, 1, 0, NOW_MS, NOW_MS, b"c" * 32)


def test_neighbours_are_one_run_and_bare_rows_another() -> None:
    rows = [
        (10, message(1), False),
        (11, message(2, BOB), False),
        (12, message(3), False),
        (13, message(4), True),
        (14, message(0), False),
        (15, message(5), False),
    ]
    assert runs_of(rows, BOB) == {
        CONVERSATION: [
            Run(ALICE, 1, 3, 12),
            Run(ALICE, 4, 4, 13, bare=True),
            Run(ALICE, 5, 5, 15),
        ]
    }


def test_no_run_reaches_over_a_resync() -> None:
    window = Window(0, 100, 1 << 20)
    for position, conv_seq in ((10, 1), (20, 2)):
        window.push(position, 1, message(conv_seq))
    window.jump(300)
    for position, conv_seq in ((310, 9), (320, 10)):
        window.push(position, 1, message(conv_seq))
    assert runs_of(window.ack(320), BOB, window.gap) == {
        CONVERSATION: [Run(ALICE, 1, 2, 20), Run(ALICE, 9, 10, 320)]
    }


def test_messages_of_several_people_are_a_run_each() -> None:
    rows = [
        (10, message(1, ALICE), False),
        (11, message(2, ALICE), False),
        (12, message(3, CAROL), False),
        (13, message(4, ALICE), False),
    ]
    assert runs_of(rows, BOB)[CONVERSATION] == [
        Run(ALICE, 1, 2, 11),
        Run(CAROL, 3, 3, 12),
        Run(ALICE, 4, 4, 13),
    ]
