"""Lies in delivered messages: what a server may change in, or make of, a frame that it carries."""

from collections.abc import Callable

from tests.hostile.cases import noticed, unharmed
from tests.hostile.middle import Middle, Told, changed, flipped
from tests.hostile.stage import GREETINGS, Person, Stage

from linnet.client import Damaged, Message, Undecryptable
from linnet.wire.codec import Unknown
from linnet.wire.frames import CONTROL, PREKEY, Deliver, ServerFrame
from linnet.wire.ids import MessageId

ABOUT = "content"
DAMAGED = "shows it as `Damaged`, with no text, and reads the next message"
UNREADABLE = "shows it as `Undecryptable`, and reads the next message"


def deliveries(
    line: Middle, lie: Callable[[Deliver], Told | list[Told]], *, control: bool = False
) -> None:
    """Tell something else in place of every delivered message, or of every `control` message."""

    def told(frame: ServerFrame | Unknown) -> list[Told]:
        if not isinstance(frame, Deliver) or (frame.mode == CONTROL) is not control:
            return [frame]
        said = lie(frame)
        return said if isinstance(said, list) else [said]

    line.down = told


async def _next_is_read(stage: Stage, *shown: object) -> None:
    """Lie no more: the next message is read, and before it these are shown."""
    stage.bob.line.honest()
    await stage.alice.says(stage.bob, "the next one")
    await stage.bob.told(Message, lambda message: message.text == "the next one")
    entries = await stage.bob.conversation(stage.alice)
    said = [entry.text if isinstance(entry, Message) else type(entry) for entry in entries]
    assert said == [*GREETINGS, *shown, "the next one"]


async def _one_changed(
    stage: Stage, lie: Callable[[Deliver], Told], becomes: type[Damaged | Undecryptable]
) -> None:
    await stage.meet()
    deliveries(stage.bob.line, lie)
    id = await stage.alice.says(stage.bob, "a secret")
    assert (await stage.bob.told(becomes)).id == id
    await _next_is_read(stage, becomes)


@noticed(ABOUT, "changes a bit of a ciphertext", UNREADABLE)
async def ciphertext_changed(stage: Stage) -> None:
    await _one_changed(
        stage, lambda f: changed(f, ciphertext=flipped(f.ciphertext, -20)), Undecryptable
    )


@noticed(ABOUT, "cuts a ciphertext short", UNREADABLE)
async def ciphertext_cut(stage: Stage) -> None:
    await _one_changed(stage, lambda f: changed(f, ciphertext=f.ciphertext[:-9]), Undecryptable)


@noticed(ABOUT, "passes a session message off as a first message", UNREADABLE)
async def ciphertext_of_another_kind(stage: Stage) -> None:
    await _one_changed(stage, lambda f: changed(f, kind=PREKEY), Undecryptable)


@noticed(ABOUT, "gives a message another commitment", DAMAGED)
async def commitment_changed(stage: Stage) -> None:
    await _one_changed(stage, lambda f: changed(f, commitment=bytes(32)), Damaged)


@noticed(ABOUT, "puts the MessageIds of two messages in each other's place", DAMAGED)
async def message_ids_swapped(stage: Stage) -> None:
    await stage.meet()
    held: list[Deliver] = []

    def lie(frame: Deliver) -> list[Told]:
        held.append(frame)
        if len(held) < 2:
            return []
        first, second = held
        return [changed(first, id=second.id), changed(second, id=first.id)]

    deliveries(stage.bob.line, lie)
    ids = [await stage.alice.says(stage.bob, text) for text in ("yes", "no")]
    for id in ids:
        await stage.bob.told(Damaged, lambda event, id=id: event.id == id)  # type: ignore[misc]
    await _next_is_read(stage, Damaged, Damaged)


@noticed(ABOUT, "puts the ciphertexts of two messages in each other's place", DAMAGED)
async def ciphertexts_swapped(stage: Stage) -> None:
    await stage.meet()
    held: list[Deliver] = []

    def lie(frame: Deliver) -> list[Told]:
        held.append(frame)
        if len(held) < 2:
            return []
        first, second = held
        return [
            changed(first, ciphertext=second.ciphertext),
            changed(second, ciphertext=first.ciphertext),
        ]

    deliveries(stage.bob.line, lie)
    for text in ("yes", "no"):
        await stage.alice.says(stage.bob, text)
    for _ in range(2):
        await stage.bob.told(Damaged)
    await _next_is_read(stage, Damaged, Damaged)


@unharmed(
    ABOUT,
    "brings an old message again under a new MessageId",
    "shows no text a second time: a message key opens once (`Undecryptable`)",
)
async def message_again_under_a_new_id(stage: Stage) -> None:
    await stage.meet()
    deliveries(
        stage.bob.line,
        lambda f: [f, changed(f, id=flipped(f.id, -1), position=f.position + 1, prev=f.position)],
    )
    await stage.alice.says(stage.bob, "once")
    await stage.bob.told(Undecryptable)
    assert await stage.bob.texts(stage.alice) == [*GREETINGS, "once"]


async def _as_from_carol(stage: Stage, carol: Person) -> MessageId:
    spoofed = carol.client.account
    deliveries(stage.bob.line, lambda f: changed(f, sender=spoofed))
    id = await stage.alice.says(stage.bob, "I am Carol")
    await stage.bob.line.carried(id)
    return id


@noticed(
    ABOUT,
    "names another sender, whom the recipient never met",
    "shows nothing as hers: `Undecryptable`",
)
async def sender_spoofed(stage: Stage) -> None:
    carol = await stage.person("carol")
    await stage.meet()
    id = await _as_from_carol(stage, carol)
    assert (await stage.bob.told(Undecryptable)).id == id
    assert await stage.bob.texts(carol) == []
    await _next_is_read(stage, Undecryptable)


@noticed(
    ABOUT,
    "names another sender, whom the recipient knows",
    "shows nothing as hers: `Undecryptable`",
)
async def sender_spoofed_as_a_contact(stage: Stage) -> None:
    carol = await stage.person("carol")
    await stage.meet()
    await carol.says(stage.bob, "truly Carol")
    await stage.bob.shows(carol, "truly Carol")
    id = await _as_from_carol(stage, carol)
    assert (await stage.bob.told(Undecryptable)).id == id
    assert await stage.bob.texts(carol) == ["truly Carol"]
    await _next_is_read(stage, Undecryptable)


@unharmed(
    ABOUT,
    "names a device of the sender that is not listed",
    "keeps it unread: it is no device of hers",
)
async def device_spoofed(stage: Stage) -> None:
    await stage.meet()
    deliveries(stage.bob.line, lambda f: changed(f, device=9))
    await stage.bob.line.carried(await stage.alice.says(stage.bob, "from nowhere"))
    await _next_is_read(stage)
    assert (await stage.bob.health()).parked == 1


@noticed(ABOUT, "files a message in another conversation", "shows it there as `Damaged`, no text")
async def conversation_changed(stage: Stage) -> None:
    await stage.meet()
    carol = await stage.person("carol")
    other = stage.bob.client.conversation_with(carol.client.account)
    deliveries(stage.bob.line, lambda f: changed(f, conversation=other))
    id = await stage.alice.says(stage.bob, "between us")
    event = await stage.bob.told(Damaged)
    assert (event.id, event.conversation) == (id, other)
    assert await stage.bob.texts(carol) == []
    await _next_is_read(stage)


@unharmed(
    ABOUT,
    "passes a text off as a control message",
    "drops and counts it: a text may not come that way",
)
async def mode_changed(stage: Stage) -> None:
    await stage.meet()
    deliveries(stage.bob.line, lambda f: changed(f, mode=CONTROL))
    await stage.bob.line.carried(await stage.alice.says(stage.bob, "a secret"))
    await _next_is_read(stage)
    assert (await stage.bob.health()).dropped == {"refused": 1}


@unharmed(
    ABOUT,
    "sends a message back to the one who wrote it",
    "shows nothing new: it is nobody else's, and no copy for this device",
)
async def message_reflected(stage: Stage) -> None:
    await stage.meet()
    taken: list[Deliver] = []
    deliveries(stage.bob.line, lambda f: taken.append(f) or f)  # type: ignore[func-returns-value]
    await stage.alice.says(stage.bob, "echo")
    await stage.bob.shows(stage.alice, *GREETINGS, "echo")
    [frame] = taken
    stage.alice.line.say(stage.alice.line.after(changed(frame, id=flipped(frame.id, -1))))
    await stage.alice.told(Undecryptable)
    await stage.alice.says(stage.bob, "the next one")
    await stage.bob.shows(stage.alice, *GREETINGS, "echo", "the next one")
    assert await stage.alice.texts(stage.bob) == [*GREETINGS, "echo", "the next one"]


@unharmed(
    ABOUT,
    "forges the times of a message, into years that no calendar has",
    "shows the message; the time is the server's word",
)
async def times_forged(stage: Stage) -> None:
    await stage.meet()
    end = (1 << 53) - 1
    deliveries(stage.bob.line, lambda f: changed(f, timestamp=end, server_timestamp=0))
    await stage.alice.says(stage.bob, "when?")
    await stage.bob.shows(stage.alice, *GREETINGS, "when?")
    deliveries(stage.bob.line, lambda f: changed(f, timestamp=0, server_timestamp=end))
    await stage.alice.says(stage.bob, "and now?")
    await stage.bob.shows(stage.alice, *GREETINGS, "when?", "and now?")


@unharmed(
    ABOUT,
    "gives two messages one conv_seq, or numbers them backwards",
    "shows each once and whole; the order is the server's word",
)
async def conv_seq_forged(stage: Stage) -> None:
    await stage.meet()
    forged = iter((7, 7, 5, (1 << 53) - 1, 0))
    deliveries(stage.bob.line, lambda f: changed(f, conv_seq=next(forged)))
    said = [f"number {n}" for n in range(5)]
    for text in said:
        await stage.alice.says(stage.bob, text)
    await stage.bob.told(Message, lambda message: message.text == said[-1])
    assert sorted(map(str, await stage.bob.texts(stage.alice))) == sorted((*GREETINGS, *said))
