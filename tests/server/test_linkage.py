"""The linkage scan: nothing that names a sealed sender stands with what they sent.

A real server, its files and its logs. Alice logs in, talks, gets a certificate; then somebody at
another address, without a token, sends Bob sealed messages. Whoever has all requests, all rows and
all logs must not be able to tell that it was Alice. That the scan would find a link is tested too.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import apsw
import httpx
import msgspec
import pytest
from tests.server.kit import Codes, Person, person

from linnet.client.transport import Socket, dial
from linnet.server.app import Server
from linnet.server.config import Config, Gateway
from linnet.server.services.clock import Clock
from linnet.wire import rest
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.frames import (
    FULL,
    SEALED,
    Ack,
    Deliver,
    Hello,
    Part,
    Send,
    Sent,
    Welcome,
)
from linnet.wire.ids import (
    AccountId,
    MessageId,
    direct_conversation,
    message_id,
    show,
    to_account,
)

T = TypeVar("T")
ALICE, BOB = "+4915112345678", "+4915112345679"
HOME, AWAY = "198.51.100.77", "203.0.113.99"
"""Alice's address when she is logged in, and when she is nobody."""
KEY = b"delivery key 16b"
SHORTEST = 12
"""Bytes from which on a value is a name: shorter ones are numbers, kinds and the like."""


@dataclass
class Seen:
    """What the server was told and told, as values of at least SHORTEST bytes."""

    values: set[bytes] = field(default_factory=set)

    def note(self, text: bytes | str) -> None:
        """A body, a path or a header, with everything inside it."""
        text = text.decode("latin-1") if isinstance(text, bytes) else text
        for word in _words(text):
            self.values.update(value for value in _readings(word) if len(value) >= SHORTEST)


@dataclass
class Somebody:
    """A person with an account, and what was said between them and the server."""

    who: Person
    login: rest.Login
    http: httpx.AsyncClient
    seen: Seen

    async def call(self, method: str, path: str, body: rest.Body | None = None) -> httpx.Response:
        content = b"" if body is None else msgspec.json.encode(body)
        headers = {"authorization": f"Bearer {self.login.access}"}
        answer = await self.http.request(method, path, content=content, headers=headers)
        assert answer.is_success, answer.text
        return answer


@dataclass
class House:
    """A server and its data directory."""

    url: str
    data: Path
    codes: Codes

    @asynccontextmanager
    async def at(self, address: str) -> AsyncIterator[tuple[httpx.AsyncClient, Seen]]:
        """A connection from this address, and what goes over it."""
        seen = Seen()

        async def told(request: httpx.Request) -> None:
            seen.note(request.url.path)
            seen.note(await request.aread())
            for name in ("authorization", "linnet-delivery-key"):
                seen.note(request.headers.get(name, ""))

        async def answered(answer: httpx.Response) -> None:
            seen.note(await answer.aread())

        hooks: dict[str, list[Any]] = {"request": [told], "response": [answered]}
        headers = {"x-forwarded-for": address}
        async with httpx.AsyncClient(
            base_url=self.url, event_hooks=hooks, headers=headers
        ) as client:
            yield client, seen

    async def register(
        self, name: str, number: str, http: httpx.AsyncClient, seen: Seen
    ) -> Somebody:
        who = person(name)
        asked = rest.RegistrationRequest(number=number)
        started = await _post(http, "/v1/registrations", asked, rest.RegistrationStarted)
        path = f"/v1/registrations/{show(started.registration)}"
        code = rest.CodeRequest(code=self.codes.last)
        proven = await _post(http, f"{path}/code", code, rest.CodeAccepted)
        made = who.finish(proven.account, proven.ticket, _now_ms())
        login = await _post(http, f"{path}/account", made, rest.Login)
        return Somebody(who, login, http, seen)


@pytest.fixture
async def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[House]:
    caplog.set_level(logging.DEBUG)
    codes = Codes()
    gateway = Gateway(drain_within_s=0)
    config = Config(data=tmp_path / "data", port=0, trusted_proxies=("127.0.0.1",), gateway=gateway)
    async with Server(config, codes) as server:
        yield House(server.url, tmp_path / "data", codes)


@dataclass
class Story:
    """What is left to look at."""

    alice: set[bytes]
    """All that stood in requests and answers in which Alice was logged in, and in her frames."""
    nobody: set[bytes]
    """The same of the requests without a token."""
    names: dict[str, bytes]
    """What names Alice."""
    sent: list[bytes]
    """Ids of the sealed messages."""
    public: set[bytes]
    """What everybody may know of Bob."""


async def _story(house: House, careless: bool = False) -> Story:
    """Alice talks openly, then twice as nobody; careless, she uses an id in both."""
    async with house.at(HOME) as (home, seen), house.at("192.0.2.1") as (bobs, bob_seen):
        alice = await house.register("alice", ALICE, home, seen)
        bob = await house.register("bob", BOB, bobs, bob_seen)
        key = rest.DeliveryKeyHash(hash=sha256(KEY).digest())
        await bob.call("PUT", "/v1/profile/delivery-key", key)
        mine = rest.DeliveryKeyHash(hash=sha256(b"a" * 16).digest())
        await alice.call("PUT", "/v1/profile/delivery-key", mine)
        await alice.call("GET", "/v1/certificates/sender")
        await alice.call("GET", "/v1/certificates/root")
        await alice.call("POST", "/v1/contacts/lookup", rest.ContactLookup(numbers=[BOB]))
        frame = _open_message(bob)
        await _talk(house, alice, frame)
        ids = [frame.id if careless else _fresh(), _fresh()]
        nobody = await _as_nobody(house, bob, ids)
        await _bob_reads(house, bob, ids)
        conversation = direct_conversation(
            AccountId(alice.login.account), AccountId(bob.login.account)
        )
        return Story(
            alice=seen.values | {frame.id, frame.commitment, frame.parts[0].ciphertext},
            nobody=nobody.values,
            names={
                "account": alice.login.account,
                "identity key": alice.who.device_key.public,
                "account key": alice.who.account_key.public,
                "conversation": bytes(conversation),
                "access token": alice.login.access.encode(),
                "refresh token": alice.login.refresh.encode(),
            },
            sent=ids,
            public=_public(bob),
        )


async def _talk(house: House, alice: Somebody, frame: Send) -> None:
    socket = await _connect(house, alice)
    socket.send(CODECS[MSGPACK].encode(frame))
    assert isinstance(await socket.receive(), Sent)
    socket.close()


async def _as_nobody(house: House, bob: Somebody, ids: list[bytes]) -> Seen:
    """What a sealed sender does, on a connection of its own."""
    account = show(bob.login.account)
    headers = {"linnet-delivery-key": base64.b64encode(KEY).decode()}
    async with house.at(AWAY) as (http, seen):
        http.headers.update(headers)
        assert (await http.get(f"/v1/sealed/{account}/devices")).is_success
        assert (await http.post(f"/v1/sealed/{account}/keys/1")).is_success
        for n, id in enumerate(ids):
            part = rest.SealedPart(device=1, ciphertext=b"sealed %d" % n * 9)
            body = rest.SealedSend(id=id, mode=FULL, set=1, parts=[part])
            first, again = [
                await _post(http, f"/v1/sealed/{account}/messages", body, rest.SealedSent)
                for _ in "12"
            ]
            assert first == again
        wrong = {"linnet-delivery-key": base64.b64encode(b"w" * 16).decode()}
        refused = await http.get(f"/v1/sealed/{account}/devices", headers=wrong)
        assert refused.status_code == 401
    return seen


async def _bob_reads(house: House, bob: Somebody, ids: list[bytes]) -> None:
    """Every sealed message is a frame that says of its sender nothing."""
    socket = await _connect(house, bob)
    shown: list[Deliver] = []
    while len(shown) < 1 + len(ids):
        frame = await socket.receive()
        if isinstance(frame, Deliver):
            shown.append(frame)
    for frame, id in zip(shown[1:], ids, strict=True):
        assert (frame.id, frame.kind, frame.mode) == (id, SEALED, FULL)
        assert (frame.conversation, frame.sender, frame.device) == (bytes(16), bytes(16), 0)
        assert (frame.conv_seq, frame.commitment, frame.sets) == (0, bytes(32), None)
    socket.send(CODECS[MSGPACK].encode(Ack(shown[-1].position)))
    socket.close()


# ---- the scan


async def test_requests_of_alice_and_of_nobody_share_nothing_but_what_is_public(
    house: House,
) -> None:
    story = await _story(house)
    assert len(story.nobody) > 10
    assert set(story.sent) <= story.nobody
    assert story.alice & story.nobody <= story.public
    assert not story.nobody & set(story.names.values())


async def test_the_scan_would_find_an_id_used_in_both(house: House) -> None:
    story = await _story(house, careless=True)
    assert story.alice & story.nobody - story.public == {story.sent[0]}


async def test_no_row_holds_a_sealed_message_and_a_name_of_its_sender(house: House) -> None:
    story = await _story(house)
    rows = list(_rows(house.data))
    story.names["mailbox"] = _mailbox(house.data, story.names["account"])
    sealed = [row for row in rows if any(id in row for id in story.sent)]
    assert len(sealed) == len(story.sent)
    for row in sealed:
        assert [name for name, value in story.names.items() if value in row] == []
    # Each name is somewhere, or the search would prove nothing.
    for name in ("account", "identity key", "conversation", "mailbox"):
        assert any(story.names[name] in row for row in rows), name


async def test_nowhere_is_kept_from_where_a_sealed_message_came(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    story = await _story(house)
    async with httpx.AsyncClient(base_url=house.url) as http:
        metrics = (await http.get("/metrics")).content
    said = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("linnet")
    )
    for file in house.data.iterdir():
        content = file.read_bytes()
        for value in (AWAY.encode(), KEY):
            assert not any(form in content for form in _forms(value)), file.name
    for place in (said.encode(), metrics):
        for value in (AWAY.encode(), HOME.encode(), KEY, *story.sent, *story.names.values()):
            assert not any(form in place for form in _forms(value))


def _public(bob: Somebody) -> set[bytes]:
    """Bob's id: everybody who writes to him names it."""
    seen = Seen()
    seen.note(show(bob.login.account))
    return seen.values


def _rows(data: Path) -> Iterator[bytes]:
    """Every row of every table, its columns one after the other."""
    connection = apsw.Connection(str(data / "linnet.db"), flags=apsw.SQLITE_OPEN_READONLY)
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    for (table,) in list(connection.execute(tables)):
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            yield b"|".join(
                value if isinstance(value, bytes) else str(value).encode() for value in row
            )
    connection.close()


def _mailbox(data: Path, account: bytes) -> bytes:
    connection = apsw.Connection(str(data / "linnet.db"), flags=apsw.SQLITE_OPEN_READONLY)
    mailbox: bytes = connection.execute("SELECT mailbox FROM accounts WHERE id = ?", (account,)).get
    connection.close()
    return mailbox


def _forms(value: bytes) -> list[bytes]:
    forms = [value, value.hex().encode(), base64.b64encode(value)]
    return [*forms, str(UUID(bytes=value)).encode()] if len(value) == 16 else forms


def _words(text: str) -> Iterator[str]:
    """The parts of a path, and the strings of a JSON document."""
    try:
        yield from _strings(msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeEncodeError):
        yield from text.replace("/", " ").split()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _readings(word: str) -> Iterator[bytes]:
    """What a string may stand for."""
    yield word.encode("latin-1", "replace")
    with suppress(binascii.Error, ValueError):
        yield base64.b64decode(word, validate=True)
    with suppress(ValueError):
        yield UUID(word).bytes


async def _post(http: httpx.AsyncClient, path: str, body: rest.Body, answer: type[T]) -> T:
    got = await http.post(path, content=msgspec.json.encode(body))
    assert got.is_success, got.text
    return msgspec.json.decode(got.content, type=answer)


async def _connect(house: House, who: Somebody) -> Socket:
    socket = await dial(house.url)
    socket.send(CODECS[MSGPACK].encode(Hello(who.login.access, 1)))
    assert isinstance(await socket.receive(), Welcome)
    return socket


def _open_message(bob: Somebody) -> Send:
    to = to_account(AccountId(bob.login.account))
    part = Part(1, 2, b"an open ciphertext")
    return Send(_fresh(), to, FULL, b"C" * 32, _now_ms(), (1, 1), [part])


def _now_ms() -> int:
    return Clock().wall_ms()


def _fresh() -> MessageId:
    return message_id(_now_ms(), os.urandom(10))
