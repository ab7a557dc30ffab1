"""Whatever is sent to any resource with a body is answered with a code of ours."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.kit import HOST, NOW_MS, NUMBER, Kit, person, register
from tests.server.services.delivery.records import fresh_id

from linnet.server import api
from linnet.wire import ids, rest
from linnet.wire.errors import ERRORS

LINK = bytes(range(16))
KEY = b"k" * 16


def _bodies() -> dict[str, Any]:
    """A body that is right, for each operation."""
    laptop = person("laptop")
    signed = laptop.finish(bytes(16), bytes(32)).list
    part = rest.SealedPart(device=1, ciphertext=b"x")
    bodies = {
        "POST /v1/links": rest.LinkOffer(link=LINK, offer=b"offer"),
        "PUT /v1/links/{link}/answer": rest.LinkAnswer(
            ephemeral=bytes(32), kem_ciphertext=bytes(1568), box=b"x"
        ),
        "PUT /v1/links/{link}/keys": rest.LinkKeys(
            keys=laptop.bundle(), box=b"x", ticket_hash=bytes(32)
        ),
        "PUT /v1/links/{link}/list": signed,
        "POST /v1/links/{link}/login": rest.LinkLogin(ticket=bytes(32)),
        "POST /v1/registrations/{link}/recovery": rest.RecoveryFinish(
            ticket=bytes(32), list=signed, device=2, keys=laptop.bundle()
        ),
        "POST /v1/sealed/{me}/messages": rest.SealedSend(
            id=fresh_id(1, NOW_MS), mode=0, set=1, parts=[part]
        ),
        "POST /v1/registrations": rest.RegistrationRequest(number=NUMBER),
        "POST /v1/registrations/{link}/code": rest.CodeRequest(code="000000"),
        "POST /v1/registrations/{link}/account": laptop.finish(bytes(16), bytes(32)),
        "POST /v1/tokens": rest.Refresh(
            account=bytes(16), device=1, refresh="A" * 64, id=bytes(16), proof=bytes(64)
        ),
        "PUT /v1/keys": laptop.upload(one_time=1, kem=1),
        "PUT /v1/devices/list": signed,
        "POST /v1/accounts/devices": rest.DeviceListsRequest(accounts=[bytes(16)]),
        "POST /v1/contacts/lookup": rest.ContactLookup(numbers=[NUMBER]),
        "POST /v1/groups": rest.GroupCreate(genesis=signed),
        "POST /v1/groups/{link}/log": rest.GroupAppend(entry=signed),
        "PUT /v1/profile/delivery-key": rest.DeliveryKeyHash(hash=sha256(KEY).digest()),
    }
    return {operation: msgspec.to_builtins(body) for operation, body in bodies.items()}


BODIES = _bodies()
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@st.composite
def _spoilt(draw: st.DrawFn) -> tuple[str, Any]:
    """A right body in which one place holds something else, or nothing."""
    operation = draw(st.sampled_from(sorted(BODIES)))
    body = msgspec.json.decode(msgspec.json.encode(BODIES[operation]))
    at = body
    while True:
        key = draw(st.sampled_from(sorted(at)))
        if isinstance(at[key], dict) and draw(st.booleans()):
            at = at[key]
            continue
        if draw(st.booleans()):
            at[key] = draw(_json | st.binary(max_size=99).map(_text))
        elif draw(st.booleans()):
            del at[key]
        return operation, body


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.fixture
async def asked(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str], str]]:
    async def unlimited(*_: object) -> float:
        return 0.0

    kit = Kit()
    monkeypatch.setattr(kit.rates, "take", unlimited)
    await kit.delivery.open()
    app: Any = api.build(kit.services, lambda: True, 512 * 1024)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kit.delivery.run())
        alice = await register(kit)
        await kit.carry()
        key = rest.DeliveryKeyHash(hash=sha256(KEY).digest())
        await kit.services.sealed.set_key(alice.identity(kit), key)
        links = kit.services.links
        await links.open(rest.LinkOffer(link=LINK, offer=b"offer"), HOST)
        answer = msgspec.convert(BODIES["PUT /v1/links/{link}/answer"], rest.LinkAnswer)
        await links.answer(alice.identity(kit), LINK, answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as http:
            token = {"authorization": f"Bearer {alice.access}"}
            yield http, token, ids.show(alice.account)
        kit.delivery.stop()


@settings(
    max_examples=settings().max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(spoilt=_spoilt())
async def test_a_body_with_something_else_in_it_breaks_nothing(
    asked: tuple[httpx.AsyncClient, dict[str, str], str], spoilt: tuple[str, Any]
) -> None:
    http, token, me = asked
    (operation, body) = spoilt
    method, path = operation.format(link=ids.show(LINK), me=me).split()
    sealed = path.startswith("/v1/sealed")
    headers = {"linnet-delivery-key": _text(KEY)} if sealed else token
    try:
        content = msgspec.json.encode(body)
    except UnicodeEncodeError:
        return
    answer = await http.request(method, path, content=content, headers=headers)
    if not answer.is_success:
        refused = msgspec.json.decode(answer.content, type=rest.Problem)
        assert refused.code in ERRORS
        assert refused.code != "internal"
