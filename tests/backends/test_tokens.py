"""Contract of port `tokens`."""

import asyncio

import msgspec
from tests.backends.conftest import Stores
from tests.backends.people import blob

from linnet.server.ports.tokens import Family


async def test_a_family_is_kept_as_it_was(stores: Stores) -> None:
    await stores.tokens.start(_family(1))
    assert await stores.tokens.get(_family(1).id) == _family(1)
    assert await stores.tokens.get(_family(2).id) is None


async def test_starting_twice_changes_nothing(stores: Stores) -> None:
    await stores.tokens.start(_family(1))
    rotated = _rotated(_family(1), b"next")
    await stores.tokens.rotate(_family(1).id, _family(1).current, rotated)
    await stores.tokens.start(_family(1))
    assert await stores.tokens.get(_family(1).id) == rotated


async def test_a_new_login_revokes_the_others_of_its_device_only(stores: Stores) -> None:
    other_device = msgspec.structs.replace(_family(3), device=2)
    other_account = msgspec.structs.replace(_family(4), account=blob("account", 9))
    for family in (_family(1), other_device, other_account, _family(2)):
        await stores.tokens.start(family)
    assert await _revoked(stores, 1, 2, 3, 4) == [True, False, False, False]


async def test_a_rotation_needs_the_expected_current_hash(stores: Stores) -> None:
    await stores.tokens.start(_family(1))
    rotated = _rotated(_family(1), b"next")
    assert not await stores.tokens.rotate(_family(1).id, b"other", rotated)
    assert await stores.tokens.get(_family(1).id) == _family(1)
    assert await stores.tokens.rotate(_family(1).id, _family(1).current, rotated)
    assert await stores.tokens.get(_family(1).id) == rotated


async def test_of_two_rotations_at_once_one_wins(stores: Stores) -> None:
    await stores.tokens.start(_family(1))
    family = _family(1)
    answers = await asyncio.gather(
        *(
            stores.tokens.rotate(family.id, family.current, _rotated(family, bytes([number])))
            for number in range(4)
        )
    )
    assert sum(answers) == 1


async def test_a_revoked_family_does_not_rotate(stores: Stores) -> None:
    await stores.tokens.start(_family(1))
    await stores.tokens.revoke(_family(1).id)
    family = _family(1)
    assert not await stores.tokens.rotate(family.id, family.current, _rotated(family, b"next"))
    assert await _revoked(stores, 1) == [True]


async def test_an_unknown_family_neither_rotates_nor_minds(stores: Stores) -> None:
    family = _family(1)
    assert not await stores.tokens.rotate(family.id, family.current, family)
    await stores.tokens.revoke(family.id)
    await stores.tokens.revoke_device(family.account, family.device)
    assert await stores.tokens.get(family.id) is None


async def test_a_device_is_logged_out_everywhere(stores: Stores) -> None:
    other = msgspec.structs.replace(_family(2), device=2)
    for family in (_family(1), other):
        await stores.tokens.start(family)
    await stores.tokens.revoke_device(_family(1).account, 1)
    assert await _revoked(stores, 1, 2) == [True, False]


async def test_expired_families_are_forgotten(stores: Stores) -> None:
    for number in (1, 2):
        await stores.tokens.start(msgspec.structs.replace(_family(number), device=number))
    assert await stores.tokens.forget(before_ms=5002) == 1
    assert await stores.tokens.get(_family(1).id) is None
    assert await stores.tokens.get(_family(2).id) is not None


async def _revoked(stores: Stores, *numbers: int) -> list[bool]:
    families = [await stores.tokens.get(_family(number).id) for number in numbers]
    return [family.revoked for family in families if family]


def _family(number: int) -> Family:
    return Family(
        id=blob("family", number),
        account=blob("account", 1),
        device=1,
        current=blob("current", number, 32),
        expires_ms=5000 + number,
    )


def _rotated(family: Family, current: bytes) -> Family:
    return msgspec.structs.replace(
        family,
        current=current,
        previous=family.current,
        request=b"request",
        rotated_ms=3000,
        expires_ms=9000,
    )
