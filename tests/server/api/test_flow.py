"""The whole HTTP interface as one client sees it, over a server with memory backends."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
from tests.server.api.edge import edge
from tests.server.kit import NUMBER, Kit, Person, person, register

from linnet.server import api
from linnet.server.services.addresses import networks
from linnet.signing.device_list import decode_list, next_list
from linnet.signing.objects import SignedObject
from linnet.wire import ids, rest
from linnet.wire.errors import ERRORS

REQUEST_BYTES = 64 * 1024
PUBLIC = {
    ("post", "/v1/tokens"),
    ("post", "/v1/links"),
    ("get", "/v1/links/{link}"),
    ("put", "/v1/links/{link}/keys"),
    ("post", "/v1/links/{link}/login"),
    ("get", "/v1/certificates/root"),
}
"""Operations without a token, besides registration and health."""
T = TypeVar("T")


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
async def http(kit: Kit) -> AsyncIterator[httpx.AsyncClient]:
    async with _client(edge(kit.services, REQUEST_BYTES)) as client:
        yield client


def _client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://server")


async def test_from_a_number_to_messages_and_out_again(http: httpx.AsyncClient, kit: Kit) -> None:
    alice, login = await _register(http, kit)
    me = _auth(login)

    page = await http.get("/v1/messages/sync?since=5&limit=10", headers=me)
    assert page.json() == {"rows": [], "head": 5, "more": False, "resync": None}
    assert kit.sync.asked == [(5, 10)]

    listed = _read(
        await http.get(f"/v1/accounts/{ids.show(login.account)}/devices", headers=me),
        rest.DeviceListAnswer,
    ).list
    again = next_list(
        SignedObject(listed.body, listed.sig),
        alice.account_key,
        decode_list(listed.body).devices,
        kit.clock() // 1000,
        alice.rng,
    )
    put = await http.put("/v1/devices/list", content=msgspec.json.encode(again), headers=me)
    assert _read(put, rest.ListAccepted) == rest.ListAccepted(version=2, set=1)

    upload = alice.upload(one_time=3, first_id=50)
    put = await http.put("/v1/keys", content=msgspec.json.encode(upload), headers=me)
    assert _read(put, rest.KeyCount) == rest.KeyCount(one_time=5, kem=1)
    count = _read(await http.get("/v1/keys", headers=me), rest.KeyCount)
    assert count == rest.KeyCount(one_time=5, kem=1)
    taken = await http.post(f"/v1/keys/{ids.show(login.account)}/1", headers=me)
    assert _read(taken, rest.Bundle).identity == alice.device_key.public

    found = await http.post("/v1/contacts/lookup", json={"numbers": [NUMBER]}, headers=me)
    assert [match.account for match in _read(found, rest.ContactMatches).matches] == [login.account]

    refreshed = await _refresh(http, alice, login, b"1" * 16)
    assert refreshed.refresh != login.refresh
    left = await http.delete("/v1/tokens", headers=_auth(refreshed))
    assert (left.status_code, left.content) == (204, b"")
    assert kit.revoked == [(login.account, 1)]
    _problem(await http.get("/v1/keys", headers=_auth(refreshed)), "unauthorized")


async def test_every_step_repeated_after_a_lost_reply_is_the_same(
    http: httpx.AsyncClient, kit: Kit
) -> None:
    started = await _start(http)
    path = f"/v1/registrations/{ids.show(started.registration)}"
    proven = [
        _read(await http.post(f"{path}/code", json={"code": kit.codes.last}), rest.CodeAccepted)
        for _ in range(2)
    ]
    assert proven[0] == proven[1]
    body = msgspec.json.encode(person().finish(proven[0].account, proven[0].ticket))
    logins = [_read(await http.post(f"{path}/account", content=body), rest.Login) for _ in "12"]
    assert logins[0].account == logins[1].account
    assert logins[0].refresh == logins[1].refresh
    request = person().refresh(logins[0].account, logins[0].refresh, b"1" * 16)
    sent = [
        _read(await http.post("/v1/tokens", content=msgspec.json.encode(request)), rest.Login)
        for _ in "12"
    ]
    assert sent[0].refresh == sent[1].refresh
    outs = [await http.delete("/v1/tokens", headers=_auth(sent[0])) for _ in "12"]
    assert [out.status_code for out in outs] == [204, 204]


async def test_codes_wrong_and_late_are_told_apart(http: httpx.AsyncClient, kit: Kit) -> None:
    started = await _start(http)
    path = f"/v1/registrations/{ids.show(started.registration)}/code"
    _problem(await http.post(path, json={"code": kit.codes.wrong}), "bad_code")
    kit.clock.forward(301)
    _problem(await http.post(path, json={"code": kit.codes.last}), "expired_code")


async def test_limits_say_when_to_come_back(http: httpx.AsyncClient, kit: Kit) -> None:
    for _ in range(3):
        await _start(http)
    refused = await http.post("/v1/registrations", json={"number": NUMBER})
    _problem(refused, "rate_limited")
    assert refused.headers["retry-after"] == "3600"


_ZEROS = base64.b64encode(bytes(16)).decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/keys"),
        ("PUT", "/v1/keys"),
        ("POST", "/v1/accounts/devices"),
        ("GET", f"/v1/accounts/{ids.show(bytes(16))}/devices"),
        ("PUT", "/v1/devices/list"),
        ("POST", "/v1/contacts/lookup"),
        ("GET", "/v1/messages/sync"),
        ("DELETE", "/v1/tokens"),
    ],
)
async def test_an_account_may_ask_only_so_often(
    http: httpx.AsyncClient, kit: Kit, method: str, path: str
) -> None:
    _, login = await _register(http, kit)
    await kit.rates.take(f"request:{login.account.hex()}", kit.limits.requests, kit.clock(), 120)
    body = {"body": "", "sig": "A" * 86 + "==", "numbers": [NUMBER], "accounts": [_ZEROS]}
    refused = await http.request(method, path, json=body, headers=_auth(login))
    _problem(refused, "rate_limited")
    assert refused.headers["retry-after"] == "1"
    kit.clock.forward(0.5)
    assert (await http.request(method, path, json=body, headers=_auth(login))).status_code != 429


async def test_what_one_account_asks_is_not_counted_for_others(
    http: httpx.AsyncClient, kit: Kit
) -> None:
    _, login = await _register(http, kit)
    bob = await register(kit, "bob", "+4915112345679")
    asked = [await http.get("/v1/keys", headers=_auth(login)) for _ in range(121)]
    assert [answer.status_code for answer in asked] == [200] * 120 + [429]
    me = {"authorization": f"Bearer {bob.access}"}
    assert (await http.get("/v1/keys", headers=me)).status_code == 200


async def test_behind_a_trusted_proxy_each_client_has_its_own_limit(kit: Kit) -> None:
    trusted = networks(["10.0.0.0/8"])
    app: Any = api.build(kit.services, lambda: True, REQUEST_BYTES, trusted=trusted)
    taken = "registration:192.0.2.7"
    await kit.rates.take(taken, kit.limits.address_registrations, kit.clock(), 10)
    for proxy, lines, limited in (
        ("10.0.0.1", ["192.0.2.7"], True),
        ("10.0.0.1", ["192.0.2.8"], False),
        ("10.0.0.1", ["192.0.2.8", "192.0.2.7"], True),
        ("10.0.0.1", ["192.0.2.7", "192.0.2.8"], False),
        ("192.0.2.9", ["192.0.2.7"], False),
    ):
        transport = httpx.ASGITransport(app, client=(proxy, 1))
        headers = [("x-forwarded-for", line) for line in lines]
        number = {"number": f"+49151123456{len(kit.codes.sent):02}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as http:
            answer = await http.post("/v1/registrations", json=number, headers=headers)
        assert (answer.status_code == 429) == limited


async def test_a_reused_refresh_token_ends_the_login(http: httpx.AsyncClient, kit: Kit) -> None:
    alice, login = await _register(http, kit)
    fresh = await _refresh(http, alice, login, b"1" * 16)
    reused = alice.refresh(login.account, login.refresh, b"2" * 16)
    _problem(await http.post("/v1/tokens", content=msgspec.json.encode(reused)), "revoked")
    next_one = alice.refresh(login.account, fresh.refresh, b"3" * 16)
    _problem(await http.post("/v1/tokens", content=msgspec.json.encode(next_one)), "revoked")
    _problem(await http.get("/v1/keys", headers=_auth(fresh)), "unauthorized")


async def test_a_forged_list_makes_no_account(http: httpx.AsyncClient, kit: Kit) -> None:
    started = await _start(http)
    path = f"/v1/registrations/{ids.show(started.registration)}"
    proven = _read(
        await http.post(f"{path}/code", json={"code": kit.codes.last}), rest.CodeAccepted
    )
    request = person().finish(proven.account, proven.ticket)
    request.list.sig = person("mallory").finish(proven.account, proven.ticket).list.sig
    refused = await http.post(f"{path}/account", content=msgspec.json.encode(request))
    assert _problem(refused, "bad_signature").detail == "Rule broken: signature."
    assert await kit.services.accounts.get(proven.account) is None


async def test_a_clock_that_jumps_ends_tokens_and_not_the_login(
    http: httpx.AsyncClient, kit: Kit
) -> None:
    alice, login = await _register(http, kit)
    kit.clock.forward(40 * 86_400)
    _problem(await http.get("/v1/keys", headers=_auth(login)), "unauthorized")
    fresh = await _refresh(http, alice, login, b"1" * 16)
    kit.clock.forward(-40 * 86_400)
    assert (await http.get("/v1/keys", headers=_auth(fresh))).status_code == 200
    await _refresh(http, alice, fresh, b"2" * 16)


async def test_a_store_that_is_full_is_unavailable(http: httpx.AsyncClient, kit: Kit) -> None:
    alice, login = await _register(http, kit)
    kit.keys.down = True
    body = msgspec.json.encode(alice.upload(one_time=1, first_id=9))
    refused = await http.put("/v1/keys", content=body, headers=_auth(login))
    assert _problem(refused, "unavailable").retryable
    assert refused.headers["retry-after"] == "1"
    kit.keys.down = False
    assert (await http.put("/v1/keys", content=body, headers=_auth(login))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"number": 5}',
        b'{"number": "\xff"}',
        b'{"number": "\\ud800\\ud800"}',
        b'{"number": "' + b"1" * 60_000 + b'"}',
        b"[" * 60_000,
        b'{"x":' * 10_000,
        b'{"number": {"number": "+4915112345678"}}',
        b'{"number": "+4915112345678"} trailing',
        b"\x00" * 100,
        b"\x82\xa6number\x01",
    ],
)
async def test_a_malformed_body_is_malformed(http: httpx.AsyncClient, body: bytes) -> None:
    refused = await http.post("/v1/registrations", content=body)
    _problem(refused, "malformed")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/msgpack", "multipart/form-data", "application/x-y", "x"]
)
async def test_a_body_of_another_type_never_breaks_the_server(
    http: httpx.AsyncClient, kind: str
) -> None:
    headers = {"content-type": kind}
    answer = await http.post("/v1/registrations", content=b"\x00{", headers=headers)
    assert _problem(answer, "malformed").status in (400, 415)


async def test_base64_that_is_none_is_malformed(http: httpx.AsyncClient) -> None:
    body = {"account": "*", "device": 1, "refresh": "x", "id": "*", "proof": "*"}
    _problem(await http.post("/v1/tokens", json=body), "malformed")


async def test_an_oversized_body_is_too_large_told_or_not(http: httpx.AsyncClient) -> None:
    large = b'{"number": "' + b"1" * REQUEST_BYTES + b'"}'
    _problem(await http.post("/v1/registrations", content=large), "too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    _problem(await http.post("/v1/registrations", content=chunks()), "too_large")


@pytest.mark.parametrize(
    ("method", "path", "code", "status"),
    [
        ("GET", "/nowhere", "not_found", 404),
        ("GET", "/v1/registrations", "malformed", 405),
        ("DELETE", "/v1/keys", "malformed", 405),
        ("POST", "/v1/registrations/no-uuid/code", "malformed", 400),
        ("POST", f"/v1/registrations/{'0' * 32}/code", "malformed", 400),
        ("POST", f"/v1/registrations/{ids.show(bytes(16))}/code", "not_found", 404),
        ("GET", "/v1/keys", "unauthorized", 401),
        ("GET", "/v1/messages/sync", "unauthorized", 401),
        ("GET", f"/v1/accounts/{ids.show(bytes(16))}/devices", "unauthorized", 401),
        ("DELETE", "/v1/tokens", "unauthorized", 401),
    ],
)
async def test_every_error_is_a_problem_with_a_code(
    http: httpx.AsyncClient, method: str, path: str, code: str, status: int
) -> None:
    refused = await http.request(method, path, json={"code": "123456"})
    assert _problem(refused, code, status).status == status


@pytest.mark.parametrize(
    "query",
    ["since=-1", "since=x", f"since={2**53}", "limit=0", "limit=501", "limit=1e3", "since=%FF"],
)
async def test_a_cursor_out_of_range_is_malformed(
    http: httpx.AsyncClient, kit: Kit, query: str
) -> None:
    _, login = await _register(http, kit)
    _problem(await http.get(f"/v1/messages/sync?{query}", headers=_auth(login)), "malformed")


@pytest.mark.parametrize("device", ["0", "-1", "128", "x", "9" * 40, "1.5"])
async def test_a_device_that_cannot_be_never_breaks_the_server(
    http: httpx.AsyncClient, kit: Kit, device: str
) -> None:
    _, login = await _register(http, kit)
    path = f"/v1/keys/{ids.show(login.account)}/{device}"
    _problem(await http.post(path, headers=_auth(login)), "not_found")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp4", "Bearer x.y.z", "é"])
async def test_a_header_that_is_no_token_is_unauthorized(
    http: httpx.AsyncClient, header: str
) -> None:
    headers = {"authorization": header.encode("latin-1")}
    _problem(await http.get("/v1/keys", headers=headers), "unauthorized")  # type: ignore[arg-type]


async def test_an_unforeseen_error_is_internal_and_quotes_nothing(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(type(kit.sync)):  # type: ignore[misc]
        async def sync(self, *args: object) -> rest.SyncPage:
            raise RuntimeError(f"the number is {NUMBER}")

    object.__setattr__(kit.services, "sync", Broken())
    async with _client(edge(kit.services, REQUEST_BYTES)) as http:
        _, login = await _register(http, kit)
        answer = await http.get("/v1/messages/sync", headers=_auth(login))
    assert _problem(answer, "internal").detail == ERRORS["internal"].text
    assert "RuntimeError" in caplog.text
    assert NUMBER not in caplog.text + answer.text


async def test_nothing_personal_is_logged(
    http: httpx.AsyncClient, kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    _, login = await _register(http, kit)
    await http.get("/v1/keys", headers={"authorization": "Bearer secret-token"})
    ours = " ".join(
        record.getMessage() for record in caplog.records if record.name.startswith("linnet")
    )
    for secret in (NUMBER, kit.codes.last, login.access, login.refresh, "secret-token"):
        assert secret not in ours


async def test_answers_may_not_be_kept_neither_good_nor_bad(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/v1/keys", "/nowhere"):
        assert (await http.get(path)).headers["cache-control"] == "no-store"


async def test_alive_and_ready_are_two_things(kit: Kit) -> None:
    ready = False
    async with _client(api.build(kit.services, lambda: ready, REQUEST_BYTES)) as http:
        assert (await http.get("/healthz")).text == "ok"
        _problem(await http.get("/readyz"), "unavailable")
        ready = True
        assert (await http.get("/readyz")).text == "ready"


async def test_metrics_count_routes_and_never_name_anyone(kit: Kit) -> None:
    counted: Any = api.build(kit.services, lambda: True, REQUEST_BYTES)
    async with _client(counted) as http:
        _, login = await _register(http, kit)
        await http.get(f"/v1/accounts/{ids.show(login.account)}/devices", headers=_auth(login))
        await http.request("BREW", "/coffee")
        shown = await http.get("/metrics")
        assert shown.headers["content-type"].startswith("text/plain")
        assert "active_connections_total 0.0" in shown.text
        assert (
            'http_requests_total{method="GET",resource="/v1/accounts/{account}/devices",status="200"}'
            " 1.0" in shown.text
        )
        assert 'method="other",resource="none"' in shown.text
        assert ids.show(login.account) not in shown.text
        assert NUMBER not in shown.text


async def test_the_schema_names_every_resource(http: httpx.AsyncClient) -> None:
    for path in ("/v1/schema", "/v1/schema/openapi.json"):
        schema = (await http.get(path)).json()
        assert schema["openapi"].startswith("3.1")
        assert {"/healthz", "/v1/keys/{account}/{device}"} <= set(schema["paths"])


async def test_the_schema_says_what_is_on_the_wire(http: httpx.AsyncClient) -> None:
    schema = (await http.get("/v1/schema")).json()
    refresh = schema["components"]["schemas"]["Refresh"]["properties"]
    assert refresh["id"] == {
        "type": "string",
        "contentEncoding": "base64",
        "minLength": 24,
        "maxLength": 24,
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            *success, refusal = operation["responses"]
            assert (len(success), refusal) == (1, "default")
            public = path.startswith(("/v1/registrations", "/healthz", "/readyz"))
            public = public or (method, path) in PUBLIC
            needed = "delivery" if path.startswith("/v1/sealed") else "access"
            assert operation.get("security") == (None if public else [{needed: []}])


async def _start(http: httpx.AsyncClient) -> rest.RegistrationStarted:
    return _read(
        await http.post("/v1/registrations", json={"number": NUMBER}), rest.RegistrationStarted
    )


async def _register(http: httpx.AsyncClient, kit: Kit) -> tuple[Person, rest.Login]:
    started = await _start(http)
    path = f"/v1/registrations/{ids.show(started.registration)}"
    proven = _read(
        await http.post(f"{path}/code", json={"code": kit.codes.last}), rest.CodeAccepted
    )
    body = msgspec.json.encode(person().finish(proven.account, proven.ticket))
    return person(), _read(await http.post(f"{path}/account", content=body), rest.Login)


async def _refresh(
    http: httpx.AsyncClient, who: Person, login: rest.Login, id: bytes
) -> rest.Login:
    request = who.refresh(login.account, login.refresh, id)
    return _read(await http.post("/v1/tokens", content=msgspec.json.encode(request)), rest.Login)


def _auth(login: rest.Login) -> dict[str, str]:
    return {"authorization": f"Bearer {login.access}"}


def _read(answer: httpx.Response, type: type[T]) -> T:
    assert answer.is_success, answer.text
    return msgspec.json.decode(answer.content, type=type)


def _problem(answer: httpx.Response, code: str, status: int | None = None) -> rest.Problem:
    problem = msgspec.json.decode(answer.content, type=rest.Problem)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem.code, answer.status_code) == (code, problem.status), problem
    if status is None and code != "malformed":
        assert problem.status == ERRORS[code].status
    assert problem.title == ERRORS[code].text
    return problem
