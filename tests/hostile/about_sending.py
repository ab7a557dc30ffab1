"""Lies about what was sent: false answers, no answers, and frames of the client sent again."""

from collections.abc import Callable

import apsw
from tests.hostile.cases import noticed, unharmed
from tests.hostile.middle import Middle, Told, changed
from tests.hostile.stage import GREETINGS, Stage
from tests.scenarios.waiting import eventually

from linnet.client import Delivered, NotSent, State
from linnet.client import Sent as SentEvent
from linnet.client.sql import first
from linnet.wire.codec import Unknown
from linnet.wire.frames import (
    CONTROL,
    FULL,
    ClientFrame,
    Own,
    Rejected,
    Row,
    Send,
    Sent,
    ServerFrame,
)

ABOUT = "sending"
FAILED = "tells of it: `NotSent`"


def answers(line: Middle, lie: Callable[[Sent], list[Told]]) -> None:
    """Tell something else in place of every `sent`."""

    def told(frame: ServerFrame | Unknown) -> list[Told]:
        return lie(frame) if isinstance(frame, Sent) else [frame]

    line.down = told


def refuses(line: Middle, refuse: Callable[[Send], list[Told]]) -> None:
    """Answer every message that is shown by oneself; the server never hears of it."""

    def up(frame: ClientFrame | Unknown) -> list[ClientFrame]:
        if not isinstance(frame, Send) or frame.mode == CONTROL:
            return [frame]  # type: ignore[list-item]
        line.say(*refuse(frame))
        return []

    line.up = up


@noticed(ABOUT, "says that something else was accepted under a message's id", FAILED)
async def sent_for_another_commitment(stage: Stage) -> None:
    await stage.meet()
    answers(stage.alice.line, lambda sent: [changed(sent, commitment=bytes(32))])
    id = await stage.alice.says(stage.bob, "word for word")
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.state, refused.reason) == (id, State.FAILED, "id_conflict")


@noticed(ABOUT, "says the same in the sender's own row", FAILED)
async def own_row_for_another_commitment(stage: Stage) -> None:
    await stage.meet()

    def lie(sent: Sent) -> list[Told]:
        conversation = stage.alice.client.conversation_with(stage.bob.client.account)
        row = Own(sent.position, sent.prev, conversation, sent.id, sent.conv_seq, 0, bytes(32))
        return [row]

    answers(stage.alice.line, lie)
    id = await stage.alice.says(stage.bob, "word for word")
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.reason) == (id, "id_conflict")


@unharmed(ABOUT, "says `sent` of a message that nobody wrote", "takes no notice")
async def sent_for_nothing(stage: Stage) -> None:
    await stage.meet()
    told = len([event for event in stage.alice.heard if isinstance(event, SentEvent)])
    stage.alice.line.say(Sent(bytes(16), 9, 9, bytes(32)), Rejected(bytes(16), "forbidden", False))
    await stage.alice.says(stage.bob, "what?")
    await stage.bob.shows(stage.alice, *GREETINGS, "what?")
    await stage.alice.shows(stage.bob, *GREETINGS, "what?")
    assert len([e for e in stage.alice.heard if isinstance(e, SentEvent)]) == told + 1
    assert stage.alice.never(NotSent)


@unharmed(
    ABOUT,
    "says `sent` and throws the message away",
    "shows ✓ and never ✓✓: what is withheld from everyone is not noticed otherwise",
)
async def sent_and_thrown_away(stage: Stage) -> None:
    await stage.meet()
    refuses(stage.alice.line, lambda send: [Sent(send.id, 3, 0, send.commitment, send.sets)])
    id = await stage.alice.says(stage.bob, "into the void")
    await stage.alice.reaches(id, State.SENT)
    stage.alice.line.honest()
    await stage.alice.says(stage.bob, "hello?")
    await stage.bob.shows(stage.alice, *GREETINGS, "hello?")
    assert await stage.alice.client.state(id) is State.SENT or stage.alice.never(Delivered)


@unharmed(ABOUT, "repeats its answers, with other numbers", "keeps the first")
async def answers_repeated(stage: Stage) -> None:
    await stage.meet()
    answers(
        stage.alice.line,
        lambda sent: [sent, changed(sent, conv_seq=99), Rejected(sent.id, "forbidden", False)],
    )
    id = await stage.alice.says(stage.bob, "once")
    await stage.alice.reaches(id, State.SENT, State.DELIVERED)
    stage.alice.line.honest()
    await stage.alice.says(stage.bob, "twice")
    await stage.alice.shows(stage.bob, *GREETINGS, "once", "twice")
    assert [e.conv_seq for e in await stage.alice.conversation(stage.bob)][2] == 3
    assert stage.alice.never(NotSent)


@unharmed(
    ABOUT,
    "takes a message in and never answers",
    "offers the same bytes again; the message arrives once",
)
async def no_answer(stage: Stage) -> None:
    await stage.meet()
    answers(stage.alice.line, lambda sent: [])
    await stage.alice.says(stage.bob, "echo")
    await stage.bob.shows(stage.alice, *GREETINGS, "echo")
    stage.alice.line.honest()
    stage.alice.line.cut()
    await stage.alice.shows(stage.bob, *GREETINGS, "echo")
    said = [f for f in stage.alice.line.said if isinstance(f, Send) and f.mode != CONTROL]
    assert len({f.commitment for f in said}) == 2  # the greeting's, and one for this
    await stage.bob.shows(stage.alice, *GREETINGS, "echo")


@unharmed(ABOUT, "throws a message away and never answers", "offers it again after a while")
async def message_swallowed(stage: Stage) -> None:
    await stage.meet()
    refuses(stage.alice.line, lambda send: [])
    id = await stage.alice.says(stage.bob, "again")
    await stage.alice.reaches(id, State.SENDING)
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 25_000
    await stage.bob.shows(stage.alice, *GREETINGS, "again")


@unharmed(ABOUT, "sends a client's frames on twice, and later once more", "arrives once")
async def frames_of_the_client_replayed(stage: Stage) -> None:
    await stage.meet()
    kept: list[Send] = []

    def up(frame: ClientFrame | Unknown) -> list[ClientFrame]:
        if isinstance(frame, Send):
            kept.append(frame)
            return [frame, frame, *kept]
        return [frame]  # type: ignore[list-item]

    stage.alice.line.up = up
    for text in ("one", "two"):
        await stage.alice.says(stage.bob, text)
    await stage.bob.shows(stage.alice, *GREETINGS, "one", "two")
    await stage.alice.shows(stage.bob, *GREETINGS, "one", "two")
    assert stage.alice.never(NotSent)


async def _refusal_taken(stage: Stage, id: bytes, tries: int) -> None:
    """Wait until the client has stored that this try was refused: from then on its clock counts."""

    def refused(db: apsw.Connection) -> bool:
        row = first(db, "SELECT tries, try FROM outbox WHERE id = ?", (id,))
        return row == (tries, None)

    await eventually(lambda: stage.alice.client._store.read(refused))


@unharmed(
    ABOUT,
    "says again and again that device sets have changed, and shows the old lists",
    "seals again ever more rarely; the message arrives once, on all devices, when the lie ends",
)
async def devices_changed_for_ever(stage: Stage) -> None:
    await stage.meet()
    refuses(stage.alice.line, lambda send: [Rejected(send.id, "devices_changed", True, (9, 9))])
    id = await stage.alice.says(stage.bob, "at last")
    for tries in range(1, 4):
        await _refusal_taken(stage, id, tries)
        stage.alice.line.shift_ms += 301_000 << (tries - 1)
        await stage.alice.line.offered(id, tries + 1)
    await _refusal_taken(stage, id, 4)
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 4_000_000
    await stage.bob.shows(stage.alice, *GREETINGS, "at last")
    said = [f for f in stage.alice.line.said if isinstance(f, Send) and f.id == id]
    assert [frame.mode for frame in said] == [FULL] * 5
    later = await stage.alice.says(stage.bob, "and the next")
    await stage.alice.line.offered(later, 1)
    stage.alice.line.shift_ms += 3 * 86_400_000
    after = await stage.alice.says(stage.bob, "days later")
    await stage.alice.line.offered(after, 1)
    said = [f for f in stage.alice.line.said if isinstance(f, Send) and f.id == after]
    assert said[-1].mode == FULL


@noticed(ABOUT, "refuses a message for good, for no reason", FAILED)
async def refused_for_good(stage: Stage) -> None:
    await stage.meet()
    refuses(stage.alice.line, lambda send: [Rejected(send.id, "forbidden", False)])
    id = await stage.alice.says(stage.bob, "please")
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.state) == (id, State.FAILED)
    await stage.bob.shows(stage.alice, *GREETINGS)


@noticed(
    ABOUT,
    "refuses with a code that nobody knows, ten thousand characters long",
    FAILED + ", and passes no such text on",
)
async def refused_with_a_strange_code(stage: Stage) -> None:
    await stage.meet()
    strange = "\x1b[2J" + "x" * 10_000
    refuses(stage.alice.line, lambda send: [Rejected(send.id, strange, False)])
    await stage.alice.says(stage.bob, "please")
    refused = await stage.alice.told(NotSent)
    assert len(refused.reason) <= 64
    assert refused.reason.isprintable()


@noticed(
    ABOUT,
    "takes a message in without an answer, and later calls its id too old",
    "tells that nobody can know: `NotSent` (`unknown`)",
)
async def called_too_old_after_no_answer(stage: Stage) -> None:
    await stage.meet()
    answers(stage.alice.line, lambda sent: [Row(sent.position, sent.prev, bytes(16), 0)])
    id = await stage.alice.says(stage.bob, "perhaps")
    await stage.bob.shows(stage.alice, *GREETINGS, "perhaps")
    refuses(stage.alice.line, lambda send: [Rejected(send.id, "id_time", False)])
    stage.alice.line.shift_ms += 25_000
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.state) == (id, State.UNKNOWN)
