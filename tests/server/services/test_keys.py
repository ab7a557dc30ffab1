"""Publishing and taking keys: only correctly signed ones, only so many, only of listed devices."""

import asyncio
from collections.abc import Awaitable

import pytest
from nacl.bindings import crypto_scalarmult
from nacl.exceptions import CryptoError
from tests.server.kit import Kit, person, register

from linnet.server.services.keys import SMALL_ORDER, check_keys
from linnet.signing import xeddsa
from linnet.signing.edwards import P
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import KeyCount, KeyUpload, OneTimeKey, SignedKey

BOB = "+4915112345679"


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_uploaded_keys_are_counted_and_taken(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", BOB)
    upload = alice.who.upload(one_time=5, kem=3, first_id=100)
    count = await kit.services.keys.upload(alice.identity(kit), upload)
    assert count == KeyCount(one_time=7, kem=4)
    bundle = await kit.services.keys.take(bob.identity(kit), alice.account, 1)
    assert (bundle.identity, bundle.registration_id) == (alice.who.device_key.public, 4711)
    assert bundle.signed == upload.signed
    assert bundle.one_time is not None
    assert not bundle.kem_last_resort
    assert await kit.services.keys.count(alice.identity(kit)) == KeyCount(one_time=6, kem=3)


async def test_an_upload_repeated_is_one(kit: Kit) -> None:
    alice = await register(kit)
    upload = alice.who.upload(one_time=5, kem=3, first_id=100)
    for _ in range(2):
        count = await kit.services.keys.upload(alice.identity(kit), upload)
    assert count == KeyCount(one_time=7, kem=4)


async def test_keys_not_signed_by_the_device_are_refused_whole(kit: Kit) -> None:
    alice = await register(kit)
    upload = person("mallory").upload(one_time=5, kem=3, first_id=100)
    await _refused(kit.services.keys.upload(alice.identity(kit), upload), "bad_signature")
    assert await kit.services.keys.count(alice.identity(kit)) == KeyCount(one_time=2, kem=1)


@pytest.mark.parametrize("u", [*sorted(SMALL_ORDER), P, P + 9, 2**255 + 9])
@pytest.mark.parametrize("field", ["signed", "one_time"])
async def test_a_key_that_nobody_would_agree_with_is_refused(kit: Kit, u: int, field: str) -> None:
    alice = await register(kit)
    upload = alice.who.upload(first_id=100)
    key = b"\x05" + u.to_bytes(32, "little")
    if field == "one_time":
        upload.one_time = [OneTimeKey(id=100, key=key)]
    else:
        sig = xeddsa.sign(alice.who.device_key.private, key, alice.who.rng)
        upload.signed = SignedKey(id=100, key=key, sig=sig)
    await _refused(kit.services.keys.upload(alice.identity(kit), upload), "malformed")


@pytest.mark.parametrize("u", sorted(SMALL_ORDER))
def test_an_agreement_with_a_key_of_small_order_gives_nothing(u: int) -> None:
    with pytest.raises(CryptoError):
        crypto_scalarmult(person().device_key.private, u.to_bytes(32, "little"))


@pytest.mark.parametrize("u", [*sorted(SMALL_ORDER), P + 9])
async def test_a_device_key_of_small_order_signs_nothing(kit: Kit, u: int) -> None:
    """R of the same order and s = 0: what a verifier without the group check would let pass."""
    alice = await register(kit)
    upload = alice.who.upload(first_id=100)
    assert upload.signed is not None
    upload.signed.sig = b"\x01" + bytes(63)
    with pytest.raises(RequestRefused) as refused:
        await check_keys(b"\x05" + u.to_bytes(32, "little"), upload)
    assert refused.value.code == "bad_signature"


async def test_checking_a_large_upload_lets_others_work(kit: Kit) -> None:
    alice = await register(kit)
    upload = alice.who.upload(kem=20, first_id=100)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while turns < 1000:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(other())
        await kit.services.keys.upload(alice.identity(kit), upload)
        assert turns >= 5


async def test_when_all_are_taken_the_last_resort_is_given(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", BOB)
    bundles = [await kit.services.keys.take(bob.identity(kit), alice.account, 1) for _ in range(3)]
    assert [bundle.kem_last_resort for bundle in bundles] == [False, True, True]
    assert [bundle.one_time is None for bundle in bundles] == [False, False, True]


async def test_nobody_empties_a_device(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", BOB)
    eve = await register(kit, "eve", "+4915112345680")
    for _ in range(20):
        await kit.services.keys.take(bob.identity(kit), alice.account, 1)
    with pytest.raises(RequestRefused) as refused:
        await kit.services.keys.take(bob.identity(kit), alice.account, 1)
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 601)
    await kit.services.keys.take(eve.identity(kit), alice.account, 1)
    await kit.services.keys.take(bob.identity(kit), eve.account, 1)


async def test_takes_have_a_limit_of_their_own(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", "+15550100002")
    limit = kit.key_limits.all_takes
    await kit.rates.take(f"takes:{bob.account.hex()}", limit, kit.clock(), limit.burst)
    with pytest.raises(RequestRefused) as refused:
        await kit.services.keys.take(bob.identity(kit), alice.account, 1)
    assert refused.value.code == "rate_limited"
    kit.clock.forward(1)
    await kit.services.keys.take(bob.identity(kit), alice.account, 1)


async def test_uploads_have_a_limit_of_their_own(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", BOB)
    for _ in range(20):
        await kit.services.keys.upload(alice.identity(kit), KeyUpload())
    with pytest.raises(RequestRefused) as refused:
        await kit.services.keys.upload(alice.identity(kit), KeyUpload())
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 31)
    await kit.services.keys.upload(bob.identity(kit), KeyUpload())
    kit.clock.forward(30)
    await kit.services.keys.upload(alice.identity(kit), KeyUpload())


async def test_a_device_nobody_listed_is_not_found(kit: Kit) -> None:
    alice = await register(kit)
    await _refused(kit.services.keys.take(alice.identity(kit), alice.account, 2), "not_found")
    await _refused(kit.services.keys.take(alice.identity(kit), bytes(16), 1), "not_found")


async def test_a_listed_device_without_keys_is_told_apart(kit: Kit) -> None:
    alice = await register(kit)
    await kit.keys.drop(alice.account, 1)
    await _refused(kit.services.keys.take(alice.identity(kit), alice.account, 1), "no_keys")


async def test_an_empty_upload_changes_nothing(kit: Kit) -> None:
    alice = await register(kit)
    count = await kit.services.keys.upload(alice.identity(kit), KeyUpload())
    assert count == KeyCount(one_time=2, kem=1)


async def _refused(attempt: Awaitable[object], code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await attempt
    assert refused.value.code == code
