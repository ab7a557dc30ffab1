"""Linking and recovery over HTTP: both ends of a link, waits, and bodies that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import TypeVar

import httpx
import msgspec
import pytest
from tests.server.api.edge import edge
from tests.server.kit import NUMBER, Kit, Registered, person, register

from linnet.wire import ids, rest

T = TypeVar("T")
LINK, TICKET = bytes(range(16)), b"t" * 32
PATH = f"/v1/links/{ids.show(LINK)}"


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
async def http(kit: Kit) -> AsyncIterator[httpx.AsyncClient]:
    app = edge(kit.services, 512 * 1024)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        yield client


async def test_a_device_is_linked_over_http(http: httpx.AsyncClient, kit: Kit) -> None:
    alice, laptop = await register(kit), person("laptop")
    me = _auth(alice)
    opened = await _send(http, "POST", "/v1/links", rest.LinkOffer(link=LINK, offer=b"offer"))
    assert opened.status_code == 201
    assert _read(opened, rest.LinkOpened).expires_in == 120
    offered = await http.get(f"{PATH}/offer", headers=me)
    assert _read(offered, rest.LinkOffered).offer == b"offer"

    async def laptop_side() -> rest.Login:
        state = _read(await http.get(f"{PATH}?wait=25"), rest.LinkState)
        assert state.answer == _answer()
        keys = rest.LinkKeys(keys=laptop.bundle(), box=b"keys", ticket_hash=sha256(TICKET).digest())
        assert (await _send(http, "PUT", f"{PATH}/keys", keys)).status_code == 204
        assert _read(await http.get(f"{PATH}?wait=25"), rest.LinkState).active
        login = await _send(http, "POST", f"{PATH}/login", rest.LinkLogin(ticket=TICKET))
        return _read(login, rest.Login)

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(laptop_side())
        assert (await _send(http, "PUT", f"{PATH}/answer", _answer(), me)).status_code == 204
        ready = _read(await http.get(f"{PATH}/keys?wait=25", headers=me), rest.LinkReady)
        assert (ready.identity, ready.box) == (laptop.device_key.public, b"keys")
        held = (await kit.services.devices.newest(alice.account)).list
        listed = await _send(
            http, "PUT", f"{PATH}/list", alice.who.listing(held, laptop, kit.clock()), me
        )
        assert _read(listed, rest.ListAccepted) == rest.ListAccepted(version=2, set=2)
        login = await waiting
    assert (login.account, login.device) == (alice.account, 2)
    linked = {"authorization": f"Bearer {login.access}"}
    count = _read(await http.get("/v1/keys", headers=linked), rest.KeyCount)
    assert count == rest.KeyCount(one_time=2, kem=1)


async def test_a_wait_without_end_says_what_there_is(http: httpx.AsyncClient, kit: Kit) -> None:
    alice = await register(kit)
    await _send(http, "POST", "/v1/links", rest.LinkOffer(link=LINK, offer=b"offer"))
    state = _read(await http.get(PATH), rest.LinkState)
    assert (state.answer, state.active) == (None, False)
    await _send(http, "PUT", f"{PATH}/answer", _answer(), _auth(alice))
    ready = _read(await http.get(f"{PATH}/keys", headers=_auth(alice)), rest.LinkReady)
    assert (ready.identity, ready.box) == (None, None)


async def test_who_waits_hears_that_the_link_was_given_up(
    http: httpx.AsyncClient, kit: Kit
) -> None:
    alice = await register(kit)
    await _send(http, "POST", "/v1/links", rest.LinkOffer(link=LINK, offer=b"offer"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(http.get(f"{PATH}?wait=25"))
        for _ in "12":
            assert (await http.delete(PATH, headers=_auth(alice))).status_code == 204
        assert _code(await waiting) == "not_found"


async def test_who_waits_is_answered_when_the_server_stops(
    http: httpx.AsyncClient, kit: Kit
) -> None:
    await _send(http, "POST", "/v1/links", rest.LinkOffer(link=LINK, offer=b"offer"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(http.get(f"{PATH}?wait=25"))
        await asyncio.sleep(0)
        kit.services.links.stop()
        assert (await waiting).status_code == 200


async def test_too_many_waits_at_one_link_are_sent_away(http: httpx.AsyncClient, kit: Kit) -> None:
    await _send(http, "POST", "/v1/links", rest.LinkOffer(link=LINK, offer=b"offer"))
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(http.get(f"{PATH}?wait=25")) for _ in range(5)]
        first = await next(iter(asyncio.as_completed(waits)))
        assert _code(first) == "rate_limited"
        kit.services.links.stop()


@pytest.mark.parametrize("wait", ["-1", "26", "x", "1e3", "1.5", "99999999999999999999"])
async def test_a_wait_out_of_range_is_malformed(http: httpx.AsyncClient, wait: str) -> None:
    assert _code(await http.get(f"{PATH}?wait={wait}")) == "malformed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{PATH}/offer"),
        ("PUT", f"{PATH}/answer"),
        ("GET", f"{PATH}/keys"),
        ("PUT", f"{PATH}/list"),
        ("DELETE", PATH),
    ],
)
async def test_the_primarys_half_needs_a_token_and_is_counted(
    http: httpx.AsyncClient, kit: Kit, method: str, path: str
) -> None:
    body = {
        **msgspec.to_builtins(_answer(), builtin_types=(str,)),
        "body": "",
        "sig": "A" * 86 + "==",
    }
    assert _code(await http.request(method, path, json=body)) == "unauthorized"
    alice = await register(kit)
    await kit.rates.take(f"request:{alice.account.hex()}", kit.limits.requests, kit.clock(), 120)
    refused = await http.request(method, path, json=body, headers=_auth(alice))
    assert _code(refused) == "rate_limited"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/links"),
        ("PUT", f"{PATH}/keys"),
        ("POST", f"{PATH}/login"),
        ("PUT", f"{PATH}/answer"),
        ("PUT", f"{PATH}/list"),
        ("POST", f"/v1/registrations/{ids.show(LINK)}/recovery"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\x00",
        b"[" * 50_000,
        b'{"link": "AA==", "offer": "AA=="}',
        b'{"link": "AAAAAAAAAAAAAAAAAAAAAA==", "offer": ""}',
        b'{"ticket": 5, "list": [], "keys": {"identity": "\xff"}, "device": 128, "box": null}',
        b'{"ticket": "\\ud800", "body": 1, "sig": {}, "ephemeral": "*", "keys": []}',
    ],
)
async def test_a_malformed_body_is_malformed(
    http: httpx.AsyncClient, kit: Kit, method: str, path: str, body: bytes
) -> None:
    alice = await register(kit)
    answer = await http.request(method, path, content=body, headers=_auth(alice))
    assert _code(answer) == "malformed"


async def test_an_account_is_recovered_over_http(http: httpx.AsyncClient, kit: Kit) -> None:
    alice, tablet = await register(kit), person("tablet")
    started = _read(
        await _send(http, "POST", "/v1/registrations", rest.RegistrationRequest(number=NUMBER)),
        rest.RegistrationStarted,
    )
    path = f"/v1/registrations/{ids.show(started.registration)}"
    code = rest.CodeRequest(code=kit.codes.last)
    proven = _read(await _send(http, "POST", f"{path}/code", code), rest.CodeAccepted)
    assert proven.previous is not None
    assert proven.previous.account == alice.account
    signed = alice.who.listing(proven.previous.list, tablet, kit.clock(), primary=2, alone=True)
    request = rest.RecoveryFinish(ticket=proven.ticket, list=signed, device=2, keys=tablet.bundle())
    logins = []
    for _ in "12":
        answer = await _send(http, "POST", f"{path}/recovery", request)
        assert answer.status_code == 201
        logins.append(_read(answer, rest.Login))
    assert logins[0].refresh == logins[1].refresh
    assert (logins[0].account, logins[0].device) == (alice.account, 2)
    assert _code(await http.get("/v1/keys", headers=_auth(alice))) == "unauthorized"


def _answer() -> rest.LinkAnswer:
    return rest.LinkAnswer(ephemeral=bytes(32), kem_ciphertext=bytes(1568), box=b"answer")


def _auth(who: Registered) -> dict[str, str]:
    return {"authorization": f"Bearer {who.access}"}


async def _send(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    body: rest.Body,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    return await http.request(method, path, content=msgspec.json.encode(body), headers=headers)


def _read(answer: httpx.Response, kind: type[T]) -> T:
    assert answer.is_success, answer.text
    return msgspec.json.decode(answer.content, type=kind)


def _code(answer: httpx.Response) -> str:
    return msgspec.json.decode(answer.content, type=rest.Problem).code
