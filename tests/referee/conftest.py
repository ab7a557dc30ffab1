"""One libsignal process for all tests. Without Node they fail, unless ALLOW_MISSING=1."""

import os
from collections.abc import Iterator

import pytest
from tests.referee.libsignal import Libsignal, Missing


@pytest.fixture(scope="session")
def libsignal() -> Iterator[Libsignal]:
    try:
        with Libsignal() as process:
            yield process
    except Missing as reason:
        if os.environ.get("ALLOW_MISSING") == "1":
            pytest.skip(str(reason))
        pytest.fail(str(reason))
