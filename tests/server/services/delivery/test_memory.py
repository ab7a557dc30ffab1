"""What the driver remembers: bounded, and never sure of an id that could be stored."""

from __future__ import annotations

from tests.server.services.delivery.records import (
    ALICE,
    NOW_MS,
    device_set,
    fresh_id,
    mailbox_of,
    roster_of,
)

from linnet.server.ports.timeline import Cursor, Head, Loaded, Mark, Opened, Wanted
from linnet.server.services.delivery.group import regrouped
from linnet.server.services.delivery.memory import Memory

NOTHING = Opened(0, 0, [], 0)


def test_what_is_wanted_and_missing_is_remembered_as_new() -> None:
    memory = Memory(NOTHING, 10, 10)
    wanted = Wanted({b"c"}, {b"m"}, {b"a"}, {(b"c", b"a")}, {(b"a", 1)})
    memory.learn(wanted, Loaded())
    assert memory.heads == {b"c": Head(b"c")}
    assert memory.mailboxes == {b"m": 0}
    assert memory.sets == {b"a": None}
    assert memory.marks == {(b"c", b"a"): {}}
    assert memory.cursors == {(b"a", 1): Cursor(b"a", 1)}


def test_what_was_loaded_is_remembered_as_it_is() -> None:
    memory = Memory(NOTHING, 10, 10)
    mark, change = Mark(b"c", ALICE, 2, ((1, 3),), 7), device_set(ALICE)
    loaded = Loaded(
        heads={b"c": Head(b"c", 3)},
        mailboxes={mailbox_of(ALICE): 9},
        sets={ALICE: change},
        marks={(b"c", ALICE): [mark]},
        cursors={(ALICE, 2): Cursor(ALICE, 2, 9)},
    )
    memory.learn(
        Wanted({b"c"}, {mailbox_of(ALICE)}, {ALICE}, {(b"c", ALICE)}, {(ALICE, 2)}), loaded
    )
    assert memory.heads == loaded.heads
    assert memory.mailboxes == loaded.mailboxes
    assert memory.sets == loaded.sets
    assert memory.marks == {(b"c", ALICE): {2: mark}}
    assert memory.cursors == loaded.cursors


def test_an_id_is_surely_new_only_above_everything_forgotten() -> None:
    recent = fresh_id(1, NOW_MS - 5)
    memory = Memory(Opened(0, 0, [recent], NOW_MS), 10, 10)
    assert memory.may_be_known(recent)
    assert memory.may_be_known(fresh_id(2, NOW_MS))
    assert not memory.may_be_known(fresh_id(3, NOW_MS + 1))


def test_forgotten_ids_raise_the_time_below_which_ids_are_looked_up() -> None:
    memory = Memory(NOTHING, 10, 16)
    ids = [fresh_id(n, NOW_MS + n * (-1) ** n) for n in range(40)]
    for id in ids:
        memory.recent[id] = None
        memory.trim()
        assert len(memory.recent) <= 16
    assert all(memory.may_be_known(id) for id in ids)
    assert list(memory.recent) == ids[-len(memory.recent) :]
    assert not memory.may_be_known(fresh_id(99, NOW_MS + 100))


def test_every_map_is_bounded_however_much_one_batch_brings() -> None:
    memory = Memory(NOTHING, 8, 8)
    many = [n.to_bytes(2, "big") for n in range(100)]
    memory.learn(
        Wanted(
            set(many),
            set(many),
            set(many),
            {(key, key) for key in many},
            {(key, 1) for key in many},
        ),
        Loaded(),
    )
    for n in range(6):
        memory.hold(b"%d" % n, regrouped(None, roster_of(1, ALICE=(1,), BOB=(1,)), 1))
    memory.hold(b"5", regrouped(None, roster_of(2, ALICE=(1,)), 1))
    memory.trim()
    # A group counts as one and its members: 2, 3 and 3 are 8, another 3 are too many.
    assert list(memory.groups) == [b"3", b"4", b"5"]
    for held in (memory.heads, memory.mailboxes, memory.sets, memory.marks, memory.cursors):
        assert 0 < len(held) <= 8
