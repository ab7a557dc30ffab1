"""A real server in this process, and people who register with it through the real code flow."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from linnet.client import Client, Environment
from linnet.server.app import Server
from linnet.server.config import Config, Gateway


class Codes:
    """Keeps codes instead of sending them to phones."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}

    async def send(self, number: str, code: str, expires_in_s: int) -> None:
        self.sent[number] = code


@dataclass
class Town:
    """A directory for everybody's things, and one server at a time."""

    home: Path
    codes: Codes = field(default_factory=Codes)
    url: str = ""
    port: int = 0

    def server(self) -> Server:
        """A server over the same data each time, on the same port once it has one."""
        gateway = Gateway(drain_within_s=1)
        config = Config(data=self.home / "server", port=self.port, gateway=gateway)
        return Server(config, codes=self.codes)

    def settled(self, server: Server) -> None:
        """Remember where it listens."""
        self.url, self.port = server.url, server.port

    async def register(self, name: str, number: str, world: Environment | None = None) -> Client:
        async def code() -> str:
            return self.codes.sent[number]

        return await Client.register(
            self.url, self.home / name, number, code, name=name, world=world
        )

    async def open(self, name: str) -> Client:
        return await Client.open(self.home / name)


@pytest.fixture
async def town(tmp_path: Path) -> Town:
    """No server is running yet."""
    return Town(tmp_path)


@pytest.fixture
async def served(town: Town) -> AsyncIterator[Town]:
    """A town with its server running."""
    async with town.server() as server:
        town.settled(server)
        yield town
