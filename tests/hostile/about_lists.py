"""Lies about device lists: what a server may serve in place of an account's newest list."""

import random

import apsw
from tests.hostile.cases import noticed, unharmed
from tests.hostile.in_frames import deliveries
from tests.hostile.middle import Middle, changed, flipped, refusal
from tests.hostile.stage import GREETINGS, Person, Stage
from tests.scenarios.waiting import eventually

from linnet.client import IdentityChanged, NotSent, State, facts, keys
from linnet.client.events import ClockWrong, ListConflict
from linnet.client.facts import Keys
from linnet.client.lists import held
from linnet.signing.device_list import LIFETIME_S, decode_list, first_list
from linnet.signing.keys import KeyPair, generate
from linnet.signing.list_alarm import read_conflict
from linnet.signing.list_format import encode_list
from linnet.signing.list_revision import signed_again
from linnet.signing.objects import SignedObject, sign_object
from linnet.wire import rest
from linnet.wire.codec import Unknown
from linnet.wire.frames import CONTROL, NARROWED, ClientFrame, Rejected, Send

ABOUT = "device lists"
LIST = r"/v1/accounts/.+/devices$"
RNG = random.Random(11).randbytes
DAY_S = 86_400
NOT_TRUSTED = "sends nothing: `NotSent` (`not_trusted`)"


def serves(line: Middle, forged: rest.Signed, account: bytes | None = None) -> None:
    """Serve this list, whoever's is asked for, or only in place of that account's."""

    def lie(honest: rest.DeviceListAnswer) -> rest.DeviceListAnswer:
        theirs = decode_list(honest.list.body).account
        return honest if account not in (None, theirs) else changed(honest, list=forged)

    line.swap("GET", LIST, rest.DeviceListAnswer, lie)


def claims_newer(line: Middle, *, peer: int = 0, own: int = 0) -> None:
    """Refuse the next message, as if it were sealed for old lists: the client asks for them."""

    def up(frame: ClientFrame | Unknown) -> list[ClientFrame]:
        if not isinstance(frame, Send) or frame.mode == CONTROL:
            return [frame]  # type: ignore[list-item]
        line.up = lambda frame: [frame]  # type: ignore[list-item]
        line.say(Rejected(frame.id, "devices_changed", True, (peer, own)))
        return []

    line.up = up


async def list_of(person: Person) -> rest.Signed:
    """The newest list of a person."""
    account = person.client.account
    found = await person.client._store.read(lambda db: held(db, account))
    assert found is not None
    return rest.Signed(body=found.obj.body, sig=found.obj.sig)


async def signed_by(
    person: Person, *, days: float = 0, account_key: KeyPair | None = None
) -> rest.Signed:
    """A first list of a person's device, signed so many days from now."""
    own = await person.client._store.read(lambda db: facts.get(db, Keys))
    assert own is not None
    now_s = person.line.environment().now_ms() // 1000 + int(days * DAY_S)
    key = account_key or keys.account_key(own)
    obj = first_list(person.client.account, key, keys.device_key(own), b"", now_s, RNG)
    return rest.Signed(body=obj.body, sig=obj.sig)


async def _nothing_sent(stage: Stage, reason: str = "not_trusted") -> None:
    before = len(await stage.bob.conversation(stage.alice))
    id = await stage.alice.says(stage.bob, "for Bob's eyes")
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.state, refused.reason) == (id, State.FAILED, reason)
    assert len(await stage.bob.conversation(stage.alice)) == before


@noticed(ABOUT, "serves a list with a bit changed", NOT_TRUSTED)
async def list_with_a_bit_changed(stage: Stage) -> None:
    honest = await list_of(stage.bob)
    serves(stage.alice.line, changed(honest, body=flipped(honest.body, -30)))
    await _nothing_sent(stage)


@noticed(ABOUT, "serves the list of somebody else", NOT_TRUSTED)
async def list_of_somebody_else(stage: Stage) -> None:
    carol = await stage.person("carol")
    serves(stage.alice.line, await list_of(carol), stage.bob.client.account)
    await _nothing_sent(stage)


@noticed(ABOUT, "serves bytes that are no list", NOT_TRUSTED)
async def list_of_garbage(stage: Stage) -> None:
    serves(stage.alice.line, rest.Signed(body=b"\x9b" + bytes(80), sig=bytes(64)))
    await _nothing_sent(stage)


@noticed(
    ABOUT,
    "serves a list that will be signed in three days",
    "sends nothing yet, and asks whether the clock is right (`ClockWrong`)",
)
async def list_from_the_future(stage: Stage) -> None:
    serves(stage.alice.line, await signed_by(stage.bob, days=3), stage.bob.client.account)
    id = await stage.alice.says(stage.bob, "patience")
    await stage.alice.told(ClockWrong)
    assert await stage.alice.client.state(id) is State.SENDING
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 61_000
    await stage.bob.shows(stage.alice, "patience")


@noticed(
    ABOUT,
    "shows another account key than the one known",
    "sends nothing: `IdentityChanged`, and `NotSent` (`identity_changed`)",
)
async def account_key_swapped(stage: Stage) -> None:
    await stage.meet()
    forged = await signed_by(stage.bob, account_key=generate(RNG))
    serves(stage.alice.line, forged, stage.bob.client.account)
    claims_newer(stage.alice.line, peer=9)
    await _nothing_sent(stage, "identity_changed")
    assert (await stage.alice.told(IdentityChanged)).account == stage.bob.client.account


@noticed(
    ABOUT,
    "shows another account key for one's own account",
    "tells of it (`IdentityChanged`) and keeps its own",
)
async def own_account_key_swapped(stage: Stage) -> None:
    await stage.meet()
    forged = await signed_by(stage.alice, account_key=generate(RNG))
    serves(stage.alice.line, forged, stage.alice.client.account)
    claims_newer(stage.alice.line, own=9)
    await stage.alice.says(stage.bob, "still me")
    assert (await stage.alice.told(IdentityChanged)).account == stage.alice.client.account
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 301_000
    await stage.bob.shows(stage.alice, *GREETINGS, "still me")


@noticed(ABOUT, "replays an older list than the one known", NOT_TRUSTED)
async def old_list_replayed(stage: Stage) -> None:
    old = await list_of(stage.bob)
    await stage.linked(stage.bob, "laptop")
    await stage.meet()
    serves(stage.alice.line, old, stage.bob.client.account)
    claims_newer(stage.alice.line, peer=9)
    await _nothing_sent(stage)


@noticed(
    ABOUT,
    "hides a new device by serving the list from before it",
    "learns of it from the next message of any device of that account, and writes to it too",
)
async def device_hidden(stage: Stage) -> None:
    old = await list_of(stage.bob)
    laptop = await stage.linked(stage.bob, "laptop")
    serves(stage.alice.line, old, stage.bob.client.account)
    await stage.bob.says(stage.alice, "I have a laptop")
    await stage.alice.shows(stage.bob, "I have a laptop")
    await stage.alice.says(stage.bob, "Hello, laptop")
    await laptop.shows(stage.alice, "I have a laptop", "Hello, laptop")


@unharmed(
    ABOUT, "withholds a list", "keeps the message, shows it as not sent yet, and sends it later"
)
async def list_withheld(stage: Stage) -> None:
    stage.alice.line.answer("GET", LIST, refusal("unavailable"))
    id = await stage.alice.says(stage.bob, "patience")
    await stage.alice.reaches(id, State.SENDING)
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 5_000
    await stage.bob.shows(stage.alice, "patience")


@noticed(
    ABOUT,
    "says that there is no such account",
    "sends nothing: `NotSent` (`unknown_recipient`)",
)
async def account_denied(stage: Stage) -> None:
    stage.alice.line.answer("GET", LIST, refusal("not_found"))
    await _nothing_sent(stage, "unknown_recipient")


@unharmed(
    ABOUT,
    "serves an expired list",
    "writes to the main device alone, and says so in the frame (*narrowed*)",
)
async def list_expired(stage: Stage) -> None:
    days = -(LIFETIME_S / DAY_S) - 5
    serves(stage.alice.line, await signed_by(stage.bob, days=days), stage.bob.client.account)
    id = await stage.alice.says(stage.bob, "for your main device")
    await stage.bob.shows(stage.alice, "for your main device")
    [send] = [
        frame for frame in stage.alice.line.said if isinstance(frame, Send) and frame.id == id
    ]
    assert (send.mode, [part.device for part in send.parts]) == (NARROWED, [1])


@unharmed(
    ABOUT,
    "claims newer device sets that do not exist",
    "asks once, is shown nothing newer, and goes on",
)
async def sets_claimed(stage: Stage) -> None:
    await stage.meet()
    deliveries(stage.bob.line, lambda f: changed(f, sets=(1 << 40, 1 << 40)))
    await stage.alice.says(stage.bob, "news")
    await stage.bob.shows(stage.alice, *GREETINGS, "news")
    asked = len(stage.bob.line.asked)
    await stage.bob.says(stage.alice, "old news")
    await stage.alice.shows(stage.bob, *GREETINGS, "news", "old news")
    assert len(stage.bob.line.asked) - asked <= 2


@noticed(
    ABOUT,
    "refuses what is sealed for the old list, and shows no newer one for two days",
    "writes to the main device alone then, and the message says so (`narrowed`)",
)
async def list_hidden_for_two_days(stage: Stage) -> None:
    await stage.meet()
    old = await list_of(stage.bob)
    laptop = await stage.linked(stage.bob, "laptop")
    serves(stage.alice.line, old, stage.bob.client.account)
    id = await stage.alice.says(stage.bob, "to whom?")

    async def refused() -> bool:
        known = await stage.alice.client._store.read(lambda db: held(db, stage.bob.client.account))
        return known is not None and known.missing_since_ms is not None

    await eventually(refused)
    assert await stage.alice.client.state(id) is State.SENDING
    stage.alice.line.shift_ms += 49 * 3_600_000
    await stage.bob.shows(stage.alice, *GREETINGS, "to whom?")
    *_, entry = await stage.bob.conversation(stage.alice)
    assert entry.note == "narrowed"
    assert await laptop.texts(stage.alice) == []


@noticed(
    ABOUT,
    "has a stolen account key, and shows another list under the number of the known one",
    "holds both as a proof (`ListConflict`), and sends nothing until a person has compared",
)
async def two_lists_of_one_version(stage: Stage) -> None:
    await stage.meet()
    first = await list_of(stage.bob)
    own = await stage.bob.client._store.read(lambda db: facts.get(db, Keys))
    assert own is not None
    account_key, now_s = keys.account_key(own), decode_list(first.body).issued
    held_list = SignedObject(first.body, first.sig)
    one, other = (signed_again(held_list, account_key, now_s + n, RNG) for n in (1, 2))
    serves(stage.alice.line, rest.Signed(body=one.body, sig=one.sig), stage.bob.client.account)
    claims_newer(stage.alice.line, peer=9)
    await stage.alice.says(stage.bob, "hm")

    async def taken() -> bool:
        return (await stage.alice.client._store.read(_version)) == 2

    def _version(db: apsw.Connection) -> int:
        known = held(db, stage.bob.client.account)
        return 0 if known is None else known.list.version

    await eventually(taken)
    serves(stage.alice.line, rest.Signed(body=other.body, sig=other.sig), stage.bob.client.account)
    claims_newer(stage.alice.line, peer=9)
    id = await stage.alice.says(stage.bob, "wait")
    stage.alice.line.shift_ms += 301_000
    assert read_conflict((await stage.alice.told(ListConflict)).proof)
    assert await stage.alice.client.state(id) is State.SENDING


@noticed(
    ABOUT,
    "has a stolen account key, and lists somebody else's device as one of that account",
    NOT_TRUSTED + ": the device did not sign that it is of this account",
)
async def counter_signature_of_another(stage: Stage) -> None:
    carol = await stage.person("carol")
    listed = decode_list((await list_of(stage.bob)).body)
    [theirs] = decode_list((await list_of(carol)).body).devices
    own = await stage.bob.client._store.read(lambda db: facts.get(db, Keys))
    assert own is not None
    taken = changed(theirs, id=2)
    more = changed(
        listed, version=2, set=2, prev=bytes(32), next_id=3, devices=(*listed.devices, taken)
    )
    obj = sign_object("device-list", keys.account_key(own).private, encode_list(more), RNG)
    serves(stage.alice.line, rest.Signed(body=obj.body, sig=obj.sig), stage.bob.client.account)
    await _nothing_sent(stage)
