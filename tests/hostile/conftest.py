"""The people of all cases, registered once a process; a stage for each case."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.hostile.stage import Stage, opened, register_all


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories of a server and its people, nobody of whom ever spoke."""
    home = tmp_path_factory.mktemp("registered")
    with asyncio.Runner() as runner:
        runner.run(register_all(home))
    return home


@pytest.fixture
async def stage(
    registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """A server with Alice and Bob online."""
    async with opened(registered, tmp_path, monkeypatch) as stage:
        yield stage
