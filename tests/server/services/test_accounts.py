"""Registration: limits, codes, retries, forgeries, and a number that moves on."""

import hashlib
from collections.abc import Awaitable, Callable

import pytest
from tests.server.kit import HOST, NUMBER, Kit, Person, person, register

from linnet.server.ports import Unavailable
from linnet.server.ports.keys import TakenKeys
from linnet.signing.device_list import decode_list, first_list
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import CodeAccepted, RegistrationFinish, Signed


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_a_number_becomes_an_account_with_a_device_and_a_login(kit: Kit) -> None:
    alice = await register(kit)
    account = await kit.services.accounts.get(alice.account)
    assert account is not None
    assert account.key == alice.who.account_key.public
    assert account.backup == b"sealed"
    assert account.mailbox not in (account.id, account.key)
    identity = kit.services.tokens.verify(alice.access)
    assert (identity.account, identity.device) == (alice.account, 1)
    taken = await kit.keys.take(alice.account, 1)
    assert isinstance(taken, TakenKeys)
    assert kit.told == 1


async def test_only_a_keyed_hash_of_the_number_is_stored(kit: Kit) -> None:
    alice = await register(kit)
    account = await kit.services.accounts.get(alice.account)
    assert account is not None
    assert account.number is not None
    assert NUMBER.encode() not in account.number
    assert account.number != hashlib.sha256(NUMBER.encode()).digest()


@pytest.mark.parametrize(
    "number",
    [
        "",
        "4915112345678",
        "+49 151 12345678",
        "+999123456789",
        "+491511234567890123",
        "+1",
        "hello",
        "+４９15112345678",
        "+49151\ud80012345678",
    ],
)
async def test_what_is_not_a_number_gets_no_code(kit: Kit, number: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await kit.services.accounts.start(number, HOST)
    assert refused.value.code == "bad_number"
    assert kit.codes.sent == []


async def test_codes_are_six_digits_and_differ(kit: Kit) -> None:
    for _ in range(3):
        await kit.services.accounts.start(NUMBER, HOST)
    codes = [code for _, code in kit.codes.sent]
    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(set(codes)) == 3


async def test_a_fourth_code_in_an_hour_is_refused(kit: Kit) -> None:
    for _ in range(3):
        await kit.services.accounts.start(NUMBER, HOST)
    await _refused(kit.services.accounts.start(NUMBER, "198.51.100.1"), "rate_limited", 3600)
    kit.clock.forward(3601)
    await kit.services.accounts.start(NUMBER, HOST)


async def test_an_address_registers_so_many_numbers(kit: Kit) -> None:
    for last in range(10):
        await kit.services.accounts.start(f"+49151123456{last:02}", f"2001:db8::{last + 1:x}")
    await _refused(kit.services.accounts.start(NUMBER, "2001:db8::ffff"), "rate_limited", 361)
    await kit.services.accounts.start(NUMBER, "2001:db8:0:1::1")


async def test_a_code_that_cannot_be_sent_is_unavailable(kit: Kit) -> None:
    kit.codes.down = True
    with pytest.raises(Unavailable):
        await kit.services.accounts.start(NUMBER, HOST)


async def test_a_wrong_code_is_refused_and_the_right_one_still_works(kit: Kit) -> None:
    started = await kit.services.accounts.start(NUMBER, HOST)
    await _refused(kit.services.accounts.prove(started.registration, kit.codes.wrong), "bad_code")
    await kit.services.accounts.prove(started.registration, kit.codes.last)


async def test_three_guesses_end_it_even_with_the_right_code(kit: Kit) -> None:
    started = await kit.services.accounts.start(NUMBER, HOST)
    for _ in range(3):
        await _refused(
            kit.services.accounts.prove(started.registration, kit.codes.wrong), "bad_code"
        )
    right = kit.services.accounts.prove(started.registration, kit.codes.last)
    await _refused(right, "rate_limited", 3600)


async def test_another_code_gives_no_more_guesses(kit: Kit) -> None:
    first = await kit.services.accounts.start(NUMBER, HOST)
    for _ in range(3):
        await _refused(kit.services.accounts.prove(first.registration, kit.codes.wrong), "bad_code")
    second = await kit.services.accounts.start(NUMBER, HOST)
    await _refused(
        kit.services.accounts.prove(second.registration, kit.codes.last), "rate_limited", 3600
    )


async def test_the_code_of_another_attempt_is_wrong(kit: Kit) -> None:
    first = await kit.services.accounts.start(NUMBER, HOST)
    await kit.services.accounts.start(NUMBER, HOST)
    await _refused(kit.services.accounts.prove(first.registration, kit.codes.last), "bad_code")


async def test_a_code_expires(kit: Kit) -> None:
    started = await kit.services.accounts.start(NUMBER, HOST)
    kit.clock.forward(300)
    await _refused(
        kit.services.accounts.prove(started.registration, kit.codes.last), "expired_code"
    )


async def test_an_unknown_attempt_is_not_found(kit: Kit) -> None:
    await _refused(kit.services.accounts.prove(bytes(16), "000000"), "not_found")


async def test_proving_again_gives_the_same_ticket_and_account(kit: Kit) -> None:
    started = await kit.services.accounts.start(NUMBER, HOST)
    for _ in range(2):
        await _refused(
            kit.services.accounts.prove(started.registration, kit.codes.wrong), "bad_code"
        )
    first = await kit.services.accounts.prove(started.registration, kit.codes.last)
    assert await kit.services.accounts.prove(started.registration, kit.codes.last) == first


async def test_finishing_again_is_one_account_and_one_login(kit: Kit) -> None:
    registration, proven = await _proven(kit)
    request = person().finish(proven.account, proven.ticket)
    first = await kit.services.accounts.finish(registration, request)
    kit.clock.forward(10)
    again = await kit.services.accounts.finish(registration, request)
    assert (again.account, again.refresh) == (first.account, first.refresh)
    kit.services.tokens.verify(again.access)
    assert len(await kit.devices.changes(10)) == 1
    assert (await kit.keys.count(first.account, 1)).one_time == 2


async def test_finishing_after_a_failure_halfway_completes_it(kit: Kit) -> None:
    registration, proven = await _proven(kit)
    request = person().finish(proven.account, proven.ticket)
    kit.keys.down = True
    with pytest.raises(Unavailable):
        await kit.services.accounts.finish(registration, request)
    kit.keys.down = False
    await kit.services.accounts.finish(registration, request)
    assert (await kit.keys.count(proven.account, 1)).one_time == 2


async def test_finishing_again_with_other_keys_is_a_conflict(kit: Kit) -> None:
    registration, proven = await _proven(kit)
    await kit.services.accounts.finish(registration, person().finish(*_of(proven)))
    await _refused(
        kit.services.accounts.finish(registration, person("mallory").finish(*_of(proven))),
        "conflict",
    )
    taken = await kit.keys.take(proven.account, 1)
    assert taken is not None
    assert taken.signed.sig


async def test_a_finished_registration_does_not_bring_back_a_login_in_use(kit: Kit) -> None:
    registration, proven = await _proven(kit)
    request = person().finish(*_of(proven))
    login = await kit.services.accounts.finish(registration, request)
    refresh = person().refresh(login.account, login.refresh, bytes(16))
    await kit.services.tokens.refresh(refresh)
    await _refused(kit.services.accounts.finish(registration, request), "conflict")
    await kit.services.tokens.revoke_device(login.account, 1)
    await _refused(kit.services.accounts.finish(registration, request), "revoked")


async def test_without_the_ticket_nothing_is_made(kit: Kit) -> None:
    started = await kit.services.accounts.start(NUMBER, HOST)
    unproven = person().finish(bytes(16), bytes(32))
    await _refused(kit.services.accounts.finish(started.registration, unproven), "unauthorized")
    proven = await kit.services.accounts.prove(started.registration, kit.codes.last)
    forged = person().finish(proven.account, bytes(32))
    await _refused(kit.services.accounts.finish(started.registration, forged), "unauthorized")
    assert await kit.services.accounts.get(proven.account) is None


async def test_a_ticket_lapses_an_hour_after_the_code_was_sent(kit: Kit) -> None:
    registration, proven = await _proven(kit)
    kit.clock.forward(3599)
    assert await kit.services.accounts.forget() == 0
    kit.clock.forward(2)
    request = person().finish(*_of(proven), now_ms=kit.clock())
    await _refused(kit.services.accounts.finish(registration, request), "expired_code")
    assert await kit.services.accounts.forget() == 1
    await _refused(kit.services.accounts.finish(registration, request), "not_found")


async def test_a_number_registered_again_is_a_new_account_with_the_number(kit: Kit) -> None:
    alice = await register(kit)
    other = await register(kit, "someone else")
    assert other.account != alice.account
    found = await kit.services.contacts.lookup(other.identity(kit), [NUMBER])
    assert [match.account for match in found.matches] == [other.account]
    old = await kit.services.accounts.get(alice.account)
    assert old is not None
    assert old.number is None
    kit.services.tokens.verify(alice.access)


def _swapped_key(who: Person, request: RegistrationFinish) -> None:
    request.account_key = person("mallory").account_key.public


def _swapped_identity(who: Person, request: RegistrationFinish) -> None:
    request.keys.identity = person("mallory").device_key.public


def _forged_list(who: Person, request: RegistrationFinish) -> None:
    request.list.sig = bytes(64)


def _another_list(who: Person, request: RegistrationFinish) -> None:
    other = person("mallory").finish(bytes(16), bytes(32))
    request.list, request.account_key = other.list, other.account_key


def _garbage(who: Person, request: RegistrationFinish) -> None:
    request.list = Signed(body=b"\x93\x01\x02", sig=bytes(64))


def _second_device(who: Person, request: RegistrationFinish) -> None:
    account = decode_list(request.list.body).account
    signed = first_list(
        account, who.account_key, who.device_key, b"", 1_800_000_000, who.rng, device_id=2
    )
    request.list = Signed(body=signed.body, sig=signed.sig)


def _signed_key_of_another(who: Person, request: RegistrationFinish) -> None:
    other = person("mallory").upload().signed
    assert other is not None
    request.keys.signed = other


def _last_kem_forged(who: Person, request: RegistrationFinish) -> None:
    request.keys.kem[-1].sig = bytes(64)


def _last_resort_forged(who: Person, request: RegistrationFinish) -> None:
    request.keys.last_resort.key = b"\x08" + bytes(1568)


def _wrong_type(who: Person, request: RegistrationFinish) -> None:
    request.keys.one_time[0].key = bytes(33)


def _wrong_kem_type(who: Person, request: RegistrationFinish) -> None:
    request.keys.kem[0].key = bytes(1569)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_swapped_key, "list_rejected"),
        (_swapped_identity, "list_rejected"),
        (_forged_list, "bad_signature"),
        (_another_list, "list_rejected"),
        (_garbage, "list_rejected"),
        (_second_device, "list_rejected"),
        (_signed_key_of_another, "bad_signature"),
        (_last_kem_forged, "bad_signature"),
        (_last_resort_forged, "bad_signature"),
        (_wrong_type, "malformed"),
        (_wrong_kem_type, "malformed"),
    ],
)
async def test_a_forgery_makes_no_account(
    kit: Kit, spoil: Callable[[Person, RegistrationFinish], None], code: str
) -> None:
    registration, proven = await _proven(kit)
    who = person()
    request = who.finish(*_of(proven))
    spoil(who, request)
    await _refused(kit.services.accounts.finish(registration, request), code)
    assert await kit.services.accounts.get(proven.account) is None
    assert await kit.keys.take(proven.account, 1) is None
    assert kit.told == 0


async def test_a_list_from_another_time_is_refused(kit: Kit) -> None:
    registration, proven = await _proven(kit)
    for days in (-40, 40):
        request = person().finish(*_of(proven), now_ms=kit.clock() + days * 86_400_000)
        await _refused(kit.services.accounts.finish(registration, request), "list_rejected")


async def test_a_clock_that_jumps_is_a_typed_error_and_passes(kit: Kit) -> None:
    started = await kit.services.accounts.start(NUMBER, HOST)
    kit.clock.forward(40 * 86_400)
    await _refused(
        kit.services.accounts.prove(started.registration, kit.codes.last), "expired_code"
    )
    kit.clock.forward(-40 * 86_400)
    await kit.services.accounts.prove(started.registration, kit.codes.last)


async def _proven(kit: Kit) -> tuple[bytes, CodeAccepted]:
    started = await kit.services.accounts.start(NUMBER, HOST)
    return started.registration, await kit.services.accounts.prove(
        started.registration, kit.codes.last
    )


def _of(proven: CodeAccepted) -> tuple[bytes, bytes]:
    return proven.account, proven.ticket


async def _refused(attempt: Awaitable[object], code: str, retry_after_s: int | None = None) -> None:
    with pytest.raises(RequestRefused) as refused:
        await attempt
    assert refused.value.code == code
    assert refused.value.retry_after_s == retry_after_s
