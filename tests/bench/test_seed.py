"""linnet.bench.seed: accounts made beside the registration are accounts to a server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from linnet.bench import load, seed
from linnet.bench.load import LoadOptions
from linnet.server.backends.disk import secrets
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.tokens import MemoryTokens
from linnet.server.backends.sqlite.accounts import SqliteAccounts
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.devices import SqliteDevices
from linnet.server.config import Accounts
from linnet.server.services.tokens import TokenKeys, Tokens


def test_every_account_has_its_own_mailbox_and_a_token_the_server_takes(tmp_path: Path) -> None:
    logins = seed.seed(tmp_path, 700)
    keys = secrets.load(seed.secrets_file(tmp_path))
    now_ms = int(time.time() * 1000)
    tokens = Tokens(
        MemoryTokens(),
        MemoryDevices(),
        Accounts(),
        TokenKeys(keys.access, keys.refresh),
        lambda: now_ms,
    )
    told = [tokens.verify(login.token) for login in logins]
    assert [(one.account, one.device) for one in told] == [(login.account, 1) for login in logins]
    assert len({one.account for one in told}) == 700
    assert min(one.expires_ms for one in told) - now_ms > 3600 * 1000


async def test_accounts_are_in_the_servers_database_with_their_device_set(tmp_path: Path) -> None:
    accounts = [bytes([number]) * 16 for number in range(3)]
    await seed._seed(tmp_path, accounts)
    database = Database(seed.database_file(tmp_path))
    await database.open()
    try:
        found = [await SqliteAccounts(database).get(account) for account in accounts]
        changes = await SqliteDevices(database).changes(10)
    finally:
        await database.close()
    assert len({account.mailbox for account in found if account is not None}) == 3
    assert [(change.account, change.set, change.devices) for change in changes] == [
        (account, 1, (1,)) for account in accounts
    ]


@pytest.mark.slow
def test_a_short_load_on_a_real_server_loses_nothing() -> None:
    options = LoadOptions(pairs=80, in_flight=2, seconds=1.0, windows=2, warmup_s=0.2)
    made = load.run(options)
    assert (made.lost, made.error_kinds) == (0, {})
    assert made.connections == 160
    assert made.ratio_to_floor is not None
    assert made.server_cpu_us_per_message > 0
