"""Sealed requests: what a delivery key allows, and that it tells nothing to who has none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from hashlib import sha256

import pytest
from msgspec.structs import replace
from tests.server.kit import HOST, Kit, Registered, person, register
from tests.server.services.delivery.records import fresh_id

from linnet.server.ports.devices import StoredList
from linnet.server.ports.timeline import Entry
from linnet.server.services import sealed as sealed_module
from linnet.server.services.certificates import issuer
from linnet.signing.certificates import CertificateRejected, verify_sender_certificate
from linnet.signing.device_list import decode_list
from linnet.wire.errors import RequestRefused
from linnet.wire.frames import CONTROL, FULL
from linnet.wire.rest import DeliveryKeyHash, SealedPart, SealedSend

KEY, OTHER = b"k" * 16, b"o" * 16


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    kit = Kit()
    await kit.delivery.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kit.delivery.run())
        yield kit
        kit.delivery.stop()


@pytest.fixture
async def alice(kit: Kit) -> Registered:
    """Somebody who may be written to with KEY."""
    alice = await register(kit)
    await kit.carry()
    await kit.services.sealed.set_key(alice.identity(kit), _hashed(KEY))
    return alice


async def test_who_holds_the_key_sends_and_fetches(kit: Kit, alice: Registered) -> None:
    service = kit.services.sealed
    listed = await service.list(alice.account, KEY, HOST)
    assert set(decode_list(listed.list.body).device_keys()) == {1}
    bundle = await service.take(alice.account, 1, KEY, HOST)
    assert bundle.identity == alice.who.device_key.public
    sent = await service.send(alice.account, KEY, HOST, _message(kit, 1))
    assert sent.server_timestamp == kit.clock()
    kit.clock.forward(60)
    assert await service.send(alice.account, KEY, HOST, _message(kit, 1, at_s=-60)) == sent
    assert len(await _rows(kit, alice)) == 1


async def test_without_the_key_nothing_is_told_apart(kit: Kit, alice: Registered) -> None:
    keyless = await register(kit, "bob", "+4915112345679")
    service = kit.services.sealed
    for account, key in (
        (alice.account, OTHER),
        (alice.account, b""),
        (alice.account, KEY[:15]),
        (alice.account, KEY + b"k"),
        (alice.account, sha256(KEY).digest()),
        (keyless.account, KEY),
        (keyless.account, bytes(16)),
        (bytes(16), KEY),
    ):
        texts = set()
        for attempt in (
            service.list(account, key, HOST),
            service.take(account, 1, key, HOST),
            service.send(account, key, HOST, _message(kit, 1)),
        ):
            with pytest.raises(RequestRefused) as refused:
                await attempt
            texts.add((refused.value.code, str(refused.value), refused.value.retry_after_s))
        assert texts == {("unauthorized", "The token is missing, wrong or expired.", None)}
    assert (await kit.keys.count(alice.account, 1)).one_time == 2
    assert await _rows(kit, alice) == []


async def test_a_blocked_contact_with_the_old_key_is_shut_out(kit: Kit, alice: Registered) -> None:
    service = kit.services.sealed
    await service.set_key(alice.identity(kit), _hashed(OTHER))
    await _refused(service.send(alice.account, KEY, HOST, _message(kit, 1)), "unauthorized")
    await service.send(alice.account, OTHER, HOST, _message(kit, 1))


async def test_a_list_that_changed_makes_a_message_stale(kit: Kit, alice: Registered) -> None:
    service, stale = kit.services.sealed, _message(kit, 1, named=2)
    await _refused(service.send(alice.account, KEY, HOST, stale), "devices_changed")
    unlisted = _message(kit, 2, device=2)
    await _refused(service.send(alice.account, KEY, HOST, unlisted), "not_listed")
    control = replace(_message(kit, 3, named=0), mode=CONTROL)
    await service.send(alice.account, KEY, HOST, control)


async def test_an_id_from_another_time_is_refused(kit: Kit, alice: Registered) -> None:
    for at_s in (-31 * 86_400, 600):
        message = _message(kit, 1, at_s=at_s)
        await _refused(kit.services.sealed.send(alice.account, KEY, HOST, message), "id_time")


async def test_at_once_and_again_it_is_one_message(kit: Kit, alice: Registered) -> None:
    service = kit.services.sealed
    answers = await asyncio.gather(
        *(service.send(alice.account, KEY, HOST, _message(kit, 1)) for _ in range(5))
    )
    assert len({answer.server_timestamp for answer in answers}) == 1
    assert len(await _rows(kit, alice)) == 1


async def test_who_gives_up_waiting_harms_nobody(kit: Kit, alice: Registered) -> None:
    service = kit.services.sealed
    async with asyncio.TaskGroup() as tasks:
        impatient = tasks.create_task(service.send(alice.account, KEY, HOST, _message(kit, 1)))
        patient = tasks.create_task(service.send(alice.account, KEY, HOST, _message(kit, 2)))
        await asyncio.sleep(0)
        impatient.cancel()
    assert patient.result().server_timestamp == kit.clock()


async def test_a_delivery_that_never_answers_is_unavailable(
    kit: Kit, alice: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_module, "ANSWER_WITHIN_S", 0.001)
    monkeypatch.setattr(kit.delivery, "submit", lambda record, origin: None)
    send = kit.services.sealed.send(alice.account, KEY, HOST, _message(kit, 1))
    await _refused(send, "unavailable")


async def test_a_stopping_server_is_unavailable(kit: Kit, alice: Registered) -> None:
    kit.delivery.stop()
    send = kit.services.sealed.send(alice.account, KEY, HOST, _message(kit, 1))
    await _refused(send, "unavailable")


async def test_an_address_asks_only_so_often_with_or_without_a_key(
    kit: Kit, alice: Registered
) -> None:
    service = kit.services.sealed
    for _ in range(120):
        await _refused(service.list(alice.account, OTHER, HOST), "unauthorized")
    for key in (OTHER, KEY):
        await _refused(service.list(alice.account, key, HOST), "rate_limited")
    await service.list(alice.account, KEY, "198.51.100.1")
    kit.clock.forward(0.5)
    await service.list(alice.account, KEY, HOST)


async def test_strangers_do_not_use_up_what_contacts_may_send(kit: Kit, alice: Registered) -> None:
    service = kit.services.sealed
    for n in range(700):
        await _refused(service.list(alice.account, OTHER, f"198.51.{n % 256}.7"), "unauthorized")
    for n in range(600):
        await service.list(alice.account, KEY, f"203.0.{n % 256}.7")
    await _refused(service.list(alice.account, KEY, "203.0.113.9"), "rate_limited")
    await _refused(service.list(alice.account, OTHER, "203.0.113.9"), "unauthorized")


async def test_nobody_empties_a_device_without_a_token_either(kit: Kit, alice: Registered) -> None:
    for n in range(60):
        await kit.services.sealed.take(alice.account, 1, KEY, f"203.0.113.{n}")
    take = kit.services.sealed.take(alice.account, 1, KEY, "203.0.113.99")
    await _refused(take, "rate_limited")
    await kit.services.keys.take(alice.identity(kit), alice.account, 1)


@pytest.mark.parametrize("device", [-1, 0, 2, 128, 10**40])
async def test_a_device_that_is_not_listed_is_not_found(
    kit: Kit, alice: Registered, device: int
) -> None:
    take = kit.services.sealed.take(alice.account, device, KEY, HOST)
    await _refused(take, "not_found")


# ---- certificates


async def test_a_certificate_leads_back_to_the_root_for_a_day(kit: Kit, alice: Registered) -> None:
    service = kit.services.certificates
    made = await service.sender(alice.identity(kit))
    assert made.expires == kit.clock() // 1000 + 86_400
    root = service.root().key
    read = verify_sender_certificate(made.certificate, root, kit.clock())
    assert (read.account, read.device) == (alice.account, 1)
    assert read.identity_key == alice.who.device_key.public
    assert read.expires_ms == made.expires * 1000
    verify_sender_certificate(made.certificate, root, read.expires_ms)
    with pytest.raises(CertificateRejected):
        verify_sender_certificate(made.certificate, root, read.expires_ms + 1)
    with pytest.raises(CertificateRejected):
        verify_sender_certificate(made.certificate, alice.who.account_key.public, kit.clock())


async def test_the_keys_are_the_same_at_every_start_and_others_elsewhere(kit: Kit) -> None:
    again, other = issuer(b"c" * 32, kit.rng), issuer(b"d" * 32, kit.rng)
    assert (again.root, again.server) == (kit.issuer.root, kit.issuer.server)
    keys = {made.root for made in (again, other)} | {made.server.public for made in (again, other)}
    assert len(keys) == 4
    assert kit.issuer.server.private.hex() not in repr(kit.issuer)


async def test_a_revoked_device_is_not_certified(kit: Kit, alice: Registered) -> None:
    held = (await kit.services.devices.newest(alice.account)).list
    identity = alice.identity(kit)
    alone = alice.who.listing(held, person("phone"), kit.clock(), primary=2, alone=True)
    await kit.devices.replace(alice.account, 1, StoredList(alone.body, alone.sig, 2, 2), [2])
    await _refused(kit.services.certificates.sender(identity), "unauthorized")


def _hashed(key: bytes) -> DeliveryKeyHash:
    return DeliveryKeyHash(hash=sha256(key).digest())


def _message(
    kit: Kit, number: int, *, device: int = 1, named: int = 1, at_s: int = 0
) -> SealedSend:
    id = fresh_id(number, kit.clock() + at_s * 1000)
    part = SealedPart(device=device, ciphertext=b"sealed")
    return SealedSend(id=id, mode=FULL, set=named, parts=[part])


async def _rows(kit: Kit, whose: Registered) -> list[Entry]:
    account = await kit.accounts.get(whose.account)
    assert account is not None
    return list(await kit.timeline.page(account.mailbox, 0, 100, 1 << 20))


async def _refused(attempt: Awaitable[object], code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await attempt
    assert refused.value.code == code
