"""Seed: a data directory with accounts that may talk at once, made before its server starts.

Through the server's own ports, not its registration: that costs a code, a list and keys for each
account, which is not what a load measures. The accounts have one device and no keys, no phone
number and no real list; nobody could decrypt for them. Access tokens are the server's own.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from linnet.bench.job import Login
from linnet.server.backends.disk import secrets
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.tokens import MemoryTokens
from linnet.server.backends.sqlite.accounts import SqliteAccounts, _register
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.timeline import SqliteTimeline
from linnet.server.config import Accounts as Limits
from linnet.server.ports.accounts import Account, FirstDevice
from linnet.server.ports.timeline import Batch, Gathering, Member, Roster, Seat
from linnet.server.services.tokens import TokenKeys, Tokens

TOKENS_LIVE_S = 6 * 3600
"""Longer than any benchmark, so that none has to renew."""
_BATCH = 1000
"""Accounts a transaction: one each would take a minute of a busy disk."""


def seed(data: Path, count: int) -> list[Login]:
    """Make `count` accounts in the data directory and log them in. Raises the ports' errors."""
    return asyncio.run(_seed(data, [os.urandom(16) for _ in range(count)]))


async def _seed(data: Path, accounts: Sequence[bytes]) -> list[Login]:
    keys = secrets.load(secrets_file(data))
    database = Database(database_file(data))
    await database.open()
    try:
        for start in range(0, len(accounts), _BATCH):
            await database.write(_registering(accounts[start : start + _BATCH]))
    finally:
        await database.close()
    return await _log_in(accounts, TokenKeys(keys.access, keys.refresh))


def seed_group(data: Path, logins: Sequence[Login]) -> bytes:
    """Make one group of these accounts, as delivery would know it; its id. No log: who is in it
    is all that a fan-out asks. Raises the ports' errors."""
    return asyncio.run(_seed_group(data, logins))


async def _seed_group(data: Path, logins: Sequence[Login]) -> bytes:
    group = os.urandom(16)
    database = Database(database_file(data))
    await database.open()
    try:
        accounts, seats, members = SqliteAccounts(database), [], {}
        for login in logins:
            account = await accounts.get(login.account)
            assert account is not None
            seats.append(Seat(login.account, account.mailbox, 1, (1,)))
            members[login.account] = Member(1, {1: 1}, ((1, 0),))
        timeline = SqliteTimeline(database)
        await timeline.open(0)
        roster = Roster(group, 1, 1, bytes(32), tuple(seats))
        await timeline.commit(Batch(gatherings=[Gathering(roster, members)], clock_ms=_now_ms()))
        await timeline.close()
    finally:
        await database.close()
    return group


def secrets_file(data: Path) -> Path:
    """Where a server of this directory looks for its secrets."""
    return data / "secrets"


def database_file(data: Path) -> Path:
    """Where a server of this directory keeps its accounts."""
    return data / "linnet.db"


def _registering(accounts: Sequence[bytes]) -> Callable[[apsw.Connection], None]:
    """What port `accounts` does to register one, for all of them in one transaction."""

    def job(connection: apsw.Connection) -> None:
        for account in accounts:
            _register(connection, _account(account), _FIRST)

    return job


def _account(id: bytes) -> Account:
    return Account(id, os.urandom(16), bytes(33), None, b"\0", _now_ms())


_FIRST = FirstDevice(1, bytes(33), 1, b"\0", bytes(64), 1, 1)


async def _log_in(accounts: Sequence[bytes], keys: TokenKeys) -> list[Login]:
    """Access tokens alone: refresh tokens are kept in memory and forgotten, one store an account
    because that store looks through all it has."""
    limits, logins = Limits(access_life_s=TOKENS_LIVE_S), []
    for account in accounts:
        tokens = Tokens(MemoryTokens(), MemoryDevices(), limits, keys, _now_ms)
        logins.append(Login(account, (await tokens.begin(account, 1, account)).access))
    return logins


def _now_ms() -> int:
    return int(time.time() * 1000)
