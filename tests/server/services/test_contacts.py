"""Finding accounts by number, within limits."""

import pytest
from tests.server.kit import NUMBER, Kit, register

from linnet.wire.errors import RequestRefused
from linnet.wire.rest import ContactMatch, ContactMatches


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_only_numbers_with_accounts_are_answered(kit: Kit) -> None:
    alice = await register(kit)
    asked = ["+4915112345699", NUMBER, "nonsense", "0151 12345678"]
    found = await kit.services.contacts.lookup(alice.identity(kit), asked)
    assert found == ContactMatches(matches=[ContactMatch(number=NUMBER, account=alice.account)])


async def test_a_number_asked_twice_is_answered_once(kit: Kit) -> None:
    alice = await register(kit)
    found = await kit.services.contacts.lookup(alice.identity(kit), [NUMBER, NUMBER])
    assert len(found.matches) == 1


async def test_lookups_are_limited_by_numbers_asked_for(kit: Kit) -> None:
    alice = await register(kit)
    for _ in range(2):
        await kit.services.contacts.lookup(alice.identity(kit), ["nonsense"] * 100)
    with pytest.raises(RequestRefused) as refused:
        await kit.services.contacts.lookup(alice.identity(kit), [NUMBER])
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 7)
