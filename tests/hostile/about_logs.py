"""Lies about the log of a group: what it says, and that it is one and the same for all."""

from collections.abc import Callable
from hashlib import sha256

import httpx
import msgspec
from tests.hostile.cases import noticed, unharmed
from tests.hostile.choir import SUNG, gathered
from tests.hostile.middle import Forward, changed, flipped, refusal
from tests.hostile.stage import Stage
from tests.scenarios.waiting import eventually

from linnet.client import NotSent
from linnet.client.groups.events import GroupForked
from linnet.signing.group_entry import decode_entry
from linnet.wire import rest

ABOUT = "the logs of groups"
LOG = r"/v1/groups/.+/log$"
OWN = r"/v1/groups$"
REFUSES = "takes nothing of it, and reads the log once it is whole"
GroupLogLie = Callable[[rest.GroupLog], rest.GroupLog]


async def _log_refused(stage: Stage, lie: GroupLogLie) -> None:
    """Bob is shown another log than there is, and then the real one."""
    choir = await gathered(stage)
    log = "GET /v1/groups/"
    stage.bob.line.swap("GET", LOG, rest.GroupLog, lie)
    before = stage.bob.line.asked.copy()
    for title in ("Choir", "Band"):
        await stage.alice.client.groups.retitle(choir.group, title)

    async def asked() -> bool:
        return any(it.startswith(log) for it in stage.bob.line.asked[len(before) :])

    await eventually(asked)
    id = await choir.says(stage.alice, "the next one")
    await stage.bob.line.carried(id)
    assert (await stage.bob.client.groups.info(choir.group)).version == 1
    stage.bob.line.honest()
    stage.bob.line.cut()
    await choir.at_version(stage.bob, 3)
    await choir.all_show(*SUNG, "the next one")
    assert stage.bob.never(GroupForked)


@unharmed(ABOUT, "changes a bit of an entry of the log", REFUSES)
async def entry_with_a_bit_changed(stage: Stage) -> None:
    def lie(log: rest.GroupLog) -> rest.GroupLog:
        forged = [changed(entry, body=flipped(entry.body, -9)) for entry in log.entries]
        return changed(log, entries=forged)

    await _log_refused(stage, lie)


@unharmed(ABOUT, "leaves an entry out of the log", REFUSES)
async def entry_left_out(stage: Stage) -> None:
    def lie(log: rest.GroupLog) -> rest.GroupLog:
        kept = [it for it in log.entries if decode_entry(it.body).version != 2]
        return changed(log, entries=kept)

    await _log_refused(stage, lie)


@unharmed(ABOUT, "brings the entries of the log in another order", REFUSES)
async def entries_reordered(stage: Stage) -> None:
    def lie(log: rest.GroupLog) -> rest.GroupLog:
        late = [it for it in log.entries if decode_entry(it.body).version > 2]
        return changed(log, entries=[*late, *(it for it in log.entries if it not in late)])

    await _log_refused(stage, _first_two_at_once(lie))


def _first_two_at_once(lie: GroupLogLie) -> GroupLogLie:
    """Show nothing before there are two entries to put in another order."""

    def shown(log: rest.GroupLog) -> rest.GroupLog:
        if len(log.entries) < 2:
            return changed(log, entries=[], head=changed(log.head, version=1))
        return lie(log)

    return shown


@unharmed(ABOUT, "leaves out the device lists that an entry cites", REFUSES)
async def lists_of_the_log_left_out(stage: Stage) -> None:
    def lie(log: rest.GroupLog) -> rest.GroupLog:
        forged = [changed(it, body=flipped(it.body, -40)) for it in log.lists]
        return changed(log, lists=forged)

    await _log_refused(stage, lie)


@unharmed(
    ABOUT,
    "shows an older log than the one known, and says that it ends there",
    "keeps what it has: an entry that was taken is not untaken",
)
async def log_rolled_back(stage: Stage) -> None:
    choir = await gathered(stage)
    await stage.alice.client.groups.retitle(choir.group, "Choir")
    await choir.at_version(stage.bob, 2)

    def lie(log: rest.GroupLog) -> rest.GroupLog:
        return changed(log, entries=[], head=changed(log.head, version=1))

    stage.bob.line.swap("GET", LOG, rest.GroupLog, lie)
    stage.bob.line.cut()
    await choir.says(stage.alice, "still here")
    await choir.all_show(*SUNG, "still here")
    assert (await stage.bob.client.groups.info(choir.group)).version == 2


@unharmed(
    ABOUT,
    "says that a group is gone, or that one is in none",
    "keeps the group and its messages: only the log says who is a member",
)
async def group_denied(stage: Stage) -> None:
    choir = await gathered(stage)
    stage.bob.line.swap("GET", OWN, rest.OwnGroups, lambda own: changed(own, groups=[]))
    stage.bob.line.answer("GET", LOG, refusal("not_found"))
    onlines = stage.bob.times_online()
    stage.bob.line.cut()
    await stage.bob.online_again(onlines)
    await choir.says(stage.bob, "still in it")
    await choir.all_show(*SUNG, "still in it")
    info = await stage.bob.client.groups.info(choir.group)
    assert info.member
    assert len(info.members) == 3


@noticed(
    ABOUT,
    "shows two members two histories (it says `conflict` to an admin, and keeps what he signed)",
    "raises the alarm at the first message that crosses (`GroupForked`, with the proof), and sends"
    " nothing more to the group",
)
async def log_forked(stage: Stage) -> None:
    choir = await gathered(stage)
    kept: list[rest.Signed] = []

    async def conflict(request: httpx.Request, forward: Forward) -> httpx.Response:
        if kept:
            return await forward(request)
        kept.append(msgspec.json.decode(request.content, type=rest.GroupAppend).entry)
        return await refusal("conflict")(request, forward)

    def other(log: rest.GroupLog) -> rest.GroupLog:
        if log.head.version < 2:
            return log
        head = changed(log.head, hash=sha256(kept[0].body).digest())
        return changed(log, entries=[kept[0]] if log.entries else [], head=head)

    stage.alice.line.answer("POST", LOG, conflict)
    stage.bob.line.swap("GET", LOG, rest.GroupLog, other)
    await stage.alice.client.groups.retitle(choir.group, "Choir")
    await choir.at_version(stage.bob, 2)
    await choir.at_version(choir.carol, 2)
    await choir.says(choir.carol, "from the other side")
    assert (await stage.bob.told(GroupForked)).group == choir.group
    id = await choir.says(stage.bob, "not sent")
    assert (await stage.bob.told(NotSent)).id == id
    assert await stage.bob.texts_in(choir.group) == [*SUNG, None, "not sent"]
