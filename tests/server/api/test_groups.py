"""Groups over HTTP, as one client sees them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import TypeVar

import httpx
import msgspec
import pytest
from tests.server.api.edge import edge
from tests.server.gathering import Gathering, pairs
from tests.server.kit import Registered, seeded

from linnet.signing.group_changes import Add, Leave, Promote, Remove
from linnet.signing.group_entry import group_id
from linnet.signing.group_fold import fold_log
from linnet.signing.objects import SignedObject
from linnet.wire import ids, rest
from linnet.wire.errors import ERRORS

REQUEST_BYTES = 512 * 1024
NOWHERE = f"/v1/groups/{ids.show(bytes(16))}"
T = TypeVar("T")


@pytest.fixture
def world() -> Gathering:
    return Gathering()


@pytest.fixture
async def http(world: Gathering) -> AsyncIterator[httpx.AsyncClient]:
    app = edge(world.kit.services, REQUEST_BYTES)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        yield client


async def test_a_group_from_its_making_to_its_end(
    world: Gathering, http: httpx.AsyncClient
) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    genesis = await world.genesis(alice, bob)
    made = await http.post("/v1/groups", content=_json(genesis=genesis), headers=_auth(alice))
    assert made.status_code == 201
    head = _read(made, rest.GroupHead)
    first = SignedObject(genesis.body, genesis.sig)
    assert head == rest.GroupHead(group=group_id(first), version=1, hash=first.hash, roster=1)
    path = f"/v1/groups/{ids.show(head.group)}"

    add = await world.entry(alice, head.group, Add(pairs(carol)))
    added = await http.post(f"{path}/log", content=_json(entry=add), headers=_auth(alice))
    assert added.status_code == 200
    assert _read(added, rest.GroupHead).version == 2

    told = _read(await http.get(f"{path}/members", headers=_auth(carol)), rest.Roster)
    assert told.head == _read(added, rest.GroupHead)
    everybody = sorted([alice.account, bob.account, carol.account])
    assert told.members == [
        rest.RosterMember(account=account, set=1, devices=[1]) for account in everybody
    ]

    log = _read(await http.get(f"{path}/log", headers=_auth(carol)), rest.GroupLog)
    lists = [SignedObject(it.body, it.sig) for it in log.lists]
    state = fold_log(
        [SignedObject(it.body, it.sig) for it in log.entries], {it.hash: it for it in lists}
    )
    assert (state.group, state.version, state.head) == (head.group, 2, log.head.hash)
    assert sorted(state.members) == everybody
    assert (len(log.lists), log.more) == (1, False)
    rest_of_it = await http.get(f"{path}/log?since=1", headers=_auth(carol))
    assert _read(rest_of_it, rest.GroupLog).entries == [add]

    own = _read(await http.get("/v1/groups", headers=_auth(bob)), rest.OwnGroups)
    assert own.groups == [told.head]
    left = await world.entry(bob, head.group, Leave())
    await http.post(f"{path}/log", content=_json(entry=left), headers=_auth(bob))
    own = _read(await http.get("/v1/groups", headers=_auth(bob)), rest.OwnGroups)
    assert own.groups == []


async def test_every_step_repeated_after_a_lost_reply_is_the_same(
    world: Gathering, http: httpx.AsyncClient
) -> None:
    alice, bob = await world.people("alice", "bob")
    body = _json(genesis=await world.genesis(alice, bob))
    made = [await http.post("/v1/groups", content=body, headers=_auth(alice)) for _ in "12"]
    assert made[0].content == made[1].content
    group = _read(made[0], rest.GroupHead).group
    body = _json(entry=await world.entry(alice, group, Promote(bob.account)))
    path = f"/v1/groups/{ids.show(group)}/log"
    told = [await http.post(path, content=body, headers=_auth(alice)) for _ in "12"]
    assert (told[0].status_code, told[0].content) == (200, told[1].content)


async def test_who_was_removed_reads_the_log_up_to_that(
    world: Gathering, http: httpx.AsyncClient
) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    group = (await world.make(alice, bob)).group
    removal = await world.entry(alice, group, Remove((bob.account,)))
    await world.service.append(alice.identity(world.kit), group, removal)
    await world.change(alice, group, Add(pairs(carol)))
    path = f"/v1/groups/{ids.show(group)}"
    log = _read(await http.get(f"{path}/log", headers=_auth(bob)), rest.GroupLog)
    assert [entry.body for entry in log.entries][1:] == [removal.body]
    assert (log.head.version, log.head.roster, log.more) == (2, 0, False)
    assert log.head.hash == SignedObject(removal.body, removal.sig).hash
    past = _read(await http.get(f"{path}/log?since=2", headers=_auth(bob)), rest.GroupLog)
    assert (past.entries, past.lists, past.more) == ([], [], False)
    _problem(await http.get(f"{path}/members", headers=_auth(bob)), "not_member")
    await world.change(alice, group, Add(pairs(bob)))
    log = _read(await http.get(f"{path}/log", headers=_auth(bob)), rest.GroupLog)
    assert log.head.version == 4


async def test_a_long_log_is_read_page_by_page(world: Gathering, http: httpx.AsyncClient) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    for number in range(4):
        change = Remove((bob.account,)) if number % 2 == 0 else Add(pairs(bob))
        await world.change(alice, group, change)
    views = world.kit.services.group_views
    small = msgspec.structs.replace(world.kit.group_limits, page_bytes=800)
    object.__setattr__(views, "limits", small)
    entries, since, more, pages = [], 0, True, 0
    while more:
        path = f"/v1/groups/{ids.show(group)}/log?since={since}"
        page = _read(await http.get(path, headers=_auth(alice)), rest.GroupLog)
        entries += page.entries
        since, more, pages = since + len(page.entries), page.more, pages + 1
        assert len(page.lists) == 1
    assert (since, len(entries)) == (5, 5)
    assert pages > 1


async def test_messages_are_asked_for_by_number(world: Gathering, http: httpx.AsyncClient) -> None:
    (alice,) = await world.people("alice")
    path = f"{NOWHERE}/messages"
    page = await http.get(f"{path}?from=2&to=9", headers=_auth(alice))
    assert page.json() == {"rows": [], "not_entitled": [], "expired": [[2, 9]]}
    assert world.post.asked == [(bytes(16), 2, 9)]
    for query in ("", "from=1", "to=1", "from=0&to=1", "from=x&to=1", f"from=1&to={2**53}"):
        _problem(await http.get(f"{path}?{query}", headers=_auth(alice)), "malformed")


# ---- who may not

OPERATIONS = [
    ("POST", "/v1/groups"),
    ("GET", "/v1/groups"),
    ("GET", f"{NOWHERE}/log"),
    ("POST", f"{NOWHERE}/log"),
    ("GET", f"{NOWHERE}/members"),
    ("GET", f"{NOWHERE}/messages?from=1&to=2"),
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_nothing_is_told_without_a_token(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    signed = {"body": "", "sig": "A" * 86 + "=="}
    body = {"genesis": signed, "entry": signed}
    _problem(await http.request(method, path, json=body), "unauthorized")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_an_account_may_ask_only_so_often(
    world: Gathering, http: httpx.AsyncClient, method: str, path: str
) -> None:
    (alice,) = await world.people("alice")
    kit = world.kit
    await kit.rates.take(f"request:{alice.account.hex()}", kit.limits.requests, kit.clock(), 120)
    signed = {"body": "", "sig": "A" * 86 + "=="}
    body = {"genesis": signed, "entry": signed}
    _problem(await http.request(method, path, json=body, headers=_auth(alice)), "rate_limited")


@pytest.mark.parametrize("what", ["log", "members"])
async def test_a_stranger_reads_nothing(
    world: Gathering, http: httpx.AsyncClient, what: str
) -> None:
    alice, mallory = await world.people("alice", "mallory")
    group = (await world.make(alice)).group
    _problem(
        await http.get(f"/v1/groups/{ids.show(group)}/{what}", headers=_auth(mallory)),
        "not_member",
    )
    _problem(await http.get(f"{NOWHERE}/{what}", headers=_auth(mallory)), "not_found")
    _problem(await http.get(f"/v1/groups/none/{what}", headers=_auth(mallory)), "malformed")


async def test_a_refusal_names_the_rule_and_nothing_of_the_entry(
    world: Gathering, http: httpx.AsyncClient
) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    path = f"/v1/groups/{ids.show(group)}/log"
    entry = await world.entry(bob, group, Remove((alice.account,)))
    refused = await http.post(path, content=_json(entry=entry), headers=_auth(bob))
    assert _problem(refused, "entry_rejected").detail == "Rule broken: not_admin."
    forged = rest.Signed(body=entry.body, sig=bytes(64))
    refused = await http.post(path, content=_json(entry=forged), headers=_auth(bob))
    _problem(refused, "bad_signature")
    late = await world.entry(alice, group, Promote(bob.account))
    await world.change(alice, group, Add(pairs(*await world.people("carol"))))
    refused = await http.post(path, content=_json(entry=late), headers=_auth(alice))
    _problem(refused, "conflict")


# ---- bad input


@pytest.mark.parametrize("since", ["-1", "x", str(2**53), "1.5", "%FF"])
async def test_a_version_out_of_range_is_malformed(
    world: Gathering, http: httpx.AsyncClient, since: str
) -> None:
    (alice,) = await world.people("alice")
    group = (await world.make(alice)).group
    path = f"/v1/groups/{ids.show(group)}/log?since={since}"
    _problem(await http.get(path, headers=_auth(alice)), "malformed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'{"genesis": null, "entry": null}',
        b'{"genesis": {"body": ""}, "entry": {"sig": ""}}',
        b'{"genesis": {"body": "*", "sig": "*"}, "entry": {"body": "*", "sig": "*"}}',
        b'{"genesis": [], "entry": 5}',
        b"[" * 50_000,
    ],
)
async def test_a_malformed_body_is_malformed(
    world: Gathering, http: httpx.AsyncClient, body: bytes
) -> None:
    (alice,) = await world.people("alice")
    group = (await world.make(alice)).group
    for path in ("/v1/groups", f"/v1/groups/{ids.show(group)}/log"):
        _problem(await http.post(path, content=body, headers=_auth(alice)), "malformed")


async def test_a_body_over_its_limit_is_refused(world: Gathering, http: httpx.AsyncClient) -> None:
    (alice,) = await world.people("alice")
    huge = rest.Signed(body=bytes(65_537), sig=bytes(64))
    refused = await http.post("/v1/groups", content=_json(genesis=huge), headers=_auth(alice))
    _problem(refused, "malformed")
    larger = rest.Signed(body=bytes(400_000), sig=bytes(64))
    refused = await http.post("/v1/groups", content=_json(genesis=larger), headers=_auth(alice))
    _problem(refused, "too_large")


async def test_entries_with_changed_bytes_are_refused_and_change_nothing(
    world: Gathering, http: httpx.AsyncClient
) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    path = f"/v1/groups/{ids.show(group)}/log"
    entry = await world.entry(alice, group, Remove((bob.account,)))
    dice, rng = random.Random(7), seeded("fuzz")
    for _ in range(100):
        body = bytearray(entry.body)
        for _ in range(dice.randrange(1, 4)):
            body[dice.randrange(len(body))] = rng(1)[0]
        if dice.random() < 0.2:
            body = body[: dice.randrange(len(body))]
        if bytes(body) == entry.body:
            continue
        changed = rest.Signed(body=bytes(body), sig=entry.sig)
        world.kit.clock.forward(5)
        refused = await http.post(path, content=_json(entry=changed), headers=_auth(alice))
        assert refused.status_code in (400, 403, 404, 409, 422), refused.text
    head = await world.groups.head(group)
    assert head is not None
    assert head.version == 1


def _json(**fields: rest.Signed) -> bytes:
    return msgspec.json.encode(fields)


def _auth(who: Registered) -> dict[str, str]:
    return {"authorization": f"Bearer {who.access}"}


def _read(answer: httpx.Response, type: type[T]) -> T:
    assert answer.is_success, answer.text
    return msgspec.json.decode(answer.content, type=type)


def _problem(answer: httpx.Response, code: str) -> rest.Problem:
    problem = msgspec.json.decode(answer.content, type=rest.Problem)
    assert (problem.code, problem.status) == (code, answer.status_code), problem
    assert problem.status == ERRORS[code].status
    return problem
