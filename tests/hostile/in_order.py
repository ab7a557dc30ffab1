"""Lies about rows and lines: repeated, dropped, reordered, cut, invented."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.hostile.cases import unharmed
from tests.hostile.in_frames import deliveries
from tests.hostile.middle import Told, changed
from tests.hostile.stage import GREETINGS, Stage

from linnet.client import Connection, ConnectionState, Damaged, State, Undecryptable
from linnet.wire.codec import CODECS, MSGPACK, Unknown
from linnet.wire.frames import (
    Deliver,
    Drain,
    Own,
    Pong,
    Resync,
    Row,
    Sent,
    ServerFrame,
    Status,
    Welcome,
)
from linnet.wire.limits import SessionLimits

ABOUT = "order"
SAID = [f"number {n}" for n in range(8)]
END = (1 << 53) - 1
ALL_ARRIVE = "shows every message once, in order"


async def _all_arrive(stage: Stage, *, cut: bool = False) -> None:
    """Alice says all; Bob, and she, end with all of it in order, and nothing unreadable."""
    ids = [await stage.alice.says(stage.bob, text) for text in SAID]
    for person, other in ((stage.bob, stage.alice), (stage.alice, stage.bob)):
        await person.shows(other, *GREETINGS, *SAID)
        assert person.never(Damaged, Undecryptable)
    await stage.alice.reaches(ids[-1], State.SENT, State.DELIVERED)
    if cut:
        stage.alice.line.honest()
        stage.alice.line.cut()
    await stage.alice.reaches(ids[-1], State.DELIVERED)


def _sometimes(
    seed: int, lie: Callable[[Any], Sequence[Told]], most: int = 12
) -> Callable[..., Any]:
    """Lie about a third of all frames, and no more often than `most` times: then the story ends."""
    dice, left = random.Random(seed), [most]

    def told(frame: ServerFrame | Unknown) -> Sequence[Told]:
        if not left[0] or dice.random() > 0.34:
            return [frame]
        left[0] -= 1
        return lie(frame)

    return told


@unharmed(ABOUT, "repeats every frame", ALL_ARRIVE)
async def every_frame_twice(stage: Stage) -> None:
    await stage.meet()
    for person in (stage.alice, stage.bob):
        person.line.down = lambda frame: [frame, frame]
    await _all_arrive(stage)


@unharmed(ABOUT, "drops frames", "sees the gap, connects again, and " + ALL_ARRIVE)
async def frames_dropped(stage: Stage) -> None:
    await stage.meet()
    for seed, person in enumerate((stage.alice, stage.bob)):
        person.line.down = _sometimes(seed, lambda frame: [])
    await _all_arrive(stage, cut=True)  # a lost tick is asked for on the next line


@unharmed(ABOUT, "brings frames in another order", "takes none beyond a gap, and " + ALL_ARRIVE)
async def frames_reordered(stage: Stage) -> None:
    await stage.meet()
    held: list[Told] = []
    left = [10]

    def told(frame: ServerFrame | Unknown) -> Sequence[Told]:
        if not isinstance(frame, Deliver | Row | Own | Sent) or not left[0]:
            said, held[:] = [frame, *held], []
            return said
        left[0] -= 1
        held.insert(0, frame)
        if len(held) < 3:
            return []
        said, held[:] = list(held), []
        return said

    stage.bob.line.down = told
    await _all_arrive(stage)


@unharmed(ABOUT, "cuts frames short", "connects again, and " + ALL_ARRIVE)
async def frames_truncated(stage: Stage) -> None:
    await stage.meet()
    codec = CODECS[MSGPACK]
    for seed, person in enumerate((stage.alice, stage.bob)):
        person.line.down = _sometimes(seed, lambda frame: [codec.encode(frame)[:-3]], most=5)
    await _all_arrive(stage)


@unharmed(ABOUT, "says bytes that are no frame", "connects again, and " + ALL_ARRIVE)
async def frames_of_garbage(stage: Stage) -> None:
    await stage.meet()
    dice = random.Random(3)
    for seed, person in enumerate((stage.alice, stage.bob)):
        person.line.down = _sometimes(seed, lambda frame: [dice.randbytes(40), frame], most=5)
    await _all_arrive(stage)


@unharmed(ABOUT, "says frames with values of the wrong types", "connects again, and " + ALL_ARRIVE)
async def frames_of_wrong_types(stage: Stage) -> None:
    await stage.meet()
    wrong = [
        b"\x93\xa3row\xa1x\x01",
        b"\x92\xa4pong\xff",
        b"\x92\xa7welcome\xc0",
        b"\x94\xa6status\x01\x02\x03",
        b"\x92\xa5drain\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    ]
    stage.bob.line.down = _sometimes(1, lambda frame: [wrong.pop(), frame], most=len(wrong))
    await _all_arrive(stage)


@unharmed(ABOUT, "says frames that nobody knows", "passes over them, and " + ALL_ARRIVE)
async def frames_unknown(stage: Stage) -> None:
    await stage.meet()
    stage.bob.line.down = lambda frame: [b"\x92\xa6newest\x01", frame]
    await _all_arrive(stage)
    assert stage.bob.line.dials == 1


@unharmed(ABOUT, "greets again and again", "connects again, and " + ALL_ARRIVE)
async def welcome_repeated(stage: Stage) -> None:
    await stage.meet()
    greeting = Welcome(0, b"", 0, SessionLimits())
    stage.bob.line.down = _sometimes(2, lambda frame: [greeting, frame], most=4)
    await _all_arrive(stage)


@unharmed(ABOUT, "brings messages before its greeting", "connects again, and " + ALL_ARRIVE)
async def messages_before_welcome(stage: Stage) -> None:
    await stage.meet()
    early: Iterator[Told] = iter(
        [Row(5, 0, bytes(16), 1), Sent(bytes(16), 1, 0, bytes(32)), Pong(9, b"")]
    )

    def told(frame: ServerFrame | Unknown) -> list[Told]:
        return [*([next(early, frame)] if isinstance(frame, Welcome) else []), frame]

    stage.bob.line.down = told
    stage.bob.line.cut()
    await stage.bob.told(ConnectionState, lambda e: e.reason == "unexpected")
    stage.bob.line.honest()
    await _all_arrive(stage)


@unharmed(
    ABOUT,
    "jumps far ahead in a mailbox, with a row or a `resync`",
    "is told so by its next acknowledgement, goes back to what was proved, and " + ALL_ARRIVE,
)
async def positions_far_ahead(stage: Stage) -> None:
    await stage.meet()
    stage.bob.line.say(Row(END - 5, 0, bytes(16), 1))
    await _all_arrive(stage)
    stage.bob.line.say(Resync(END - 2))
    await stage.alice.says(stage.bob, "still there?")
    await stage.bob.shows(stage.alice, *GREETINGS, *SAID, "still there?")


@unharmed(
    ABOUT,
    "goes back in a mailbox, and brings all of it again",
    "shows nothing twice",
)
async def mailbox_again_from_the_start(stage: Stage) -> None:
    await stage.meet()
    kept: list[Told] = []
    deliveries(stage.bob.line, lambda f: kept.append(f) or f)  # type: ignore[func-returns-value]
    await _all_arrive(stage)
    stage.bob.line.say(Resync(0), *kept, Resync(0), *kept)
    await stage.alice.says(stage.bob, "still there?")
    await stage.bob.shows(stage.alice, *GREETINGS, *SAID, "still there?")
    assert stage.bob.never(Damaged, Undecryptable)


@unharmed(ABOUT, "repeats a whole page after a cut", "shows nothing twice")
async def page_repeated(stage: Stage) -> None:
    await stage.meet()
    kept: list[Told] = []

    def told(frame: ServerFrame | Unknown) -> list[Told]:
        if isinstance(frame, Welcome):
            return [frame, *kept]
        if isinstance(frame, Deliver | Row | Own):
            kept.append(frame)
        return [frame]

    stage.bob.line.down = told
    await _all_arrive(stage)
    stage.bob.line.cut()
    await stage.bob.says(stage.alice, "cut")
    await stage.alice.shows(stage.bob, *GREETINGS, *SAID, "cut")
    await stage.bob.shows(stage.alice, *GREETINGS, *SAID, "cut")
    assert stage.bob.never(Damaged, Undecryptable)


@unharmed(
    ABOUT,
    "keeps naming rows that never come",
    "connects again, at most once for every few of its own pings",
)
async def heads_invented(stage: Stage) -> None:
    await stage.meet()

    def told(frame: ServerFrame | Unknown) -> list[Told]:
        return [changed(frame, head=END) if isinstance(frame, Pong) else frame]

    stage.bob.line.down = told
    await stage.bob.told(ConnectionState, lambda e: e.reason == "gap")
    pongs = len(stage.bob.line.rows(Pong))
    assert stage.bob.line.dials <= 1 + pongs // 3
    stage.bob.line.honest()
    await _all_arrive(stage)


@unharmed(
    ABOUT,
    "asks for absurd limits: pings every 0 seconds, silence after 0",
    "pings at most once a second, tries again ever more slowly, and " + ALL_ARRIVE + " afterwards",
)
async def limits_forged(stage: Stage) -> None:
    await stage.meet()
    absurd = iter(
        (
            SessionLimits(0, 30, 0, 0, 0),
            SessionLimits(-1, 0, -1, -1, -1),
            SessionLimits(1 << 40, 1 << 40, 1, 1, 1),
        )
    )

    def told(frame: ServerFrame | Unknown) -> list[Told]:
        if isinstance(frame, Welcome):
            return [changed(frame, limits=next(absurd, frame.limits))]
        return [frame]

    stage.bob.line.down = told
    for _ in range(3):
        dials = stage.bob.line.dials
        stage.bob.line.cut()
        await stage.bob.told(ConnectionState, lambda e: e.state is Connection.WAITING)
        assert stage.bob.line.dials <= dials + 2
    stage.bob.line.honest()
    stage.bob.line.cut()
    await _all_arrive(stage)


@unharmed(
    ABOUT,
    "asks to leave within a thousand years",
    "stays while it is served, and " + ALL_ARRIVE,
)
async def drain_for_ever(stage: Stage) -> None:
    await stage.meet()
    stage.bob.line.say(Drain(END))
    await _all_arrive(stage)
    assert stage.bob.line.dials == 1


@unharmed(
    ABOUT,
    "tells a time that is years away",
    "keeps all of its messages for when the time is right again",
)
async def server_time_forged(stage: Stage) -> None:
    await stage.meet()
    for forged in (0, END):

        def told(frame: ServerFrame | Unknown, forged: int = forged) -> list[Told]:
            said = changed(frame, server_time=forged) if isinstance(frame, Welcome) else frame
            return [said]

        stage.alice.line.down = told
        stage.alice.line.cut()
    stage.alice.line.honest()
    await _all_arrive(stage)


@unharmed(
    ABOUT,
    "says that everything was delivered",
    "shows the tick: it is the server's word, until a `read` or a reply, and changes nothing else",
)
async def delivered_forged(stage: Stage) -> None:
    await stage.meet()
    stage.bob.line.reachable = False
    stage.bob.line.cut()
    id = await stage.alice.says(stage.bob, "anybody?")
    await stage.alice.reaches(id, State.SENT)
    conversation = stage.alice.client.conversation_with(stage.bob.client.account)
    stage.alice.line.say(Status(conversation, stage.bob.client.account, [(1, END)]))
    stage.alice.line.say(Status(conversation, bytes(16), [(9, 1), (5, 2)]))
    await stage.alice.reaches(id, State.DELIVERED)
    stage.bob.line.honest()
    await stage.bob.shows(stage.alice, *GREETINGS, "anybody?")
