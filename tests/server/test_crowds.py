"""A whole server and many at once: whoever comes second is told so, and nothing is half done."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest
from tests.server.kit import Codes, Person, person

from linnet.server.app import Server
from linnet.server.config import Accounts, Config, Rate, Sealed
from linnet.signing.device_list import decode_list
from linnet.signing.group_changes import Change, Create, Pair, Promote, Retitle, SealedTitle
from linnet.signing.group_entry import Entry, first_entry, sign_entry
from linnet.signing.group_fold import fold_log
from linnet.signing.group_state import GroupState, next_entry
from linnet.signing.objects import SignedObject
from linnet.wire import ids, rest
from linnet.wire.errors import ERRORS

pytestmark = pytest.mark.slow

T = TypeVar("T")
OFTEN = Rate(burst=10_000, every_s=0.001)
CONFIG = Config(
    Path(),
    port=0,
    accounts=Accounts(address_registrations=OFTEN, requests=OFTEN),
    trusted_proxies=("127.0.0.1/32",),
)
KEY = b"delivery key 16b"


@dataclass
class Member:
    """Somebody with an account."""

    who: Person
    login: rest.Login
    list: SignedObject

    @property
    def account(self) -> bytes:
        return self.login.account

    @property
    def auth(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.login.access}"}

    def signed(self, entry: Entry) -> rest.Signed:
        """An entry as it travels."""
        obj = sign_entry(entry, self.who.device_key.private, self.who.rng)
        return rest.Signed(body=obj.body, sig=obj.sig)


@asynccontextmanager
async def serving(
    data: Path, config: Config = CONFIG
) -> AsyncIterator[tuple[httpx.AsyncClient, Codes]]:
    """A client of a server on a data directory, and the codes it sends."""
    codes = Codes()
    config = msgspec.structs.replace(config, data=data)
    alone = httpx.Limits(max_connections=32)
    async with (
        Server(config, codes) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60, limits=alone) as http,
    ):
        yield http, codes


async def register(http: httpx.AsyncClient, codes: Codes, name: str) -> Member:
    who, number = person(name), f"+4915112{len(codes.sent):06}"
    started = _read(
        await http.post("/v1/registrations", json={"number": number}), rest.RegistrationStarted
    )
    path = f"/v1/registrations/{ids.show(started.registration)}"
    answer = await http.post(f"{path}/code", json={"code": codes.last})
    proven = _read(answer, rest.CodeAccepted)
    request = who.finish(proven.account, proven.ticket, proven.server_time * 1000)
    answer = await http.post(f"{path}/account", content=msgspec.json.encode(request))
    listed = SignedObject(request.list.body, request.list.sig)
    return Member(who, _read(answer, rest.Login), listed)


# ---- one log, many admins


async def test_twenty_admins_at_once_append_one_after_another(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, codes):
        people = [await register(http, codes, f"admin {number}") for number in range(20)]
        group = await _group_of_admins(http, people)
        before = (await _log(http, people[0], group)).version
        lost = sum(await asyncio.gather(*(_retitle(http, it, group) for it in people)))
        states = [await _log(http, it, group) for it in people]
        assert lost > 0
        assert {state.head for state in states} == {states[0].head}
        assert states[0].version == before + len(people)
        rosters = [await _get(http, it, f"{_path(group)}/members", rest.Roster) for it in people]
        assert len({roster.head.hash for roster in rosters}) == 1
        assert len(rosters[0].members) == len(people)


async def _group_of_admins(http: httpx.AsyncClient, people: list[Member]) -> bytes:
    founder, *others = people
    pairs = tuple(sorted(Pair(it.account, it.who.account_key.public) for it in others))
    create = Create(bytes(32), founder.who.account_key.public, pairs)
    genesis = founder.signed(first_entry(create, founder.account, 1, founder.list.hash))
    body = msgspec.json.encode({"genesis": genesis})
    answer = await http.post("/v1/groups", content=body, headers=founder.auth)
    group = _read(answer, rest.GroupHead).group
    state = None
    for other in others:
        state = await _log(http, founder, group, state)
        answer = await _append(http, founder, state, Promote(other.account))
        assert answer.status_code == 200, answer.text
    return group


async def _retitle(http: httpx.AsyncClient, by: Member, group: bytes) -> int:
    """Append until it is there; how often another was first."""
    state = None
    for lost in range(100):
        state = await _log(http, by, group, state)
        title = SealedTitle(state.version + 1, by.who.rng(32), bytes(40))
        answer = await _append(http, by, state, Retitle(title))
        if answer.is_success:
            return lost
        assert _code(answer) == "conflict"
    raise AssertionError("never the first")


async def _append(
    http: httpx.AsyncClient, by: Member, state: GroupState, change: Change
) -> httpx.Response:
    entry = by.signed(next_entry(state, change, by.account, 1, by.list.hash))
    body = msgspec.json.encode({"entry": entry})
    return await http.post(f"{_path(state.group)}/log", content=body, headers=by.auth)


async def _log(
    http: httpx.AsyncClient, by: Member, group: bytes, held: GroupState | None = None
) -> GroupState:
    """The log folded, upon what is held of it."""
    since = 0 if held is None else held.version
    log = await _get(http, by, f"{_path(group)}/log?since={since}", rest.GroupLog)
    if not log.entries and held is not None:
        return held
    lists = [SignedObject(it.body, it.sig) for it in log.lists]
    entries = [SignedObject(it.body, it.sig) for it in log.entries]
    return fold_log(entries, {it.hash: it for it in lists}, held)


# ---- one account, many links


async def test_of_a_hundred_links_at_once_each_is_whole_or_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(tmp_path) as (http, codes):
        alice = await register(http, codes, "alice")
        links = [_Linking(http, alice, number) for number in range(100)]
        await asyncio.gather(*(link.prepare() for link in links))
        codes_told = Counter(await asyncio.gather(*(link.activate() for link in links)))
        assert codes_told.keys() <= {"", "conflict", "list_rejected"}
        active = [link for link in links if link.active]
        assert 1 <= len(active) == codes_told[""] <= 15
        logins = await asyncio.gather(*(link.log_in() for link in links))
        assert [bool(it) for it in logins] == [link.active for link in links]
        path = f"/v1/accounts/{ids.show(alice.account)}/devices"
        listed = (await _get(http, alice, path, rest.DeviceListAnswer)).list
        keys = decode_list(listed.body).device_keys()
        expected = {link.laptop.device_key.public for link in active}
        assert set(keys.values()) == expected | {alice.who.device_key.public}
        bundles = [
            await http.post(f"/v1/keys/{ids.show(alice.account)}/{device}", headers=alice.auth)
            for device in sorted(keys)
        ]
        assert {_read(it, rest.Bundle).identity for it in bundles} == set(keys.values())
        secrets = [*(link.ticket for link in links), alice.login.access.encode()]
        secrets += [login.encode() for login in logins if login]
        _nothing_of(secrets, caplog.text)


class _Linking:
    """One of many new devices of an account, each at an address of its own."""

    def __init__(self, http: httpx.AsyncClient, owner: Member, number: int) -> None:
        self.laptop, self.active = person(f"laptop {number}"), False
        self.ticket = sha256(b"ticket %d" % number).digest()
        self._http, self._owner = http, owner
        self._link = sha256(b"link %d" % number).digest()[:16]
        self._path = f"/v1/links/{ids.show(self._link)}"
        self._from = {"x-forwarded-for": f"198.51.{number}.7"}

    async def prepare(self) -> None:
        """Everything but the list."""
        await self._sent("POST", "/v1/links", rest.LinkOffer(link=self._link, offer=b"offer"))
        answer = rest.LinkAnswer(ephemeral=bytes(32), kem_ciphertext=bytes(1568), box=b"answer")
        await self._sent("PUT", f"{self._path}/answer", answer, self._owner.auth)
        keys = rest.LinkKeys(
            keys=self.laptop.bundle(), box=b"keys", ticket_hash=sha256(self.ticket).digest()
        )
        await self._sent("PUT", f"{self._path}/keys", keys)

    async def activate(self) -> str:
        """Sign the list upon the newest there is; the code it was refused with, if it was."""
        path = f"/v1/accounts/{ids.show(self._owner.account)}/devices"
        held = (await _get(self._http, self._owner, path, rest.DeviceListAnswer)).list
        signed = self._owner.who.listing(held, self.laptop, int(time.time() * 1000))
        body = msgspec.json.encode(signed)
        answer = await self._http.put(f"{self._path}/list", content=body, headers=self._owner.auth)
        self.active = answer.is_success
        return "" if self.active else _code(answer)

    async def log_in(self) -> str:
        """The access token, if there is one."""
        body = msgspec.json.encode(rest.LinkLogin(ticket=self.ticket))
        answer = await self._http.post(f"{self._path}/login", content=body, headers=self._from)
        if answer.is_success:
            return _read(answer, rest.Login).access
        assert _code(answer) == "unauthorized"
        return ""

    async def _sent(
        self, method: str, path: str, body: rest.Body, auth: dict[str, str] | None = None
    ) -> None:
        content, headers = msgspec.json.encode(body), {**self._from, **(auth or {})}
        answer = await self._http.request(method, path, content=content, headers=headers)
        assert answer.is_success, answer.text


# ---- one mailbox, a flood of sealed messages


async def test_a_flood_of_sealed_messages_stops_at_the_mailboxs_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    limits = Sealed(address=Rate(burst=20, every_s=3600), account=Rate(burst=100, every_s=3600))
    async with serving(tmp_path, msgspec.structs.replace(CONFIG, sealed=limits)) as (http, codes):
        bob = await register(http, codes, "bob")
        hash = msgspec.json.encode(rest.DeliveryKeyHash(hash=sha256(KEY).digest()))
        await http.put("/v1/profile/delivery-key", content=hash, headers=bob.auth)
        now_ms = int(time.time() * 1000)
        messages = [ids.message_id(now_ms, number.to_bytes(10, "big")) for number in range(150)]

        async def send(number: int, host: int, key: bytes = KEY) -> httpx.Response:
            part = rest.SealedPart(device=1, ciphertext=b"sealed %d" % number)
            body = rest.SealedSend(id=messages[number], mode=0, set=1, parts=[part])
            header = {"linnet-delivery-key": base64.b64encode(key).decode()}
            return await http.post(
                f"/v1/sealed/{ids.show(bob.account)}/messages",
                content=msgspec.json.encode(body),
                headers={**header, "x-forwarded-for": f"203.0.113.{host}"},
            )

        strangers = await asyncio.gather(*(send(0, 200, b"not the key 16 b") for _ in range(30)))
        assert Counter(map(_code, strangers)) == {"unauthorized": 20, "rate_limited": 10}
        told = await asyncio.gather(*(send(number, number % 10) for number in range(150)))
        taken = {messages[number] for number, it in enumerate(told) if it.is_success}
        refused = [it for it in told if not it.is_success]
        assert len(taken) == 100
        assert {_code(it) for it in refused} == {"rate_limited"}
        assert all(int(it.headers["retry-after"]) > 0 for it in refused)
        page = await _get(http, bob, "/v1/messages/sync", rest.SyncPage)
        assert Counter(base64.b64decode(row["id"]) for row in page.rows) == Counter(taken)
        positions = [row["position"] for row in page.rows]
        assert positions == sorted(positions)
        _nothing_of([KEY, bob.login.access.encode(), b"203.0.113."], caplog.text)


# ---- one device's keys, many who take them


async def test_no_key_is_given_twice_to_many_at_once_or_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, codes):
        people = [await register(http, codes, f"taker {number}") for number in range(12)]
        bob = people[0]
        upload = msgspec.json.encode(bob.who.upload(one_time=10, kem=5, first_id=100))
        for _ in "12":
            answer = await http.put("/v1/keys", content=upload, headers=bob.auth)
            assert _read(answer, rest.KeyCount) == rest.KeyCount(one_time=12, kem=6)
        path = f"/v1/keys/{ids.show(bob.account)}/1"
        bundles = await asyncio.gather(
            *(http.post(path, headers=it.auth) for it in people for _ in range(2))
        )
        given = [_read(it, rest.Bundle) for it in bundles]
    one_time = [it.one_time.id for it in given if it.one_time is not None]
    kem = [it.kem.id for it in given if not it.kem_last_resort]
    assert (len(one_time), len(set(one_time))) == (12, 12)
    assert (len(kem), len(set(kem))) == (6, 6)
    async with serving(tmp_path) as (http, _):
        answer = await http.put("/v1/keys", content=upload, headers=bob.auth)
        assert _read(answer, rest.KeyCount) == rest.KeyCount(one_time=0, kem=0)
        again = _read(await http.post(path, headers=people[1].auth), rest.Bundle)
        assert (again.one_time, again.kem_last_resort) == (None, True)


async def test_who_asks_for_one_device_too_often_is_limited_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as (http, codes):
        bob, eve, carol = [await register(http, codes, name) for name in ("bob", "eve", "carol")]
        path = f"/v1/keys/{ids.show(bob.account)}/1"
        asked = await asyncio.gather(*(http.post(path, headers=eve.auth) for _ in range(40)))
        refused = [it for it in asked if not it.is_success]
        assert len(refused) == 20
        assert {_code(it) for it in refused} == {"rate_limited"}
        assert (await http.post(path, headers=carol.auth)).is_success
        elsewhere = f"/v1/keys/{ids.show(carol.account)}/1"
        assert (await http.post(elsewhere, headers=eve.auth)).is_success


def _nothing_of(secrets: list[bytes], log: str) -> None:
    """No secret stands in a log, in any form it might be written in."""
    assert log
    for secret in secrets:
        for form in (
            secret.decode("latin-1"),
            secret.hex(),
            base64.b64encode(secret).decode(),
            base64.urlsafe_b64encode(secret).decode().rstrip("="),
            repr(secret)[2:-1],
        ):
            assert form not in log


def _path(group: bytes) -> str:
    return f"/v1/groups/{ids.show(group)}"


async def _get(http: httpx.AsyncClient, by: Member, path: str, type: type[T]) -> T:
    return _read(await http.get(path, headers=by.auth), type)


def _read(answer: httpx.Response, type: type[T]) -> T:
    assert answer.is_success, answer.text
    return msgspec.json.decode(answer.content, type=type)


def _code(answer: httpx.Response) -> str:
    problem = msgspec.json.decode(answer.content, type=rest.Problem)
    assert problem.code in ERRORS
    assert problem.code != "internal"
    return problem.code
