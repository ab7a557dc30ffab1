"""Lies about keys: what a server may put into a bundle, or leave out of it."""

import random
from collections.abc import Callable

import apsw
from tests.hostile.cases import noticed, unharmed
from tests.hostile.in_frames import deliveries
from tests.hostile.middle import Told, always, changed, flipped, refusal
from tests.hostile.stage import Stage
from tests.scenarios.waiting import eventually

from linnet.client import NotSent, State, Undecryptable
from linnet.client.sql import number
from linnet.crypto.prekeys import generate_kem, generate_one_time, generate_signed
from linnet.signing.keys import generate
from linnet.wire import rest
from linnet.wire.codec import Unknown
from linnet.wire.frames import CONTROL, Deliver, Row, ServerFrame

ABOUT = "keys"
BUNDLE = r"/v1/keys/.+/\d+$"
RNG = random.Random(7).randbytes
NOT_TRUSTED = "sends nothing: `NotSent` (`not_trusted`)"


async def _bundle_refused(stage: Stage, forge: Callable[[rest.Bundle], rest.Bundle]) -> None:
    stage.alice.line.swap("POST", BUNDLE, rest.Bundle, forge)
    id = await stage.alice.says(stage.bob, "for Bob's eyes")
    refused = await stage.alice.told(NotSent)
    assert (refused.id, refused.state, refused.reason) == (id, State.FAILED, "not_trusted")
    assert await stage.bob.conversation(stage.alice) == []


@noticed(ABOUT, "puts its own identity key into a bundle", NOT_TRUSTED)
async def identity_key_swapped(stage: Stage) -> None:
    own = generate(RNG).public
    await _bundle_refused(stage, lambda bundle: changed(bundle, identity=own))


@noticed(ABOUT, "gives a whole bundle of its own, well signed by its own key", NOT_TRUSTED)
async def whole_bundle_swapped(stage: Stage) -> None:
    own = generate(RNG)
    signed, kem = generate_signed(own, 1, 0, RNG), generate_kem(own, 1, 1, 0, RNG)[0]
    bundle = rest.Bundle(
        device=1,
        registration_id=1,
        identity=own.public,
        signed=rest.SignedKey(id=1, key=signed.public, sig=signed.signature),
        kem=rest.KemPreKey(id=1, key=kem.public, sig=kem.signature),
        kem_last_resort=False,
        one_time=None,
    )
    await _bundle_refused(stage, lambda _: bundle)


@noticed(ABOUT, "puts its own signed pre-key into a bundle", NOT_TRUSTED)
async def signed_pre_key_swapped(stage: Stage) -> None:
    own = generate_signed(generate(RNG), 1, 0, RNG)
    forged = rest.SignedKey(id=1, key=own.public, sig=own.signature)
    await _bundle_refused(stage, lambda bundle: changed(bundle, signed=forged))


@noticed(ABOUT, "puts its own post-quantum pre-key into a bundle", NOT_TRUSTED)
async def kem_pre_key_swapped(stage: Stage) -> None:
    own = generate_kem(generate(RNG), 1, 1, 0, RNG)[0]
    forged = rest.KemPreKey(id=1, key=own.public, sig=own.signature)
    await _bundle_refused(stage, lambda bundle: changed(bundle, kem=forged))


@noticed(ABOUT, "answers with the bundle of somebody else's device", NOT_TRUSTED)
async def bundle_of_somebody_else(stage: Stage) -> None:
    carol = await stage.person("carol")
    others: list[rest.Bundle] = []

    def keep(bundle: rest.Bundle) -> rest.Bundle:
        others.append(bundle)
        return bundle

    carol.line.swap("POST", BUNDLE, rest.Bundle, keep)
    await carol.says(stage.alice, "Hello, Alice!")
    await stage.alice.shows(carol, "Hello, Alice!")
    await _bundle_refused(stage, lambda _: others[0])


@noticed(ABOUT, "says that a bundle is of another device of the account", NOT_TRUSTED)
async def bundle_of_another_device(stage: Stage) -> None:
    await _bundle_refused(stage, lambda bundle: changed(bundle, device=2))


@noticed(ABOUT, "changes one bit of a signed key", NOT_TRUSTED)
async def signed_key_with_a_bit_changed(stage: Stage) -> None:
    def forge(bundle: rest.Bundle) -> rest.Bundle:
        return changed(bundle, signed=changed(bundle.signed, key=flipped(bundle.signed.key, -1)))

    await _bundle_refused(stage, forge)


@noticed(
    ABOUT,
    "puts its own one-time key, which nothing signs, into a bundle",
    "is not read by the server (the signed keys are mixed in too); Bob's shows `Undecryptable`",
)
async def one_time_key_swapped(stage: Stage) -> None:
    own = generate_one_time(1, 1, RNG)[0]
    forged = rest.OneTimeKey(id=own.id, key=own.public)
    stage.alice.line.swap(
        "POST", BUNDLE, rest.Bundle, lambda bundle: changed(bundle, one_time=forged)
    )
    id = await stage.alice.says(stage.bob, "for Bob's eyes")
    assert (await stage.bob.told(Undecryptable)).id == id
    assert await stage.bob.texts(stage.alice) == []


@unharmed(ABOUT, "leaves the one-time key out of a bundle", "opens a session without it")
async def one_time_key_withheld(stage: Stage) -> None:
    stage.alice.line.swap(
        "POST", BUNDLE, rest.Bundle, lambda bundle: changed(bundle, one_time=None)
    )
    await stage.meet()


@noticed(
    ABOUT,
    "gives the same one-time keys to two people",
    "opens the first session only; the second's message is `Undecryptable`",
)
async def one_bundle_for_two(stage: Stage) -> None:
    carol = await stage.person("carol")
    given: list[rest.Bundle] = []

    def same(bundle: rest.Bundle) -> rest.Bundle:
        given.append(bundle)
        return given[0]

    for line in (stage.alice.line, carol.line):
        line.swap("POST", BUNDLE, rest.Bundle, same)
    await stage.alice.says(stage.bob, "first")
    await stage.bob.shows(stage.alice, "first")
    id = await carol.says(stage.bob, "second")
    assert (await stage.bob.told(Undecryptable)).id == id
    assert await stage.bob.texts(carol) == []
    await stage.alice.says(stage.bob, "third")
    await stage.bob.shows(stage.alice, "first", "third")


@unharmed(
    ABOUT,
    "says that a device has no keys",
    "keeps the message, shows it as not sent yet, and sends it once there are",
)
async def keys_withheld(stage: Stage) -> None:
    stage.alice.line.answer("POST", BUNDLE, refusal("no_keys"))
    id = await stage.alice.says(stage.bob, "patience")
    await stage.alice.reaches(id, State.SENDING)
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 5_000
    await stage.bob.shows(stage.alice, "patience")


@unharmed(
    ABOUT,
    "says that nobody took any keys, or that all are gone",
    "makes as many new keys as it may have on the server, and no more",
)
async def key_counts_forged(stage: Stage) -> None:
    def stored(db: apsw.Connection) -> int:
        return number(db, "SELECT count(*) FROM one_time_pre_keys")

    for count in (0, 0, 0, (1 << 53) - 1):
        stage.bob.line.answer("GET", r"/v1/keys$", always(200, rest.KeyCount(count, count)))
        await stage.bob.kept_up()
    assert await stage.bob.client._store.read(stored) <= 400
    await stage.meet()


def _one_time_keys(db: apsw.Connection) -> int:
    return number(db, "SELECT count(*) FROM one_time_pre_keys") + number(
        db, "SELECT count(*) FROM kem_pre_keys"
    )


@noticed(
    ABOUT,
    "brings a first message with a bit changed, before the true one",
    "burns no one-time key: the forgery is `Undecryptable`, and the true one is read",
)
async def first_message_forged(stage: Stage) -> None:
    before = await stage.bob.client._store.read(_one_time_keys)
    kept: list[Deliver] = []

    def forge(frame: ServerFrame | Unknown) -> list[Told]:
        if not isinstance(frame, Deliver):
            return [frame]
        if frame.mode == CONTROL:  # it would open the session
            return [Row(frame.position, frame.prev, frame.conversation, frame.conv_seq)]
        kept.append(frame)
        return [changed(frame, id=flipped(frame.id), ciphertext=flipped(frame.ciphertext, -3))]

    stage.bob.line.down = forge
    await stage.alice.says(stage.bob, "first")
    await stage.bob.told(Undecryptable)
    assert await stage.bob.client._store.read(_one_time_keys) == before
    [frame] = kept
    stage.bob.line.honest()
    stage.bob.line.say(stage.bob.line.after(frame))

    async def read() -> bool:
        return "first" in await stage.bob.texts(stage.alice)

    await eventually(read)
    assert await stage.bob.client._store.read(_one_time_keys) < before


@noticed(
    ABOUT,
    "gives keys of last resort only, and brings the first message again under a new MessageId",
    "shows no text a second time: what a last-resort key opened is remembered (`Undecryptable`)",
)
async def first_message_again(stage: Stage) -> None:
    def last_resort(bundle: rest.Bundle) -> rest.Bundle:
        return changed(bundle, one_time=None)

    stage.alice.line.swap("POST", BUNDLE, rest.Bundle, last_resort)
    kept: list[Deliver] = []

    def keep(frame: Deliver) -> Deliver:
        kept.append(frame)
        return frame

    deliveries(stage.bob.line, keep)
    await stage.alice.says(stage.bob, "once")
    await stage.bob.shows(stage.alice, "once")
    [frame] = kept
    again = stage.bob.line.after(changed(frame, id=flipped(frame.id, -1)))
    stage.bob.line.say(again)
    assert (await stage.bob.told(Undecryptable)).id == again.id
    assert await stage.bob.texts(stage.alice) == ["once"]
