"""A town whose stores are closed after each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.client.town import Town


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    yield town
    await town.close()
