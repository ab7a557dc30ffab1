"""One libsignal process a version for all tests. Without Node they fail, unless ALLOW_MISSING=1."""

import os
from collections.abc import Iterator

import pytest
from tests.referee.libsignal import VERSIONS, Libsignal, Missing


@pytest.fixture(scope="session", params=VERSIONS)
def libsignal(request: pytest.FixtureRequest) -> Iterator[Libsignal]:
    try:
        with Libsignal(request.param) as process:
            yield process
    except Missing as reason:
        if os.environ.get("ALLOW_MISSING") == "1":
            pytest.skip(str(reason))
        pytest.fail(str(reason))
