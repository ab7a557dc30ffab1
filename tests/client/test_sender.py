"""Sender and directory against a scripted HTTP server: what is checked before sealing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import httpx
import msgspec
import pytest
from tests.client.post_office import CODEC, START_MS, Clockwork, Device, PostOffice
from tests.client.script import ScriptedLink, World, until
from tests.client.test_hostile_messages import relisted

from linnet.client import answers, facts, lists, outbox, sealing_pair
from linnet.client.directory import Directory
from linnet.client.errors import LinkClosed, NotTrusted, Offline, Refused
from linnet.client.events import Event, IdentityChanged, NotSent, State
from linnet.client.facts import Login
from linnet.client.outbox import Item
from linnet.client.rest import Api, signed
from linnet.client.sender import ANSWER_S, LOOK_AGAIN_S, WINDOW, Sender
from linnet.client.sql import every
from linnet.client.tokens import Tokens
from linnet.crypto.bodies import text_body
from linnet.signing.errors import Malformed
from linnet.signing.objects import SignedObject
from linnet.signing.xeddsa import sign
from linnet.wire import rest
from linnet.wire.errors import ERRORS
from linnet.wire.frames import Send
from linnet.wire.ids import AccountId, MessageId, message_id, show


@dataclass
class Server:
    """Answers for Bob; `refuses` maps a path's beginning to a code of the error table."""

    bob: Device
    bundle: rest.Bundle
    offered: SignedObject
    refuses: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        self.asked.append(path)
        for start, code in self.refuses.items():
            if path.startswith(start):
                return problem(code)
        answer: object
        if path == f"/accounts/{show(self.bob.account)}/devices":
            answer = rest.DeviceListAnswer(list=signed(self.offered.body, self.offered.sig))
        elif path == f"/keys/{show(self.bob.account)}/1":
            answer = self.bundle
        elif path == "/contacts/lookup":
            known = rest.ContactMatch(number="+15550100002", account=self.bob.account)
            wanted = msgspec.json.decode(request.content, type=rest.ContactLookup).numbers
            answer = rest.ContactMatches(matches=[known] if known.number in wanted else [])
        else:
            return problem("not_found")
        return httpx.Response(200, content=msgspec.json.encode(answer))


def problem(code: str) -> httpx.Response:
    error = ERRORS[code]
    body = rest.Problem(
        type="about:blank",
        title=error.text,
        status=error.status,
        detail="",
        code=code,
        retryable=error.retryable,
    )
    headers = {"Retry-After": "7"} if code == "rate_limited" else {}
    return httpx.Response(error.status, content=msgspec.json.encode(body), headers=headers)


@dataclass
class Rig:
    alice: Device
    bob: Device
    server: Server
    world: World
    directory: Directory
    sender: Sender
    told: list[Event]
    link: ScriptedLink

    async def say(self, text: str = "hello") -> MessageId:
        return await self.alice.write_text(self.bob, text)

    async def offer(self) -> list[Send]:
        """One pass over the outbox; what went out in it."""
        before = len(self.link.said)
        await self.sender._offer_all(self.link)
        sent = self.link.said[before:]
        assert all(isinstance(frame, Send) for frame in sent)
        return sent  # type: ignore[return-value]

    async def held_until_ms(self) -> list[int]:
        rows = await self.alice.store.read(
            lambda db: every(db, "SELECT hold_until_ms FROM outbox ORDER BY seq")
        )
        return [row[0] for row in rows]

    async def answer(self, office: PostOffice, send: Send) -> None:
        """The post office's word on an offer, taken in as the dialogue does."""
        effects = await self.alice.receive([office.post(self.alice, CODEC.encode(send))])
        self.sender.answered(effects.answered)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = Clockwork()
    alice = await Device.make(tmp_path / "alice", 1, clock)
    bob = await Device.make(tmp_path / "bob", 2, clock)
    server = Server(bob, await bob.bundle(), bob.signed_list)
    world = World()
    environment = world.environment()
    login = Login(access="token", expires_ms=START_MS + 10**12, refresh="r")
    await alice.store.write(lambda db: facts.put(db, login))
    api = Api("http://test", httpx.MockTransport(server))
    tokens = Tokens(alice.store, api, environment)
    told: list[Event] = []
    directory = Directory(alice.store, api, tokens, environment, told.append)
    sender = Sender(alice.store, directory, alice.sealer, environment, told.append)
    yield Rig(alice, bob, server, world, directory, sender, told, ScriptedLink())
    await api.close()
    await alice.store.close()
    await bob.store.close()


async def test_a_first_message_fetches_list_and_bundle_once(rig: Rig) -> None:
    office = PostOffice(rig.alice.clock)
    for text in ("hello", "again"):
        await rig.say(text)
        [sent] = await rig.offer()
        await rig.answer(office, sent)
    bob = show(rig.bob.account)
    assert rig.server.asked == [f"/accounts/{bob}/devices", f"/keys/{bob}/1"]


async def test_a_device_that_is_listed_no_longer_costs_no_message(rig: Rig) -> None:
    rig.server.refuses["/keys/"] = "not_found"
    id = await rig.say()
    assert await rig.offer() == []
    assert await rig.alice.state(id) is State.SENDING
    rig.server.refuses.clear()
    rig.world.now_ms += 60_000
    [sent] = await rig.offer()
    assert sent.id == id


async def test_an_offered_message_is_not_offered_again_before_its_time(rig: Rig) -> None:
    id = await rig.say()
    [first] = await rig.offer()
    assert await rig.offer() == []
    assert id not in rig.sender.unanswered
    rig.world.now_ms += int(ANSWER_S * 1000)
    assert await rig.offer() == [first]
    assert id in rig.sender.unanswered


async def test_at_most_a_window_of_conversations_is_unanswered(rig: Rig) -> None:
    ids = await note_in_many(rig.alice, WINDOW + 2)
    assert [frame.id for frame in await rig.offer()] == ids[:WINDOW]
    rig.sender.answered([ids[0]])
    await rig.alice.store.write(
        lambda db: answers.give_up(db, rig.alice.account, ids[0], State.FAILED, "test")
    )
    assert [frame.id for frame in await rig.offer()] == [ids[WINDOW]]


async def test_a_window_that_nobody_answers_is_offered_again(rig: Rig) -> None:
    ids = await note_in_many(rig.alice, WINDOW)
    await rig.offer()
    rig.world.now_ms += int(ANSWER_S * 1000)
    assert [frame.id for frame in await rig.offer()] == ids


async def note_in_many(alice: Device, count: int) -> list[bytes]:
    """Messages that need nothing from the server, each in a conversation of its own."""

    def write(db: apsw.Connection) -> list[bytes]:
        items = [
            Item(
                id=message_id(START_MS, number.to_bytes(10, "big")),
                conversation=number.to_bytes(16, "big"),
                peer=alice.account,
                counter=0,
                kind="text",
                body=text_body("note"),
                sent_ms=START_MS,
            )
            for number in range(count)
        ]
        for item in items:
            outbox.enqueue(db, item, alice.account, 1, alice.own_key)
        return [item.id for item in items]

    return await alice.store.write(write)


@pytest.mark.parametrize("refusals", [1, 3])
async def test_texts_arrive_as_typed_although_commits_of_the_server_fail(
    rig: Rig, refusals: int
) -> None:
    office = PostOffice(rig.alice.clock, refusals=[("unavailable", True)] * refusals)
    typed = [await rig.say(str(number)) for number in range(6)]
    while len(office.outcomes) < len(typed):
        rig.world.now_ms += 61_000
        for sent in await rig.offer():
            await rig.answer(office, sent)
    assert list(office.outcomes) == typed


async def test_one_message_of_a_conversation_is_unanswered_and_others_do_not_wait(
    rig: Rig,
) -> None:
    office = PostOffice(rig.alice.clock)
    first, second = await rig.say("one"), await rig.say("two")
    [note] = await note_in_many(rig.alice, 1)
    sent = await rig.offer()
    assert [frame.id for frame in sent] == [first, note]
    assert await rig.offer() == []
    await rig.answer(office, sent[0])
    assert [frame.id for frame in await rig.offer()] == [second]


async def test_after_a_final_failure_the_next_of_the_conversation_goes_at_once(rig: Rig) -> None:
    failing = await rig.say("x" * 300_000)
    id = await rig.say("small")
    async with asyncio.timeout(0.9 * LOOK_AGAIN_S), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(rig.sender.run(rig.link))
        await until(lambda: rig.link.said)
        task.cancel()
    assert [event.id for event in rig.told if isinstance(event, NotSent)] == [failing]
    assert [frame.id for frame in rig.link.heard(Send)] == [id]  # type: ignore[union-attr]


async def test_what_was_answered_while_another_was_sealed_is_not_offered_again(rig: Rig) -> None:
    [first, second] = await note_in_many(rig.alice, 2)
    [sent, _] = await rig.offer()
    assert sent.id == first
    rig.world.now_ms += int(ANSWER_S * 1000)
    rig.link.on_said = lambda said: rig.sender.answered([second])
    assert [frame.id for frame in await rig.offer()] == [first]


async def test_hundreds_that_wait_hold_nobody_else_up(rig: Rig) -> None:
    ids = await note_in_many(rig.alice, 300)
    for _ in range(300):
        await rig.say()
    await rig.alice.store.write(
        lambda db: db.execute(
            "UPDATE outbox SET hold_until_ms = ? WHERE id != ?", (START_MS + 60_000, ids[-1])
        ).close()
    )
    assert [frame.id for frame in await rig.offer()] == [ids[-1]]


async def test_a_server_without_keys_makes_the_whole_conversation_wait(rig: Rig) -> None:
    rig.server.refuses["/keys"] = "no_keys"
    first = await rig.say("one")
    await rig.say("two")
    assert await rig.offer() == []
    assert await rig.held_until_ms() == [START_MS + 1000, 0]
    rig.server.refuses.clear()
    assert await rig.offer() == []
    rig.world.now_ms += 1001
    assert [frame.id for frame in await rig.offer()] == [first]


async def test_a_limited_client_waits_as_long_as_it_was_told(rig: Rig) -> None:
    rig.server.refuses["/keys"] = "rate_limited"
    await rig.say()
    await rig.offer()
    assert await rig.held_until_ms() == [START_MS + 7000]


async def test_an_account_that_does_not_exist_fails_the_message(rig: Rig) -> None:
    rig.server.refuses["/accounts"] = "not_found"
    id = await rig.say()
    await rig.offer()
    [event] = rig.told
    assert isinstance(event, NotSent)
    assert (event.id, event.state, event.reason) == (id, State.FAILED, "unknown_recipient")


async def test_a_device_that_left_has_its_accounts_list_fetched_again(rig: Rig) -> None:
    rig.server.refuses["/keys"] = "not_found"
    id = await rig.say()
    assert await rig.offer() == []
    assert rig.told == []
    rig.server.refuses.clear()
    rig.world.now_ms += 1001
    assert [frame.id for frame in await rig.offer()] == [id]
    bob = show(rig.bob.account)
    devices, keys = f"/accounts/{bob}/devices", f"/keys/{bob}/1"
    assert rig.server.asked == [devices, keys, devices, keys]


async def test_a_bundle_of_another_identity_is_not_used(rig: Rig) -> None:
    rig.server.bundle.identity = rig.alice.sessions.local.key.public
    await rig.say()
    assert await rig.offer() == []
    [event] = rig.told
    assert isinstance(event, NotSent)
    assert event.reason == "not_trusted"


async def test_a_pre_key_signed_by_somebody_else_is_not_used(rig: Rig) -> None:
    other = await rig.alice.bundle()
    rig.server.bundle.signed = other.signed
    await rig.say()
    assert await rig.offer() == []
    assert [type(event) for event in rig.told] == [NotSent]


SMALL_ORDER = b"\x05" + bytes(32)
NOT_CANONICAL = b"\x05" + (2**255 - 19 + 9).to_bytes(32, "little")


@pytest.mark.parametrize("point", [SMALL_ORDER, NOT_CANONICAL], ids=["small order", "above p"])
@pytest.mark.parametrize("kind", ["signed", "one-time"])
async def test_a_hostile_pre_key_fails_its_message_and_nothing_else(
    rig: Rig, kind: str, point: bytes
) -> None:
    device = rig.bob.sessions.local.key.private
    if kind == "signed":
        rig.server.bundle.signed.key = point
        rig.server.bundle.signed.sig = sign(device, point, rig.bob.sessions.rng)
    else:
        assert rig.server.bundle.one_time is not None
        rig.server.bundle.one_time.key = point
    id = await rig.say()
    assert await rig.offer() == []
    [event] = rig.told
    assert isinstance(event, NotSent)
    assert (event.id, event.state, event.reason) == (id, State.FAILED, "not_trusted")


async def test_a_kyber_key_that_is_none_fails_its_message_and_nothing_else(rig: Rig) -> None:
    key = b"\x08" + b"\xff" * 1568
    rig.server.bundle.kem.key = key
    rig.server.bundle.kem.sig = sign(rig.bob.sessions.local.key.private, key, rig.bob.sessions.rng)
    await rig.say()
    assert await rig.offer() == []
    [event] = rig.told
    assert isinstance(event, NotSent)
    assert event.reason == "not_trusted"


async def test_a_list_with_a_broken_signature_is_not_held(rig: Rig) -> None:
    sig = bytes((rig.server.offered.sig[0] ^ 1,)) + rig.server.offered.sig[1:]
    rig.server.offered = SignedObject(rig.server.offered.body, sig)
    with pytest.raises(NotTrusted, match="signature"):
        await rig.directory.refresh(rig.bob.account)
    assert await rig.alice.store.read(lambda db: lists.held(db, rig.bob.account)) is None


async def test_a_changed_account_key_is_told_and_stops_what_was_written(
    rig: Rig, tmp_path: Path
) -> None:
    await rig.alice.meet(rig.bob)
    impostor = await Device.make(tmp_path / "impostor", 9, rig.alice.clock)
    rig.server.offered = await relisted(impostor, rig.bob.account)
    id = await rig.say("for the old key")
    await rig.alice.store.write(lambda db: lists.doubt(db, rig.bob.account, set=2))
    assert await rig.offer() == []
    assert rig.told[0] == IdentityChanged(rig.bob.account)
    [event] = [event for event in rig.told if isinstance(event, NotSent)]
    assert (event.id, event.reason) == (id, "identity_changed")
    assert rig.told.count(IdentityChanged(rig.bob.account)) == 1
    # The server serves the pinned key's list again: so it was no new identity.
    rig.server.offered = rig.bob.signed_list
    id = await rig.say("for the same key")
    assert [frame.id for frame in await rig.offer()] == [id]
    await impostor.store.close()


async def test_a_text_that_no_frame_can_carry_fails(rig: Rig) -> None:
    await rig.say("x" * 300_000)
    assert await rig.offer() == []
    [event] = rig.told
    assert isinstance(event, NotSent)
    assert event.reason == "too_large"


@pytest.mark.parametrize(
    "failure",
    [ValueError("packing"), msgspec.ValidationError("type"), Malformed("depth")],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_message_that_cannot_be_packed_is_not_called_too_large(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(sealing_pair, "seal_content", fail)
    await rig.say()
    assert await rig.offer() == []
    [event] = rig.told
    assert isinstance(event, NotSent)
    assert (event.state, event.reason) == (State.FAILED, "malformed")


async def test_a_broken_link_ends_the_run_and_the_next_offers_again(rig: Rig) -> None:
    await rig.say()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(rig.sender.run(rig.link))
        await until(lambda: rig.link.said)
        task.cancel()
    rig.link.close()
    with pytest.raises(LinkClosed):
        await rig.sender.run(rig.link)


# ---- lists


async def test_strangers_lists_are_asked_for_at_most_once_a_minute(rig: Rig) -> None:
    stranger = AccountId(bytes(16))
    for _ in range(5):
        assert not await rig.directory.refresh_for_message(stranger)
    assert len(rig.server.asked) == 1
    rig.world.now_ms += 60_000
    await rig.directory.refresh_for_message(stranger)
    assert len(rig.server.asked) == 2


# ---- HTTP


@pytest.mark.parametrize(
    ("status", "content"), [(200, b"<html>"), (502, b"bad gateway"), (404, b"{}")]
)
async def test_nonsense_from_a_server_is_offline(status: int, content: bytes) -> None:
    api = Api(
        "http://test",
        httpx.MockTransport(lambda request: httpx.Response(status, content=content)),
    )
    with pytest.raises(Offline):
        await api.key_count("token")
    await api.close()


async def test_a_refusal_has_its_code_and_no_token_in_its_text() -> None:
    api = Api("http://test", httpx.MockTransport(lambda request: problem("rate_limited")))
    with pytest.raises(Refused) as refused:
        await api.key_count("secret-token")
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 7.0)
    assert "secret-token" not in str(refused.value)
    await api.close()
