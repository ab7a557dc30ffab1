"""Lies in what is said to groups: changed, replayed, attributed to others, swallowed."""

from collections.abc import Callable

from tests.hostile.cases import noticed, unharmed
from tests.hostile.choir import SUNG, Choir, gathered
from tests.hostile.in_frames import deliveries
from tests.hostile.middle import Told, changed, flipped
from tests.hostile.stage import Stage
from tests.scenarios.waiting import eventually

from linnet.client import Unconfirmed
from linnet.client.groups.sealing import GroupSealer
from linnet.crypto.content import Content
from linnet.wire.frames import SENDER_KEY, Deliver, Row

ABOUT = "messages to groups"


async def _one_lie_to_carol(
    stage: Stage, lie: Callable[[Choir, Deliver], Told], *shown: str | None
) -> Choir:
    """Bob says something, of which Carol is told something else; then everybody reads on."""
    choir = await gathered(stage)

    def told(frame: Deliver) -> Told:
        return lie(choir, frame) if frame.kind == SENDER_KEY else frame

    deliveries(choir.carol.line, told)
    await choir.carol.line.carried(await choir.says(stage.bob, "a secret"))
    choir.carol.line.honest()
    await choir.says(stage.alice, "the next one")
    await choir.carol.shows_in(choir.group, *SUNG, *shown, "the next one")  # type: ignore[arg-type]
    return choir


@noticed(
    ABOUT, "changes a bit of a message to a group", "shows it as `Undecryptable`, with no text"
)
async def group_ciphertext_changed(stage: Stage) -> None:
    await _one_lie_to_carol(
        stage, lambda _, f: changed(f, ciphertext=flipped(f.ciphertext, 40)), None
    )


@noticed(
    ABOUT,
    "says that another member wrote a message",
    "shows nothing as hers: a key is bound to who gave it (`Undecryptable`)",
)
async def group_message_of_another_member(stage: Stage) -> None:
    await _one_lie_to_carol(
        stage, lambda choir, f: changed(f, sender=choir.alice.client.account), None
    )


@noticed(
    ABOUT,
    "brings a message to a group again under a new MessageId",
    "shows no text a second time (`Undecryptable`)",
)
async def group_message_again(stage: Stage) -> None:
    def again(choir: Choir, frame: Deliver) -> Told:
        first = next(f for f in choir.carol.line.rows(Deliver) if f.kind == SENDER_KEY)
        return changed(
            frame, ciphertext=first.ciphertext, commitment=first.commitment, sender=first.sender
        )

    await _one_lie_to_carol(stage, again, None)


@unharmed(ABOUT, "brings a message to a group many times", "shows it once")
async def group_message_repeated(stage: Stage) -> None:
    choir = await gathered(stage)
    deliveries(choir.carol.line, lambda f: [f, f, f])
    for text in ("one", "two"):
        await choir.says(stage.bob, text)
    await choir.carol.shows_in(choir.group, *SUNG, "one", "two")


@unharmed(
    ABOUT,
    "brings messages to a group in another order",
    "reads all of them; the order is the server's word",
)
async def group_messages_reordered(stage: Stage) -> None:
    choir = await gathered(stage)
    held: list[Deliver] = []

    def lie(frame: Deliver) -> list[Told]:
        if frame.kind != SENDER_KEY:
            return [frame]
        held.append(frame)
        if len(held) < 3:
            return []
        return [
            changed(now, position=place.position, prev=place.prev)
            for now, place in zip(reversed(held), held, strict=True)
        ]

    deliveries(choir.carol.line, lie)
    said = ["one", "two", "three"]
    for text in said:
        await choir.says(stage.bob, text)
    await choir.carol.shows_in(choir.group, *SUNG, *said)


@unharmed(
    ABOUT,
    "replays a message of one group in another",
    "shows it in neither: a key is bound to its group",
)
async def group_message_in_another_group(stage: Stage) -> None:
    choir = await gathered(stage)
    people = [stage.bob.client.account, choir.carol.client.account]
    band = await stage.alice.client.groups.create(people)
    await stage.bob.client.groups.send(band, "Hello, band!")
    await choir.carol.shows_in(band, "Hello, band!")
    deliveries(choir.carol.line, lambda f: changed(f, conversation=band))
    await choir.carol.line.carried(await choir.says(stage.bob, "only for the choir"))
    choir.carol.line.honest()
    await stage.bob.client.groups.send(band, "the next one")

    async def read_on() -> bool:
        return "the next one" in await choir.carol.texts_in(band)

    await eventually(read_on)
    shown = [*await choir.carol.texts_in(band), *await choir.carol.texts_in(choir.group)]
    assert "only for the choir" not in shown


@unharmed(
    ABOUT,
    "swallows the key of a sender",
    "keeps what it cannot read, asks that sender after a minute, and shows it then",
)
async def sender_key_swallowed(stage: Stage) -> None:
    carol = await stage.person("carol")
    people = [stage.bob.client.account, carol.client.account]
    choir = Choir(stage, carol, await stage.alice.client.groups.create(people))
    swallowed: list[bytes] = []

    def lie(frame: Deliver) -> Told:
        if frame.sender != stage.bob.client.account:
            return frame
        swallowed.append(frame.id)
        return Row(frame.position, frame.prev, frame.conversation, frame.conv_seq)

    deliveries(carol.line, lie, control=True)
    id = await choir.says(stage.bob, "who has the key?")
    await carol.line.carried(id)
    await stage.alice.shows_in(choir.group, "who has the key?")

    async def gone() -> bool:
        return bool(swallowed)

    async def parked() -> bool:
        return (await carol.health()).parked == 1

    await eventually(gone)
    await eventually(parked)
    assert await carol.texts_in(choir.group) == []
    carol.line.honest()
    carol.line.shift_ms += 120_000
    carol.line.cut()
    await carol.shows_in(choir.group, "who has the key?")


@unharmed(
    ABOUT,
    "names rosters that do not exist",
    "asks where the log stands, and goes on with what it shows",
)
async def rosters_claimed(stage: Stage) -> None:
    choir = await gathered(stage)
    deliveries(stage.bob.line, lambda f: changed(f, roster=1 << 40))
    await choir.says(stage.alice, "news")
    await choir.all_show(*SUNG, "news")
    await choir.says(stage.bob, "old news")
    await choir.all_show(*SUNG, "news", "old news")


@noticed(
    ABOUT,
    "and a member together quote heads of the log that nobody can show",
    "tells of that device (`Unconfirmed`) and keeps its messages unread; sending waits for an hour"
    " at most, once, and all others write on",
)
async def one_liar_quotes_false_heads(stage: Stage) -> None:
    choir = await gathered(stage)
    real = GroupSealer._content

    def lies(self: GroupSealer, *args: object) -> Content:
        content = real(self, *args)  # type: ignore[arg-type]
        if self.sessions.me.account != stage.bob.client.account:
            return content
        return changed(content, head=(99, bytes(32)), attached=None)

    stage.patch.setattr(GroupSealer, "_content", lies)
    id = await choir.says(stage.bob, "believe me")
    for person in (stage.alice, choir.carol):
        await person.line.carried(id)
    await choir.says(stage.alice, "whatever he says")
    told = await stage.alice.told(Unconfirmed)
    assert told.account == stage.bob.client.account
    stage.alice.line.shift_ms += 3_601_000
    await choir.carol.shows_in(choir.group, *SUNG, "whatever he says")
    assert (await stage.alice.health()).parked == 1
