"""The outbox as a state machine: whatever the server answers, in whatever order, a message ends in
one state, keeps its id and counter, and is never offered after it ended."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.client.post_office import CODEC, Clockwork, PostOffice, two_devices

from linnet.client import outbox
from linnet.client.answers import Verdict, verdict
from linnet.client.events import State
from linnet.wire.errors import ERRORS

ANSWERS = ["lost", "lost after deciding", "devices_changed", "unavailable", "accepted", "own row"]
FINAL = ["id_time", "forbidden"]


@pytest.mark.parametrize(
    ("code", "unanswered", "expected"),
    [
        ("devices_changed", True, Verdict.SEAL_AGAIN),
        ("devices_changed", False, Verdict.SEAL_AGAIN),
        ("group_changed", False, Verdict.SEAL_AGAIN),
        ("unavailable", True, Verdict.AGAIN),
        ("rate_limited", False, Verdict.AGAIN),
        ("id_time", True, Verdict.UNKNOWN),
        ("id_time", False, Verdict.FAILED),
        ("unknown_recipient", True, Verdict.FAILED),
        ("not_listed", False, Verdict.FAILED),
    ],
)
def test_every_refusal_has_its_verdict(code: str, unanswered: bool, expected: Verdict) -> None:
    assert verdict(code, ERRORS[code].retryable, unanswered) is expected


def test_a_code_from_a_newer_server_is_judged_by_whether_it_is_retryable() -> None:
    assert verdict("brand_new", True, False) is Verdict.AGAIN
    assert verdict("brand_new", False, True) is Verdict.FAILED


@settings(
    max_examples=settings().max_examples // 4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.sampled_from([*ANSWERS, *FINAL]), max_size=8))
def test_one_message_has_one_end(answers: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(Path(directory), answers))


async def play(directory: Path, answers: list[str]) -> None:
    alice, bob = await two_devices(directory, clock := Clockwork())
    office = PostOffice(clock)
    id = await alice.write_text(bob, "hello")
    ended: State | None = None
    counters = set()
    for answer in answers:
        for item in await alice.due():
            counters.add(item.counter)
        frames = await alice.frames({bob.account: bob})
        assert (frames == []) == (ended is not None), "offered exactly while there is no end"
        for frame in frames:
            assert CODEC.client_frame(frame).id == id  # type: ignore[union-attr]
            ended = await answered(alice, office, frame, answer)
    state = await alice.state(id)
    assert state is (ended or State.SENDING)
    assert counters <= {1}
    accepted = len(office.outcomes)
    await bob.receive(office.rows(bob.account, 0))
    assert len(await bob.shown(alice)) == accepted
    if state is State.SENT:
        assert accepted == 1
    if state is State.FAILED:
        assert accepted == 0
    await alice.store.close()
    await bob.store.close()


async def answered(alice: Any, office: PostOffice, frame: bytes, answer: str) -> State | None:
    if answer == "lost":
        return None
    if answer in ("devices_changed", "unavailable"):
        office.refusals = [(answer, True)]
    elif answer in FINAL:
        office.refusals = [(answer, False)]
    reply = office.post(alice, frame)
    office.refusals = []
    if answer == "lost after deciding":
        return None
    if answer == "own row":
        reply = office.rows(alice.account, 0)[0]
    effects = await alice.receive([reply])
    for event in effects.events:
        return getattr(event, "state", State.SENT)
    return None


async def test_what_a_wrong_clock_held_back_does_not_wait_until_that_time(tmp_path: Path) -> None:
    alice, bob = await two_devices(tmp_path, Clockwork())
    id = await alice.write_text(bob, "hello")
    now_ms = alice.clock.now_ms

    async def due() -> list[bytes]:
        return [item.id for item in await alice.store.read(lambda db: outbox.due(db, now_ms))]

    await alice.store.write(lambda db: outbox.hold(db, id, now_ms))
    assert await due() == []
    await alice.store.write(lambda db: outbox.hold(db, id, now_ms, outbox.HELD_AT_MOST_MS))
    assert await due() == []
    ahead_ms = now_ms + 40 * 86_400_000
    await alice.store.write(lambda db: outbox.hold(db, id, ahead_ms))
    assert await due() == [id]
    for device in (alice, bob):
        await device.store.close()


@pytest.mark.parametrize(
    ("code", "waits_on"),
    [("unavailable", False), ("internal", False), ("rate_limited", True)],
)
async def test_a_new_run_does_not_wait_for_a_trouble_that_may_be_over(
    tmp_path: Path, code: str, waits_on: bool
) -> None:
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    office = PostOffice(clock)
    id = await alice.write_text(bob, "hello")
    for _ in range(6):
        office.refusals = [(code, True)]
        [frame] = await alice.frames({bob.account: bob})
        await alice.receive([office.post(alice, frame)])
    await alice.store.write(outbox.opened)
    due = await alice.store.read(lambda db: outbox.due(db, clock.now_ms))
    assert [item.id for item in due] == ([] if waits_on else [id])
    for device in (alice, bob):
        await device.store.close()
