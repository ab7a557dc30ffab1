"""Lies about who is in a group: what reaches whom is decided by keys, not by the server."""

from tests.hostile.cases import noticed, unharmed
from tests.hostile.choir import SUNG, Choir, gathered
from tests.hostile.middle import Told, changed
from tests.hostile.stage import Person, Stage

from linnet.client import State
from linnet.client.groups.events import GroupChanged
from linnet.signing.group_entry import decode_entry
from linnet.wire import frames as wire
from linnet.wire import rest
from linnet.wire.codec import Unknown
from linnet.wire.frames import SENDER_KEY, ClientFrame, Deliver, Send, Sent, ServerFrame

ABOUT = "members of groups"
LOG = r"/v1/groups/.+/log$"
OWN = r"/v1/groups$"


def _hides_the_log(person: Person, above: int) -> None:
    """Show a person nothing above a version of any log; name no roster above that number."""

    def shorter(log: rest.GroupLog) -> rest.GroupLog:
        kept = [it for it in log.entries if decode_entry(it.body).version <= above]
        head = changed(log.head, version=min(log.head.version, above), roster=above)
        return changed(log, entries=kept, head=head)

    def told(frame: ServerFrame | Unknown) -> list[Told]:
        if isinstance(frame, wire.GroupChanged):
            return []
        if isinstance(frame, Deliver) and frame.kind == SENDER_KEY:
            return [changed(frame, roster=above)]
        return [frame]

    person.line.swap("GET", LOG, rest.GroupLog, shorter)
    person.line.swap("GET", OWN, rest.OwnGroups, lambda own: changed(own, groups=[]))
    person.line.down = told


def _keeps(person: Person) -> list[Send]:
    """Keep what a person sends to groups from everybody, and say that it was sent."""
    kept: list[Send] = []

    def up(frame: ClientFrame | Unknown) -> list[ClientFrame]:
        if not isinstance(frame, Send) or not frame.body:
            return [frame]  # type: ignore[list-item]
        if frame.id not in [it.id for it in kept]:
            kept.append(frame)
        person.line.say(Sent(frame.id, 90 + len(kept), 0, frame.commitment, None, frame.roster))
        return []

    person.line.up = up
    return kept


def _brings(choir: Choir, send: Send, sender: Person, to: Person, conv_seq: int) -> None:
    """Bring a message to somebody whom the roster does not reach."""
    frame = Deliver(
        position=0,
        prev=0,
        conversation=choir.group,
        conv_seq=conv_seq,
        id=send.id,
        sender=sender.client.account,
        device=1,
        mode=send.mode,
        kind=SENDER_KEY,
        ciphertext=send.body,
        commitment=send.commitment,
        timestamp=send.timestamp,
        server_timestamp=send.timestamp,
        roster=send.roster,
    )
    to.line.say(to.line.after(frame))


@noticed(
    ABOUT,
    "hides a removal from a member, and gives the removed one what he sends",
    "learns of it from the next message of whoever knows, and replaces the keys that the removed"
    " member has: what is written after that is not read by it",
)
async def removal_withheld(stage: Stage) -> None:
    choir = await gathered(stage)
    _hides_the_log(stage.bob, 1)
    await choir.without_carol()
    kept = _keeps(stage.bob)
    await choir.says(stage.alice, "she has left")
    told = await stage.bob.told(GroupChanged, lambda event: event.what == "remove")
    assert told.about == (choir.carol.client.account,)
    await stage.bob.shows_in(choir.group, *SUNG, "she has left")
    id = await choir.says(stage.bob, "among us")
    await stage.bob.reaches(id, State.SENT)
    _brings(choir, kept[0], stage.bob, choir.carol, 9)
    await choir.carol.client.send(stage.alice.client.account, "and me?")
    await stage.alice.shows(choir.carol, "and me?")
    assert "among us" not in await choir.carol.texts_in(choir.group)


@unharmed(
    ABOUT,
    "hides a removal from a member while he was away, and takes in his outbox after it",
    "sends it to those who are left: what refuses an old roster is told a new one or nothing",
)
async def outbox_flushed_after_a_removal(stage: Stage) -> None:
    choir = await gathered(stage)
    stage.bob.line.reachable = False
    stage.bob.line.cut()
    await choir.says(stage.bob, "to whoever is left")
    await choir.without_carol()
    await choir.says(stage.alice, "she has left")
    _hides_the_log(stage.bob, 1)
    stage.bob.line.reachable = True
    await stage.bob.told(GroupChanged, lambda event: event.what == "remove")
    stage.bob.line.honest()
    stage.bob.line.shift_ms += 61_000
    await stage.alice.shows_in(choir.group, *SUNG, "she has left", "to whoever is left")
    [*_, send] = [it for it in stage.bob.line.said if isinstance(it, Send) and it.body]
    _brings(choir, send, stage.bob, choir.carol, 9)
    await choir.carol.client.send(stage.alice.client.account, "and me?")
    await stage.alice.shows(choir.carol, "and me?")
    assert "to whoever is left" not in await choir.carol.texts_in(choir.group)


@unharmed(
    ABOUT,
    "gives what is said to a group to somebody who is in none",
    "keeps it unread: nobody gave that account a key",
)
async def group_message_to_an_outsider(stage: Stage) -> None:
    choir = await gathered(stage)
    dan = await stage.person("dan")
    await dan.says(stage.alice, "Hello!")
    await stage.alice.shows(dan, "Hello!")
    kept = _keeps(stage.bob)
    await stage.bob.reaches(await choir.says(stage.bob, "among us"), State.SENT)
    _brings(choir, kept[0], stage.bob, dan, 4)
    # The server's next row has the position that was made up here, and must be another's.
    aside = await stage.alice.says(choir.carol, "aside")
    await stage.alice.reaches(aside, State.SENT, State.DELIVERED)
    await stage.alice.says(dan, "Hello, Dan!")
    await dan.shows(stage.alice, "Hello!", "Hello, Dan!")
    assert (await dan.health()).parked == 1
    assert await dan.texts_in(choir.group) == []
