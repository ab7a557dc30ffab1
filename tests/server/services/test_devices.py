"""Replacing device lists: signed by the account, one after the other, nobody's logins left over."""

from collections.abc import Awaitable

import pytest
from msgspec.structs import replace
from tests.server.kit import Kit, Person, Registered, person, register

from linnet.server.ports.devices import Device
from linnet.signing.device_list import (
    KIND_PHONE,
    ListedDevice,
    countersign,
    decode_list,
    encode_list,
    next_list,
)
from linnet.signing.objects import SignedObject, sign_object
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import Signed


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_a_list_signed_again_is_stored_without_a_new_set(kit: Kit) -> None:
    alice = await register(kit)
    signed = await _signed_again(kit, alice)
    accepted = await kit.services.devices.replace(alice.identity(kit), signed)
    assert (accepted.version, accepted.set) == (2, 1)
    assert (await kit.services.devices.newest(alice.account)).list == signed
    assert len(await kit.devices.changes(10)) == 1


async def test_the_identical_list_again_is_the_same_answer(kit: Kit) -> None:
    alice = await register(kit)
    signed = await _signed_again(kit, alice)
    first = await kit.services.devices.replace(alice.identity(kit), signed)
    assert await kit.services.devices.replace(alice.identity(kit), signed) == first


async def test_of_two_lists_upon_one_the_second_is_a_conflict(kit: Kit) -> None:
    alice = await register(kit)
    mine = await _signed_again(kit, alice)
    kit.clock.forward(1)
    theirs = await _signed_again(kit, alice)
    await kit.services.devices.replace(alice.identity(kit), mine)
    await _refused(kit.services.devices.replace(alice.identity(kit), theirs), "conflict")


async def test_an_older_list_is_a_conflict(kit: Kit) -> None:
    alice = await register(kit)
    first = (await kit.services.devices.newest(alice.account)).list
    await kit.services.devices.replace(alice.identity(kit), await _signed_again(kit, alice))
    await _refused(kit.services.devices.replace(alice.identity(kit), first), "conflict")


async def test_a_list_may_skip_versions_that_a_restored_store_forgot(kit: Kit) -> None:
    alice = await register(kit)
    second = await _signed_again(kit, alice)
    third = _after(kit, alice.who, second)
    accepted = await kit.services.devices.replace(alice.identity(kit), third)
    assert accepted.version == 3
    await _refused(kit.services.devices.replace(alice.identity(kit), second), "conflict")


async def test_a_list_that_skips_versions_keeps_the_other_rules(kit: Kit) -> None:
    alice = await register(kit)
    await _linked_behind_the_services(kit, alice, person("phone"))
    held = (await kit.services.devices.newest(alice.account)).list
    other = [decode_list(held.body).devices[0], _listed(alice, person("other"), 2)]
    skipping = replace(decode_list(held.body), version=9, set=9, devices=tuple(other))
    signed = sign_object(
        "device-list", alice.who.account_key.private, encode_list(skipping), alice.who.rng
    )
    await _refused(
        kit.services.devices.replace(alice.identity(kit), Signed(body=signed.body, sig=signed.sig)),
        "list_rejected",
    )


async def test_a_list_by_another_account_key_is_refused(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", "+4915112345679")
    bobs = await _signed_again(kit, bob)
    await _refused(kit.services.devices.replace(alice.identity(kit), bobs), "list_rejected")
    forged = await _signed_again(kit, alice)
    forged.sig = bytes(64)
    await _refused(kit.services.devices.replace(alice.identity(kit), forged), "bad_signature")


async def test_a_new_device_does_not_come_this_way(kit: Kit) -> None:
    alice = await register(kit)
    held = (await kit.services.devices.newest(alice.account)).list
    devices = [*decode_list(held.body).devices, _listed(alice, person("phone"), 2)]
    signed = _next(kit, alice.who, held, devices)
    await _refused(kit.services.devices.replace(alice.identity(kit), signed), "list_rejected")


async def test_a_device_left_out_loses_its_logins_and_keys(kit: Kit) -> None:
    alice = await register(kit)
    phone = person("phone")
    signed = await _linked_behind_the_services(kit, alice, phone)
    login = await kit.services.tokens.begin(alice.account, 2, b"seed" * 8)
    await kit.keys.put(alice.account, 2, phone.upload(one_time=3), 100)
    alone = _next(kit, alice.who, signed, decode_list(signed.body).devices[:1])
    accepted = await kit.services.devices.replace(alice.identity(kit), alone)
    assert accepted.set == 3
    assert kit.revoked == [(alice.account, 2)]
    with pytest.raises(RequestRefused):
        kit.services.tokens.verify(login.access)
    request = phone.refresh(alice.account, login.refresh, bytes(16))
    request.device = 2
    await _refused(kit.services.tokens.refresh(request), "revoked")
    await _refused(kit.services.keys.take(alice.identity(kit), alice.account, 2), "not_found")
    assert (await kit.keys.count(alice.account, 2)).one_time == 0
    kit.services.tokens.verify(alice.access)


async def test_delivery_is_told_before_the_answer(kit: Kit) -> None:
    alice = await register(kit)
    told = kit.told
    await kit.services.devices.replace(alice.identity(kit), await _signed_again(kit, alice))
    assert kit.told == told + 1


async def test_an_unknown_account_has_no_list(kit: Kit) -> None:
    await _refused(kit.services.devices.newest(bytes(16)), "not_found")


async def _signed_again(kit: Kit, whose: Registered) -> Signed:
    return _after(kit, whose.who, (await kit.services.devices.newest(whose.account)).list)


def _after(kit: Kit, who: Person, held: Signed) -> Signed:
    return _next(kit, who, held, decode_list(held.body).devices)


def _next(
    kit: Kit, who: Person, held: Signed, devices: tuple[ListedDevice, ...] | list[ListedDevice]
) -> Signed:
    signed = next_list(
        SignedObject(held.body, held.sig), who.account_key, devices, kit.clock() // 1000, who.rng
    )
    return Signed(body=signed.body, sig=signed.sig)


def _listed(whose: Registered, device: Person, id: int) -> ListedDevice:
    key, added = device.device_key, 1_800_000_000
    signature = countersign(key, whose.account, whose.who.account_key.public, id, added, device.rng)
    return ListedDevice(id, key.public, b"", added, KIND_PHONE, signature)


async def _linked_behind_the_services(kit: Kit, whose: Registered, device: Person) -> Signed:
    held = (await kit.services.devices.newest(whose.account)).list
    devices = [*decode_list(held.body).devices, _listed(whose, device, 2)]
    signed = _next(kit, whose.who, held, devices)
    kit.devices.link(
        whose.account,
        signed,
        Device(whose.account, 2, device.device_key.public, 1),
    )
    return signed


async def _refused(attempt: Awaitable[object], code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await attempt
    assert refused.value.code == code


async def test_lists_of_several_accounts_come_at_once(kit: Kit) -> None:
    ada, ben = await register(kit, "ada"), await register(kit, "ben", "+15550100002")
    answer = await kit.services.devices.newest_of([ada.account, b"?" * 16, ben.account])
    assert {decode_list(it.body).account for it in answer.lists} == {ada.account, ben.account}
