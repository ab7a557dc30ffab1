"""What a member or an owner signs may be anything: the signature is right, the content is not.

The server takes it by the rules of `linnet.signing` or refuses it with a code of ours, never as a
fault of its own, and what it refused has changed nothing.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from tests.server.gathering import Gathering, pairs
from tests.server.kit import Registered

from linnet.server import api
from linnet.signing.device_list import decode_list
from linnet.signing.group_changes import Add, Change, Leave, Promote, Remove
from linnet.signing.group_fold import fold_log
from linnet.signing.objects import SignedObject, sign_object
from linnet.wire import ids, rest
from linnet.wire.errors import ERRORS

TRIES = 120


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Gathering:
    async def unlimited(*_: object) -> float:
        return 0.0

    world = Gathering()
    monkeypatch.setattr(world.kit.rates, "take", unlimited)
    return world


@pytest.fixture
async def http(world: Gathering) -> AsyncIterator[httpx.AsyncClient]:
    app: Any = api.build(world.kit.services, lambda: True, 512 * 1024)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        yield client


async def test_entries_of_nonsense_are_refused_and_change_nothing(
    world: Gathering, http: httpx.AsyncClient
) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    group = (await world.make(alice, bob)).group
    path = f"/v1/groups/{ids.show(group)}/log"
    changes: list[Change] = [
        Add(pairs(carol)),
        Remove((bob.account,)),
        Leave(),
        Promote(bob.account),
    ]
    right = [(await world.entry(alice, group, change)).body for change in changes]
    right.append((await world.genesis(alice, bob)).body)
    dice, taken = random.Random(4), 0
    for _ in range(TRIES):
        body = _spoilt(dice, dice.choice(right))
        signed = _signed(alice, "group", body)
        where, content = (
            (path, {"entry": signed})
            if dice.random() < 0.8
            else (
                "/v1/groups",
                {"genesis": signed},
            )
        )
        answer = await http.post(where, content=msgspec.json.encode(content), headers=_auth(alice))
        taken += _taken(answer)
    log = await world.views.log(alice.identity(world.kit), group, 0)
    lists = [SignedObject(it.body, it.sig) for it in log.lists]
    entries = [SignedObject(it.body, it.sig) for it in log.entries]
    state = fold_log(entries, {it.hash: it for it in lists})
    assert state == await world.state(group)
    assert len(entries) - 1 <= taken < TRIES // 2
    assert world.reached(group).keys() == state.members.keys()


async def test_lists_of_nonsense_are_refused_and_change_nothing(
    world: Gathering, http: httpx.AsyncClient
) -> None:
    (alice,) = await world.people("alice")
    held = (await world.kit.services.devices.newest(alice.account)).list
    again = alice.who.signed_after(held, _devices(held), world.kit.clock())
    dice, taken = random.Random(5), 0
    for _ in range(TRIES):
        body = _spoilt(dice, again.body)
        obj = sign_object("device-list", alice.who.account_key.private, body, alice.who.rng)
        signed = rest.Signed(body=obj.body, sig=obj.sig)
        content = msgspec.json.encode(signed)
        answer = await http.put("/v1/devices/list", content=content, headers=_auth(alice))
        taken += _taken(answer)
    assert taken < TRIES // 2
    newest = (await world.kit.services.devices.newest(alice.account)).list
    assert _devices(newest) == _devices(held)
    devices = await world.kit.devices.get(alice.account, 1)
    assert devices is not None
    assert not devices.revoked


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdc\xff\xff" * 1000,
        b"\x91" * 60_000,
        b"\x81" * 60_000,
        b"\xc9\xff\xff\xff\xff\x01",
    ],
    ids=["array", "map", "bin", "arrays", "deep", "deep maps", "ext"],
)
async def test_lengths_that_lie_cost_no_memory_and_no_stack(
    world: Gathering, http: httpx.AsyncClient, body: bytes
) -> None:
    (alice,) = await world.people("alice")
    group = (await world.make(alice)).group
    entry, listed = _signed(alice, "group", body), _signed(alice, "device-list", body)
    path = f"/v1/groups/{ids.show(group)}/log"
    for answer in (
        await http.post(path, content=msgspec.json.encode({"entry": entry}), headers=_auth(alice)),
        await http.put(
            "/v1/devices/list", content=msgspec.json.encode(listed), headers=_auth(alice)
        ),
    ):
        assert not _taken(answer)


# ---- making nonsense


def _spoilt(dice: random.Random, body: bytes) -> bytes:
    """A signed body in which some places hold something else, or nothing, or more."""
    read = msgspec.msgpack.decode(body)
    for _ in range(dice.choice((1, 1, 2))):
        _spoil(dice, read)
    return msgspec.msgpack.encode(read)


def _spoil(dice: random.Random, row: list[Any]) -> None:
    at = dice.randrange(len(row)) if row else 0
    if row and isinstance(row[at], list) and dice.random() < 0.7:
        _spoil(dice, row[at])
    elif row and dice.random() < 0.15:
        del row[at]
    elif dice.random() < 0.15:
        row.insert(at, _anything(dice))
    elif row and isinstance(row[at], int) and dice.random() < 0.6:
        row[at] += dice.choice((-1, 1, 2, 127, 1 << 32))
    elif row and isinstance(row[at], bytes) and row[at] and dice.random() < 0.6:
        cut = dice.randrange(len(row[at]))
        row[at] = row[at][:cut] + dice.choice((b"", b"\x00", b"\xff" * 99)) + row[at][cut + 1 :]
    elif row:
        row[at] = _anything(dice)


def _anything(dice: random.Random) -> Any:
    return dice.choice(
        (
            None,
            True,
            -1,
            0,
            1,
            (1 << 64) - 1,
            -(1 << 63),
            1.5,
            float("inf"),
            "text",
            "\x00",
            b"",
            dice.randbytes(16),
            dice.randbytes(33),
            [],
            [[]],
            [dice.randbytes(16)] * 3,
            {},
            {"a": 1},
            {1: [2]},
            b"x" * 5000,
        )
    )


def _signed(who: Registered, label: str, body: bytes) -> rest.Signed:
    """By somebody's device."""
    obj = sign_object(label, who.who.device_key.private, body, who.who.rng)
    return rest.Signed(body=obj.body, sig=obj.sig)


def _devices(listed: rest.Signed) -> Any:
    return decode_list(listed.body).devices


def _taken(answer: httpx.Response) -> bool:
    """Whether the server took it; what it refuses, it refuses by a name of ours, without the
    reason being a fault of its own."""
    if answer.is_success:
        return True
    problem = msgspec.json.decode(answer.content, type=rest.Problem)
    assert problem.code in ERRORS
    assert problem.code not in ("internal", "unauthorized"), problem
    return False


def _auth(who: Registered) -> dict[str, str]:
    return {"authorization": f"Bearer {who.access}"}
