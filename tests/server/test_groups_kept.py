"""A whole server with groups: what is on its disk outlives it, and what was left is carried."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import httpx
import msgspec
from tests.server.kit import NUMBER, Codes, Person, person

from linnet.server.app import Server
from linnet.server.config import Config
from linnet.signing.group_changes import Create
from linnet.signing.group_entry import first_entry, sign_entry
from linnet.signing.objects import SignedObject
from linnet.wire import ids, rest


async def test_a_group_outlives_its_server(tmp_path: Path) -> None:
    alice = person()
    async with serving(tmp_path) as (http, codes):
        login = await register(http, codes, alice)
        genesis = await first(http, alice, login)
        body = msgspec.json.encode({"genesis": genesis})
        made = await http.post("/v1/groups", content=body, headers=auth(login))
        assert made.status_code == 201, made.text
        head = msgspec.json.decode(made.content, type=rest.GroupHead)
    path = f"/v1/groups/{ids.show(head.group)}"
    async with serving(tmp_path) as (http, _):
        told = await http.get(f"{path}/members", headers=auth(login))
        roster = msgspec.json.decode(told.content, type=rest.Roster)
        assert roster.head == head
        assert [member.account for member in roster.members] == [login.account]
        told = await http.get(f"{path}/log", headers=auth(login))
        log = msgspec.json.decode(told.content, type=rest.GroupLog)
        assert [entry.body for entry in log.entries] == [genesis.body]
        told = await http.get(f"{path}/messages?from=1&to=5", headers=auth(login))
        assert told.json() == {"rows": [], "not_entitled": [], "expired": []}


async def test_what_a_crash_left_is_carried_at_the_start(tmp_path: Path) -> None:
    alice = person()
    async with serving(tmp_path) as (http, codes):
        login = await register(http, codes, alice)
        body = msgspec.json.encode({"genesis": await first(http, alice, login)})
        await http.post("/v1/groups", content=body, headers=auth(login))
    left_by_a_crash(tmp_path)
    assert settled(tmp_path) == (1, 0)
    async with serving(tmp_path):
        pass
    assert settled(tmp_path) == (0, 1)


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Codes]]:
    """A client of a server on a data directory, and the codes it sends."""
    codes = Codes()
    async with (
        Server(Config(data=data, port=0), codes) as server,
        httpx.AsyncClient(base_url=server.url, timeout=10) as http,
    ):
        yield http, codes


async def register(http: httpx.AsyncClient, codes: Codes, who: Person) -> rest.Login:
    answer = await http.post("/v1/registrations", json={"number": NUMBER})
    started = msgspec.json.decode(answer.content, type=rest.RegistrationStarted)
    path = f"/v1/registrations/{ids.show(started.registration)}"
    answer = await http.post(f"{path}/code", json={"code": codes.last})
    proven = msgspec.json.decode(answer.content, type=rest.CodeAccepted)
    request = who.finish(proven.account, proven.ticket, proven.server_time * 1000)
    answer = await http.post(f"{path}/account", content=msgspec.json.encode(request))
    return msgspec.json.decode(answer.content, type=rest.Login)


async def first(http: httpx.AsyncClient, who: Person, login: rest.Login) -> rest.Signed:
    """A first entry by somebody, alone."""
    path = f"/v1/accounts/{ids.show(login.account)}/devices"
    answer = await http.get(path, headers=auth(login))
    listed = msgspec.json.decode(answer.content, type=rest.DeviceListAnswer).list
    cited = SignedObject(listed.body, listed.sig).hash
    create = Create(bytes(32), who.account_key.public)
    entry = first_entry(create, login.account, login.device, cited)
    obj = sign_entry(entry, who.device_key.private, who.rng)
    return rest.Signed(body=obj.body, sig=obj.sig)


def auth(login: rest.Login) -> dict[str, str]:
    return {"authorization": f"Bearer {login.access}"}


def left_by_a_crash(data: Path) -> None:
    """Put the store back to the moment after the entry was committed."""
    connection = apsw.Connection(str(data / "linnet.db"))
    connection.execute(
        "DELETE FROM group_rosters; INSERT INTO group_marks (of) SELECT id FROM group_heads"
    )
    connection.close()


def settled(data: Path) -> tuple[int, int]:
    """Marks, and rosters that delivery has decided."""
    connection = apsw.Connection(str(data / "linnet.db"), flags=apsw.SQLITE_OPEN_READONLY)
    marks: int = connection.execute("SELECT count(*) FROM group_marks").get
    rosters: int = connection.execute(
        "SELECT count(*) FROM group_rosters WHERE decided = number"
    ).get
    connection.close()
    return marks, rosters
