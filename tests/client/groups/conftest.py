"""A choir for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.client.groups.choir import Choir


@pytest.fixture
async def choir(tmp_path: Path) -> AsyncIterator[Choir]:
    made = Choir(tmp_path)
    yield made
    await made.close()
