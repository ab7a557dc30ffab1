"""Recovery: the number and the account key together bring an account back, neither does alone."""

import asyncio
from collections.abc import Awaitable

import pytest
from tests.server.kit import HOST, NUMBER, Kit, Person, Registered, person, register

from linnet.server.ports import Unavailable
from linnet.server.ports.accounts import Account
from linnet.server.ports.devices import Device
from linnet.signing.device_list import decode_list
from linnet.signing.objects import sign_object
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import CodeAccepted, Login, RecoveryFinish, Signed

BOB = "+4915112345679"


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_an_account_goes_on_on_a_new_device(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    assert proven.previous is not None
    assert (proven.previous.account, proven.previous.backup) == (alice.account, b"sealed")
    assert proven.account != alice.account
    told = kit.told
    login = await _recover(kit, registration, _request(kit, alice, proven))
    assert (login.account, login.device) == (alice.account, 2)
    assert kit.services.tokens.verify(login.access).account == alice.account
    assert kit.told == told + 1
    newest = await kit.services.devices.newest(alice.account)
    listed = decode_list(newest.list.body)
    assert (set(listed.device_keys()), listed.primary) == ({2}, 2)
    change = (await kit.devices.changes(10))[-1]
    assert (change.account, change.set, change.devices) == (alice.account, 2, (2,))
    found = await kit.accounts.by_numbers([(await _account(kit, alice)).number or b""])
    assert list(found.values()) == [alice.account]


async def test_who_was_left_out_is_revoked(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    await _recover(kit, registration, _request(kit, alice, proven))
    assert kit.revoked == [(alice.account, 1)]
    with pytest.raises(RequestRefused):
        kit.services.tokens.verify(alice.access)
    refresh = alice.who.refresh(alice.account, alice.refresh, bytes(16))
    await _refused(kit.services.tokens.refresh(refresh), "revoked")
    assert await kit.keys.take(alice.account, 1) is None
    assert await kit.keys.take(alice.account, 2) is not None


async def test_who_stays_on_the_list_stays_logged_in(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    await _recover(kit, registration, _request(kit, alice, proven, alone=False))
    kit.services.tokens.verify(alice.access)
    assert kit.revoked == []


async def test_recovering_again_after_a_lost_reply_is_the_same_login(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    first = await _recover(kit, registration, request)
    kit.clock.forward(10)
    again = await _recover(kit, registration, request)
    assert (again.refresh, again.device) == (first.refresh, first.device)
    assert len(await kit.devices.changes(10)) == 2


async def test_recovering_again_does_not_bring_back_a_login_in_use(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    login = await _recover(kit, registration, request)
    used = _tablet().refresh(login.account, login.refresh, bytes(16), device=2)
    await kit.services.tokens.refresh(used)
    await _refused(_recover(kit, registration, request), "conflict")


async def test_without_the_account_key_there_is_no_way_in(kit: Kit) -> None:
    """What somebody has who took over the number: the backup, the list, public keys."""
    alice = await register(kit)
    registration, proven = await _proven(kit)
    assert proven.previous is not None
    thief = Registered(person("thief"), alice.account, "", "")
    own = _request_of(kit, thief, proven)
    await _refused(_recover(kit, registration, own), "list_rejected")
    body = _request(kit, alice, proven).list.body
    signed = sign_object("device-list", thief.who.account_key.private, body, thief.who.rng)
    own.list = Signed(body=body, sig=signed.sig)
    await _refused(_recover(kit, registration, own), "bad_signature")
    as_listed = RecoveryFinish(
        ticket=proven.ticket, list=proven.previous.list, device=1, keys=alice.who.bundle()
    )
    await _refused(_recover(kit, registration, as_listed), "unauthorized")
    assert kit.revoked == []


async def test_a_recovery_made_by_another_ticket_logs_nobody_else_in(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    await _recover(kit, registration, request)
    registration, proven = await _proven(kit)
    replayed = RecoveryFinish(ticket=proven.ticket, list=request.list, device=2, keys=request.keys)
    await _refused(_recover(kit, registration, replayed), "unauthorized")


async def test_without_the_number_there_is_no_way_in(kit: Kit) -> None:
    alice = await register(kit)
    await register(kit, "bob", BOB)
    registration, proven = await _proven(kit, BOB)
    _, alices = await _proven(kit)
    request = _request(kit, alice, alices)
    await _refused(_recover(kit, registration, request), "unauthorized")
    request.ticket = proven.ticket
    await _refused(_recover(kit, registration, request), "list_rejected")
    await _refused(kit.services.recovery.finish(bytes(16), request), "not_found")


async def test_a_number_without_an_account_has_nothing_to_recover(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit, BOB)
    assert proven.previous is None
    await _refused(_recover(kit, registration, _request_of(kit, alice, proven)), "conflict")


async def test_a_number_that_moved_on_meanwhile_recovers_nothing(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    await register(kit, "someone else")
    await _refused(_recover(kit, registration, request), "list_rejected")
    assert kit.revoked == []


async def test_a_new_account_on_the_number_is_still_made_where_that_is_wanted(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    login = await kit.services.accounts.finish(
        registration, _tablet().finish(proven.account, proven.ticket)
    )
    assert login.account == proven.account != alice.account
    assert (await _account(kit, alice)).number is None
    kit.services.tokens.verify(alice.access)
    request = _request(kit, alice, proven)
    await _refused(_recover(kit, registration, request), "list_rejected")
    _, again = await _proven(kit)
    assert again.previous is not None
    assert again.previous.account == proven.account


async def test_what_this_registration_made_is_not_its_previous_account(kit: Kit) -> None:
    started = await kit.services.accounts.start(NUMBER, HOST)
    code = kit.codes.last
    proven = await kit.services.accounts.prove(started.registration, code)
    await kit.services.accounts.finish(
        started.registration, person().finish(proven.account, proven.ticket)
    )
    assert await kit.services.accounts.prove(started.registration, code) == proven


async def test_the_new_device_must_be_new_alone_and_the_primary(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    assert proven.previous is not None
    held, now = proven.previous.list, kit.clock()
    tablet = _tablet()
    for signed, device in (
        (alice.who.listing(held, tablet, now), 2),  # primary still 1
        (alice.who.listing(held, tablet, now, primary=2), 1),
        (alice.who.listing(held, tablet, now, primary=2), 3),
        (alice.who.listing(held, person("eve"), now, primary=2), 2),
        (alice.who.signed_after(held, decode_list(held.body).devices, now), 1),
        (held, 2),
    ):
        request = RecoveryFinish(
            ticket=proven.ticket, list=signed, device=device, keys=tablet.bundle()
        )
        with pytest.raises(RequestRefused) as refused:
            await _recover(kit, registration, request)
        assert refused.value.code in ("list_rejected", "unauthorized")
    assert await kit.devices.get(alice.account, 2) is None
    assert len(await kit.devices.changes(10)) == 1


async def test_a_bundle_that_is_not_signed_by_the_device_recovers_nothing(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    request.keys.last_resort = person("eve").bundle().last_resort
    await _refused(_recover(kit, registration, request), "bad_signature")
    assert await kit.devices.get(alice.account, 2) is None


async def test_an_id_used_before_is_not_given_again(kit: Kit) -> None:
    """A list that was made from one older than the store knows."""
    alice = await register(kit)
    held = (await kit.services.devices.newest(alice.account)).list
    phone = person("phone")
    linked = alice.who.listing(held, phone, kit.clock())
    kit.devices.link(alice.account, linked, Device(alice.account, 2, phone.device_key.public, 1))
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    old = alice.who.listing(held, _tablet(), kit.clock(), primary=2)
    request.list = old
    await _refused(_recover(kit, registration, request), "conflict")


async def test_a_list_that_was_overtaken_is_a_conflict(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    held = (await kit.services.devices.newest(alice.account)).list
    kit.clock.forward(1)
    again = alice.who.signed_after(held, decode_list(held.body).devices, kit.clock())
    await kit.services.devices.replace(alice.identity(kit), again)
    await _refused(_recover(kit, registration, request), "conflict")
    assert kit.revoked == []


async def test_a_ticket_lapses_for_recovery_too(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    kit.clock.forward(3601)
    await _refused(_recover(kit, registration, request), "expired_code")


async def test_recovered_twice_at_once_is_one_login(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    request = _request(kit, alice, proven)
    logins = await asyncio.gather(*(_recover(kit, registration, request) for _ in range(3)))
    assert len({login.refresh for login in logins}) == 1
    assert len(await kit.devices.changes(10)) == 2


async def test_of_recovery_and_a_list_at_once_one_comes_first(kit: Kit) -> None:
    alice = await register(kit)
    registration, proven = await _proven(kit)
    held = (await kit.services.devices.newest(alice.account)).list
    kit.clock.forward(1)
    again = alice.who.signed_after(held, decode_list(held.body).devices, kit.clock())
    told = await asyncio.gather(
        _recover(kit, registration, _request(kit, alice, proven)),
        kit.services.devices.replace(alice.identity(kit), again),
        return_exceptions=True,
    )
    (late,) = [error for error in told if isinstance(error, BaseException)]
    assert isinstance(late, RequestRefused)
    assert late.code == "conflict"


async def test_dead_before_delivery_heard_it_is_completed_by_a_retry(kit: Kit) -> None:
    async def deaf() -> None:
        raise Unavailable("down")

    alice = await register(kit)
    registration, proven = await _proven(kit)
    request, recovery = _request(kit, alice, proven), kit.services.recovery
    tell = recovery.sets_changed
    object.__setattr__(recovery, "sets_changed", deaf)
    with pytest.raises(Unavailable):
        await _recover(kit, registration, request)
    object.__setattr__(recovery, "sets_changed", tell)
    told = kit.told
    login = await _recover(kit, registration, request)
    assert (login.device, kit.told) == (2, told + 1)
    assert len(await kit.devices.changes(10)) == 2


async def test_one_who_recovered_can_be_recovered_again(kit: Kit) -> None:
    alice = await register(kit)
    for device in (2, 3):
        registration, proven = await _proven(kit)
        login = await _recover(kit, registration, _request(kit, alice, proven))
        assert login.device == device
        kit.clock.forward(3600)


def _tablet() -> Person:
    return person("tablet")


def _request(
    kit: Kit, whose: Registered, proven: CodeAccepted, *, alone: bool = True
) -> RecoveryFinish:
    """What the tablet sends that holds this person's account key."""
    assert proven.previous is not None
    return _upon(kit, whose, proven, proven.previous.list, alone=alone)


def _request_of(kit: Kit, whose: Registered, proven: CodeAccepted) -> RecoveryFinish:
    held = whose.who.finish(whose.account, bytes(32)).list
    return _upon(kit, whose, proven, held, alone=True)


def _upon(
    kit: Kit, whose: Registered, proven: CodeAccepted, held: Signed, *, alone: bool
) -> RecoveryFinish:
    tablet, now = _tablet_for(held), kit.clock()
    id = decode_list(held.body).next_id
    signed = whose.who.listing(held, tablet, now, primary=id, alone=alone)
    return RecoveryFinish(ticket=proven.ticket, list=signed, device=id, keys=tablet.bundle())


def _tablet_for(held: Signed) -> Person:
    """A key of its own for each id."""
    id = decode_list(held.body).next_id
    return _tablet() if id == 2 else person(f"tablet {id}")


async def _proven(kit: Kit, number: str = NUMBER) -> tuple[bytes, CodeAccepted]:
    started = await kit.services.accounts.start(number, HOST)
    proven = await kit.services.accounts.prove(started.registration, kit.codes.last)
    return started.registration, proven


async def _recover(kit: Kit, registration: bytes, request: RecoveryFinish) -> Login:
    return await kit.services.recovery.finish(registration, request)


async def _account(kit: Kit, whose: Registered) -> Account:
    account = await kit.services.accounts.get(whose.account)
    assert account is not None
    return account


async def _refused(attempt: Awaitable[object], code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await attempt
    assert refused.value.code == code
