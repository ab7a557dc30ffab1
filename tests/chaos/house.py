"""House: a data directory and the server process over it, which can be killed and started again.

The server is a real one in a process of its own. Only processes started here are ever signalled.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import apsw
from tests.chaos.people import Owner

from linnet.bench.seed import database_file, secrets_file
from linnet.server.backends.disk import secrets
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.tokens import MemoryTokens
from linnet.server.backends.sqlite.accounts import _register
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.devices import SqliteDevices
from linnet.server.config import Accounts
from linnet.server.ports.accounts import Account, FirstDevice
from linnet.server.ports.devices import StoredList
from linnet.server.services.clock import Clock
from linnet.server.services.tokens import TokenKeys, Tokens
from linnet.signing.list_format import decode_list
from linnet.signing.objects import SignedObject

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 20
CODE_WITHIN_S = 10
TOKENS_LIVE_S = 100 * 24 * 3600


class House:
    """Where the server lives: `linnet serve`, or a KIND of `tight_server`."""

    def __init__(self, place: Path, kind: str = "shipped") -> None:
        self.data = place / "server"
        self.log = place / "server.log"
        self.codes = place / "codes"
        self.url = ""
        self.port = 0
        self._kind = kind
        self._process: asyncio.subprocess.Process | None = None

    # ---- the process

    async def launch(self, *more: str) -> None:
        """Start the process, with `more` on its command line; it does not answer yet."""
        assert self._process is None
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                *more,
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )

    async def answers(self) -> None:
        """Return once the launched process listens; on the same port each time."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(STARTS_WITHIN_S):
            line = await self._process.stdout.readline()
        assert line, f"the server ended: {self.log.read_text(errors='replace')[-2000:]}"
        said = json.loads(line)
        self.url, self.port = said["url"], said["port"]

    async def open(self, *more: str) -> None:
        """Start the server and return once it listens."""
        await self.launch(*more)
        await self.answers()

    async def kill(self) -> None:
        """End it with SIGKILL, this moment. The directory's lock is free on return."""
        process, self._process = self._process, None
        assert process is not None
        assert process.returncode is None, f"it had ended by itself with {process.returncode}"
        process.kill()
        await process.wait()

    def fill_disk(self) -> None:
        """From now on no file of the server can grow: what it writes fails as on a full disk."""
        log = database_file(self.data).with_name("linnet.db-wal")
        self._limit_files(log.stat().st_size)

    def make_room(self) -> None:
        """Files can grow again."""
        self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, size: int) -> None:
        assert self._process is not None
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def leap(self, seconds: float) -> None:
        """Set the wall clock of a `leaping` server so far ahead of the right time."""
        assert self._process is not None
        self.data.with_name("leap").write_text(str(seconds))
        self._process.send_signal(signal.SIGUSR1)

    async def close(self) -> None:
        """End it with SIGTERM, if it runs; asserts that it ends in time and without an error."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        assert process.returncode == 0, self.log.read_text(errors="replace")[-2000:]

    def _command(self) -> list[str]:
        places = [str(self.data), str(self.port), str(self.codes)]
        if self._kind != "shipped":
            return [sys.executable, "-m", "tests.chaos.tight_server", self._kind, *places]
        command = [sys.executable, "-m", "linnet.cli", "serve", "--json", "--until-eof"]
        for option, value in zip(("--data", "--port", "--codes-file"), places, strict=True):
            command += [option, value]
        return command

    # ---- the directory, while no server has it

    async def settle(self, owners: Sequence[Owner]) -> None:
        """Make these accounts, with their first devices."""
        secrets.load(secrets_file(self.data), os.urandom)  # a server makes none beside a database
        database = Database(database_file(self.data))
        await database.open()
        try:
            await database.write(lambda connection: _settle(connection, owners))
        finally:
            await database.close()

    async def link(self, owner: Owner) -> tuple[SignedObject, int]:
        """Put another device on an account's list, as linking would; the list, and the device."""
        signed, device, _ = owner.more()
        new = decode_list(signed.body)
        stored = StoredList(signed.body, signed.sig, new.version, new.set)
        database = Database(database_file(self.data))
        await database.open()
        try:
            held = SqliteDevices(database)
            before, devices = owner.listed.version, sorted(new.device_keys())
            assert await held.replace(owner.account, before, stored, devices)
        finally:
            await database.close()
        return signed, device

    async def token(self, account: bytes, device: int) -> str:
        """An access token that outlives the test, also on a clock that is wrong."""
        keys = secrets.load(secrets_file(self.data), os.urandom)
        limits = Accounts(access_life_s=TOKENS_LIVE_S)
        token_keys = TokenKeys(keys.access, keys.refresh)
        now_ms = Clock().wall_ms
        tokens = Tokens(MemoryTokens(), MemoryDevices(), limits, token_keys, now_ms)
        return (await tokens.begin(account, device, os.urandom(16))).access

    def back_up(self) -> None:
        """Keep a copy of the database as it is on disk."""
        for file in self._database_files():
            shutil.copy(file, file.with_suffix(f"{file.suffix}.backup"))

    def restore(self) -> None:
        """Put the copy in place of the database, as an operator would; nothing else goes back."""
        for file in self._database_files():
            file.unlink()
        for file in self.data.glob("linnet.db*.backup"):
            file.rename(file.with_suffix(""))

    def _database_files(self) -> list[Path]:
        return [it for it in self.data.glob("linnet.db*") if it.suffix != ".backup"]

    def integrity(self) -> list[str]:
        """What SQLite says of the whole file; ["ok"] if it is sound."""
        connection = apsw.Connection(str(database_file(self.data)))
        try:
            return [str(word) for (word,) in connection.execute("PRAGMA integrity_check")]
        finally:
            connection.close()

    # ---- registering people

    async def code(self, number: str) -> str:
        """The last code that was sent to a phone number."""
        async with asyncio.timeout(CODE_WITHIN_S):
            while not (found := await asyncio.to_thread(self._codes_for, number)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found[-1]

    def _codes_for(self, number: str) -> list[str]:
        if not self.codes.exists():
            return []
        lines = [line.split() for line in self.codes.read_text(encoding="ascii").splitlines()]
        return [line[2] for line in lines if line[1:2] == [number]]


def _settle(connection: apsw.Connection, owners: Sequence[Owner]) -> None:
    for owner in owners:
        id, key, first = owner.account, owner.key.public, owner.list
        hash = hashlib.sha256(owner.delivery_key).digest()
        now_ms = Clock().wall_ms()
        account = Account(id, os.urandom(16), key, None, b"\0", now_ms, hash)
        listed = FirstDevice(1, owner.identities()[1], 1, first.body, first.sig, 1, 1)
        _register(connection, account, listed)
