"""Logs of groups for the contract suites: bodies are opaque to a store."""

from __future__ import annotations

from hashlib import sha256

from tests.backends.people import account, blob

from linnet.server.ports.groups import CitedList, LoggedEntry, Step
from linnet.server.ports.timeline import Roster, Seat

ANN, BEN, CAT = (account(number).id for number in range(3))


def step(
    version: int,
    prev: Step | None = None,
    *,
    group: int = 0,
    name: str = "entry",
    cites: int = 0,
    joined: tuple[bytes, ...] = (),
    left: tuple[bytes, ...] = (),
    size: int = 100,
) -> Step:
    """Entry `version` of group `group`, upon `prev`; it cites list `cites`."""
    body = blob(f"{name} of {group}", version, size)
    listed = blob("list", cites, 200)
    cited = CitedList(sha256(listed).digest(), listed, blob("sig of list", cites, 64))
    entry = LoggedEntry(version, sha256(body).digest(), body, blob("sig", version, 64), cited.hash)
    before = bytes(32) if prev is None else prev.entry.hash
    state = blob("state of " + name, version, 300)
    return Step(blob("group", group), entry, before, cited, state, joined, left)


def roster(number: int, group: int = 0, devices: tuple[int, ...] = (1,)) -> Roster:
    """A roster of Ann alone, with these devices."""
    seat = Seat(ANN, account(0).mailbox, len(devices), devices)
    return Roster(blob("group", group), number, number, blob("hash", number, 32), (seat,))
