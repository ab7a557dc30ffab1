"""Lies about who somebody is: accounts registered anew, numbers moved, keys from the first word."""

import random
from hashlib import sha256

import pytest
from tests.hostile.about_lists import claims_newer, list_of, serves
from tests.hostile.cases import noticed, unharmed
from tests.hostile.impostor import Impostor
from tests.hostile.in_frames import deliveries
from tests.hostile.middle import changed
from tests.hostile.stage import GREETINGS, NUMBERS, Stage
from tests.scenarios.waiting import eventually

from linnet.client import IdentityChanged, NotSent, NumberChanged, NumberMoved, State, Undecryptable
from linnet.client.groups import log as group_log
from linnet.client.groups.events import GroupChanged
from linnet.signing.group_changes import Remove
from linnet.signing.group_entry import Entry, decode_entry, sign_entry
from linnet.signing.list_format import (
    KIND_TERMINAL,
    ListedDevice,
    countersign,
    decode_list,
    encode_list,
)
from linnet.signing.objects import sign_object
from linnet.wire import rest
from linnet.wire.frames import Deliver, Send
from linnet.wire.ids import AccountId

ABOUT = "accounts"
BUNDLE = r"/v1/keys/.+/\d+$"
RNG = random.Random(13).randbytes


@noticed(
    ABOUT,
    "names false keys for somebody from the first word on",
    "shows other safety numbers than the other side: only comparing them tells"
    " (`safety.verify` is False), and nothing else does",
)
async def false_keys_from_the_first_word(stage: Stage) -> None:
    impostor = Impostor(stage.bob, RNG)
    serves(stage.alice.line, impostor.shown(), stage.bob.client.account)
    stage.alice.line.swap("POST", BUNDLE, rest.Bundle, lambda _: impostor.bundle())
    await stage.alice.reaches(await stage.alice.says(stage.bob, "are you Bob?"), State.DELIVERED)
    assert (await stage.bob.told(Undecryptable)).sender == stage.alice.client.account
    hers = await stage.alice.client.safety.number(stage.bob.client.account)
    his = await stage.bob.client.safety.number(stage.alice.client.account)
    assert hers.digits != his.digits
    assert not await stage.alice.client.safety.verify(stage.bob.client.account, his.scannable)
    assert not await stage.alice.client.safety.verified(stage.bob.client.account)


@noticed(
    ABOUT,
    "registers somebody known anew, and speaks in that name",
    "shows nothing that the new key says, and tells of it (`IdentityChanged`); nothing is sent"
    " before a tap",
)
async def peer_registered_anew(stage: Stage) -> None:
    await stage.meet()
    impostor = Impostor(stage.bob, RNG)
    serves(stage.alice.line, impostor.shown(), stage.bob.client.account)
    like = changed(stage.alice.line.rows(Deliver)[-1], id=RNG(16))
    forged = await impostor.instead_of(like, stage.alice, "I have a new phone")
    deliveries(stage.alice.line, lambda f: changed(forged, position=f.position, prev=f.prev))
    await stage.bob.says(stage.alice, "it is really me")
    assert (await stage.alice.told(IdentityChanged)).account == stage.bob.client.account
    id = await stage.alice.says(stage.bob, "who are you?")
    assert (await stage.alice.told(NotSent)).id == id
    assert await stage.alice.texts(stage.bob) == [*GREETINGS, "who are you?"]


@noticed(
    ABOUT,
    "registers somebody known anew while a message to him waits",
    "gives nothing that was written before to the new key: `NotSent` (`identity_changed`), after a"
    " tap too",
)
async def written_before_a_new_key(stage: Stage) -> None:
    await stage.meet()
    impostor = Impostor(stage.bob, RNG)
    stage.alice.line.reachable = False
    stage.alice.line.cut()
    id = await stage.alice.says(stage.bob, "for the Bob I know")
    serves(stage.alice.line, impostor.shown(), stage.bob.client.account)
    claims_newer(stage.alice.line, peer=9)
    stage.alice.line.reachable = True
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.reason) == (id, "identity_changed")
    before = len([f for f in stage.alice.line.said if isinstance(f, Send) and f.id == id])
    assert await stage.alice.client.accept_identity(stage.bob.client.account)
    stage.alice.line.swap("POST", BUNDLE, rest.Bundle, lambda _: impostor.bundle())
    after = await stage.alice.says(stage.bob, "for the Bob I have just met")
    await stage.alice.line.offered(after, 1)
    assert len([f for f in stage.alice.line.said if isinstance(f, Send) and f.id == id]) == before
    assert await stage.alice.client.state(id) is State.FAILED


@unharmed(
    ABOUT,
    "registers an admin of a group anew, and signs an entry in that name",
    "takes no such entry: a member is an account under one account key",
)
async def admin_registered_anew(stage: Stage) -> None:
    group = await stage.alice.client.groups.create([stage.bob.client.account])
    await stage.alice.client.groups.send(group, "Hello, Bob!")
    await stage.bob.shows_in(group, "Hello, Bob!")
    impostor = Impostor(stage.alice, RNG)
    mine = impostor.list
    asked: list[int] = []

    def lie(log: rest.GroupLog) -> rest.GroupLog:
        me, you = stage.alice.client.account, stage.bob.client.account
        entry = Entry(group, 2, genesis, Remove((you,)), me, 1, mine.hash)
        forged = sign_entry(entry, impostor.device_key.private, RNG)
        asked.append(decode_entry(forged.body).version)
        return changed(
            log,
            entries=[rest.Signed(body=forged.body, sig=forged.sig)],
            lists=[rest.Signed(body=mine.body, sig=mine.sig)],
            head=changed(log.head, version=2, hash=forged.hash),
        )

    found = await stage.alice.client._store.read(lambda db: group_log.entry_hash(db, group, 1))
    genesis = found or b""
    stage.bob.line.swap("GET", r"/v1/groups/.+/log$", rest.GroupLog, lie)
    serves(stage.bob.line, impostor.shown(), stage.alice.client.account)
    stage.bob.line.swap(
        "GET",
        r"/v1/groups$",
        rest.OwnGroups,
        lambda own: changed(own, groups=[changed(it, version=2) for it in own.groups]),
    )
    onlines = stage.bob.times_online()
    stage.bob.line.cut()
    await stage.bob.online_again(onlines)

    async def shown() -> bool:
        return bool(asked)

    await eventually(shown)
    await stage.bob.client.groups.send(group, "still here")
    stage.bob.line.honest()
    stage.bob.line.cut()
    await stage.alice.shows_in(group, "Hello, Bob!", "still here")
    info = await stage.bob.client.groups.info(group)
    assert info.version == 1
    assert info.member
    assert stage.bob.never(GroupChanged)


@noticed(
    ABOUT,
    "puts a device of its own into one's own list",
    "takes no list that its account key did not sign: `NotSent` (`not_trusted`)",
)
async def own_list_with_a_device_more(stage: Stage) -> None:
    await stage.meet()
    listed = decode_list((await list_of(stage.alice)).body)
    impostor, me = Impostor(stage.alice, RNG), stage.alice.client.account
    own = impostor.device_key
    mark = countersign(own, me, listed.key, 2, listed.issued, RNG)
    more = ListedDevice(2, own.public, b"", listed.issued, KIND_TERMINAL, mark)
    body = encode_list(
        changed(
            listed,
            version=listed.version + 1,
            set=listed.set + 1,
            prev=sha256((await list_of(stage.alice)).body).digest(),
            next_id=3,
            devices=(*listed.devices, more),
        )
    )
    signed = sign_object("device-list", impostor.account_key.private, body, RNG)
    forged = rest.Signed(body=signed.body, sig=signed.sig)
    serves(stage.alice.line, forged, stage.alice.client.account)
    claims_newer(stage.alice.line, own=9)
    id = await stage.alice.says(stage.bob, "only we two")
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.reason) == (id, "not_trusted")


@noticed(
    ABOUT,
    "says that somebody's number belongs to another account",
    "tells of it (`NumberMoved`); by that number nothing is sent before a tap",
)
async def number_moved(stage: Stage) -> None:
    number = NUMBERS["bob"]
    carol = await stage.person("carol")
    other = carol.client.account
    assert await stage.alice.client.find(number) == stage.bob.client.account

    def lie(found: rest.ContactMatches) -> rest.ContactMatches:
        return changed(found, matches=[changed(it, account=other) for it in found.matches])

    stage.alice.line.swap("POST", r"/v1/contacts/lookup$", rest.ContactMatches, lie)
    stage.alice.line.shift_ms += 90_000_000
    await stage.alice.kept_up()
    moved = await stage.alice.told(NumberMoved)
    assert (moved.before, moved.now) == (stage.bob.client.account, AccountId(other))
    with pytest.raises(NumberChanged):
        await stage.alice.client.send(number, "whoever you are")
    onlines = stage.alice.times_online()
    stage.alice.line.cut()
    await stage.alice.online_again(onlines)
    await stage.alice.says(stage.bob, "by account it goes on")
    await stage.bob.shows(stage.alice, "by account it goes on")
