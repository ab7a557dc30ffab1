"""Sealed requests over HTTP: one header, never beside a token, and bodies that are none."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import httpx
import msgspec
import pytest
from tests.server.api.edge import edge
from tests.server.kit import Kit, Registered, register
from tests.server.services.delivery.records import fresh_id

from linnet.signing.certificates import verify_sender_certificate
from linnet.wire import ids, rest
from linnet.wire.frames import FULL

KEY = b"k" * 16
HEADER = {"Linnet-Delivery-Key": base64.b64encode(KEY).decode()}
OPERATIONS = [("GET", "devices"), ("POST", "keys/1"), ("POST", "messages")]


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    kit = Kit()
    await kit.delivery.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kit.delivery.run())
        yield kit
        kit.delivery.stop()


@pytest.fixture
async def alice(kit: Kit) -> Registered:
    alice = await register(kit)
    await kit.carry()
    return alice


@pytest.fixture
async def http(kit: Kit) -> AsyncIterator[httpx.AsyncClient]:
    app = edge(kit.services, 512 * 1024)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        yield client


async def test_a_key_is_set_and_opens_what_is_sealed(
    http: httpx.AsyncClient, kit: Kit, alice: Registered
) -> None:
    hash = rest.DeliveryKeyHash(hash=sha256(KEY).digest())
    content = msgspec.json.encode(hash)
    for _ in "12":
        put = await http.put("/v1/profile/delivery-key", content=content, headers=_auth(alice))
        assert (put.status_code, put.content) == (204, b"")
    answers = [await _ask(http, kit, alice, *operation, HEADER) for operation in OPERATIONS]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    listed = msgspec.json.decode(answers[0].content, type=rest.DeviceListAnswer)
    assert listed.list == (await kit.services.devices.newest(alice.account)).list
    bundle = msgspec.json.decode(answers[1].content, type=rest.Bundle)
    assert bundle.identity == alice.who.device_key.public
    sent = msgspec.json.decode(answers[2].content, type=rest.SealedSent)
    assert sent.server_timestamp == kit.clock()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Linnet-Delivery-Key": ""},
        {"Linnet-Delivery-Key": "*"},
        {"Linnet-Delivery-Key": "AAAA"},
        {"Linnet-Delivery-Key": HEADER["Linnet-Delivery-Key"] * 1000},
        {"Linnet-Delivery-Key": base64.urlsafe_b64encode(b"\xff" * 16).decode()},
        {"Linnet-Delivery-Key": "ÿ"},
    ],
)
async def test_what_is_no_key_is_unauthorized(
    http: httpx.AsyncClient,
    kit: Kit,
    alice: Registered,
    operation: tuple[str, str],
    header: dict[str, str],
) -> None:
    encoded = {name: value.encode("latin-1") for name, value in header.items()}
    answer = await _ask(http, kit, alice, *operation, encoded)
    assert _code(answer) == "unauthorized"


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_token_beside_the_key_is_malformed_either_way(
    http: httpx.AsyncClient, kit: Kit, alice: Registered, operation: tuple[str, str]
) -> None:
    both = {**HEADER, **_auth(alice)}
    assert _code(await _ask(http, kit, alice, *operation, both)) == "malformed"
    assert _code(await http.get("/v1/keys", headers=both)) == "malformed"
    assert _code(await http.get("/v1/certificates/sender", headers=both)) == "malformed"
    assert (await http.get("/v1/keys", headers=_auth(alice))).status_code == 200


async def test_a_token_is_no_key(http: httpx.AsyncClient, kit: Kit, alice: Registered) -> None:
    for operation in OPERATIONS:
        answer = await _ask(http, kit, alice, *operation, _auth(alice))
        assert _code(answer) == "malformed"


async def test_a_key_is_set_by_its_account_alone(http: httpx.AsyncClient, kit: Kit) -> None:
    body = msgspec.json.encode(rest.DeliveryKeyHash(hash=bytes(32)))
    answer = await http.put("/v1/profile/delivery-key", content=body)
    assert _code(answer) == "unauthorized"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"[" * 50_000,
        b'{"id": "AA==", "mode": 0, "set": 1, "parts": []}',
        b'{"id": "AAAAAAAAAAAAAAAAAAAAAA==", "mode": 3, "set": 1, "parts": []}',
        b'{"id": "AAAAAAAAAAAAAAAAAAAAAA==", "mode": 0, "set": -1, "parts": []}',
        b'{"id": "AAAAAAAAAAAAAAAAAAAAAA==", "mode": 0, "set": 1, "parts": []}',
        b'{"id": "AAAAAAAAAAAAAAAAAAAAAA==", "mode": 0, "set": 1,'
        b' "parts": [{"device": 0, "ciphertext": "AA=="}]}',
        b'{"id": "AAAAAAAAAAAAAAAAAAAAAA==", "mode": 0, "set": 1,'
        b' "parts": [{"device": 1, "ciphertext": ""}]}',
        b'{"hash": "AA=="}',
        b'{"hash": "\xff"}',
    ],
)
async def test_a_malformed_body_is_malformed(
    http: httpx.AsyncClient, alice: Registered, body: bytes
) -> None:
    path = f"/v1/sealed/{ids.show(alice.account)}/messages"
    assert _code(await http.post(path, content=body, headers=HEADER)) == "malformed"
    put = await http.put("/v1/profile/delivery-key", content=body, headers=_auth(alice))
    assert _code(put) == "malformed"


async def test_a_message_beyond_the_limit_is_too_large(
    http: httpx.AsyncClient, kit: Kit, alice: Registered
) -> None:
    path = f"/v1/sealed/{ids.show(alice.account)}/messages"
    body = msgspec.to_builtins(_message(kit))
    body["parts"][0]["ciphertext"] = "A" * 600_000
    answer = await http.post(path, json=body, headers=HEADER)
    assert _code(answer) == "too_large"


@pytest.mark.parametrize("account", ["x", "0" * 32, "no-uuid"])
async def test_an_account_that_is_no_id_is_malformed(http: httpx.AsyncClient, account: str) -> None:
    answer = await http.get(f"/v1/sealed/{account}/devices", headers=HEADER)
    assert _code(answer) == "malformed"


async def test_a_certificate_is_fetched_and_believed(
    http: httpx.AsyncClient, kit: Kit, alice: Registered
) -> None:
    root = msgspec.json.decode(
        (await http.get("/v1/certificates/root")).content, type=rest.TrustRoot
    )
    answer = await http.get("/v1/certificates/sender", headers=_auth(alice))
    made = msgspec.json.decode(answer.content, type=rest.SenderCertificate)
    read = verify_sender_certificate(made.certificate, root.key, kit.clock())
    assert (read.account, read.device) == (alice.account, 1)
    assert _code(await http.get("/v1/certificates/sender")) == "unauthorized"


async def _ask(
    http: httpx.AsyncClient,
    kit: Kit,
    of: Registered,
    method: str,
    what: str,
    headers: Any,
) -> httpx.Response:
    path = f"/v1/sealed/{ids.show(of.account)}/{what}"
    body = msgspec.json.encode(_message(kit)) if what == "messages" else None
    return await http.request(method, path, content=body, headers=headers)


def _message(kit: Kit) -> rest.SealedSend:
    part = rest.SealedPart(device=1, ciphertext=b"sealed")
    return rest.SealedSend(id=fresh_id(1, kit.clock()), mode=FULL, set=1, parts=[part])


def _auth(who: Registered) -> dict[str, str]:
    return {"authorization": f"Bearer {who.access}"}


def _code(answer: httpx.Response) -> str:
    return msgspec.json.decode(answer.content, type=rest.Problem).code
