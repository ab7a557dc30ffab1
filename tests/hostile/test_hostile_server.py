"""The SDK against a server that lies, one lie at a time (docs/security/threat-model.md)."""

import pytest
from tests.hostile.cases import Case
from tests.hostile.every_case import EVERY_CASE
from tests.hostile.stage import Stage

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", EVERY_CASE, ids=lambda case: case.name)
async def test_the_client_against_a_server_that_lies(case: Case, stage: Stage) -> None:
    await case.play(stage)
