"""Tokens as a dialogue: who may go on, who must not, and what a lost reply costs (nothing)."""

import base64
from collections.abc import Awaitable

import jwt
import msgspec
import pytest
from tests.server.kit import NOW_MS, Kit, Registered, person, register

from linnet.server.services.tokens import TokenKeys
from linnet.wire import ids
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import Login, Refresh

ID, OTHER_ID = b"request-number-1", b"request-number-2"


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_an_access_token_says_who_and_until_when(kit: Kit) -> None:
    alice = await register(kit)
    identity = kit.services.tokens.verify(alice.access)
    assert (identity.account, identity.device) == (alice.account, 1)
    assert identity.expires_ms == NOW_MS + 900_000


async def test_an_access_token_holds_account_device_and_expiry_and_nothing_else(kit: Kit) -> None:
    alice = await register(kit)
    claims = jwt.decode(alice.access, options={"verify_signature": False})
    assert claims == {"sub": ids.show(alice.account), "dev": 1, "exp": NOW_MS // 1000 + 900}


async def test_an_access_token_expires_by_the_servers_clock(kit: Kit) -> None:
    alice = await register(kit)
    kit.clock.forward(899)
    kit.services.tokens.verify(alice.access)
    kit.clock.forward(1)
    _unauthorized(kit, alice.access)


async def test_a_forged_access_token_is_refused(kit: Kit) -> None:
    alice = await register(kit)
    claims = jwt.decode(alice.access, options={"verify_signature": False})
    head, body, signature = alice.access.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    deep = base64.urlsafe_b64encode(b"[" * 2000).decode().rstrip("=")
    for forged in (
        "",
        ".",
        "..",
        "nonsense",
        alice.access[:-2],
        f"{head}.{body}.",
        f"{none}.{body}.",
        f"{none}.{body}.{signature}",
        f"{deep}.{body}.{signature}",
        f"{head}.{body}.\ud800",
        "é" * 100,
        "a" * 5000,
        jwt.encode(claims, b"x" * 32, "HS256"),
        jwt.encode({"sub": claims["sub"]}, b"a" * 32, "HS256"),
        jwt.encode({**claims, "sub": "nobody"}, b"a" * 32, "HS256"),
        jwt.encode({**claims, "dev": "1"}, b"a" * 32, "HS256"),
        jwt.encode({**claims, "exp": "9999999999"}, b"a" * 32, "HS256"),
        jwt.encode(claims, b"a" * 64, "HS512"),
    ):
        _unauthorized(kit, forged)


async def test_refreshing_gives_new_tokens_and_goes_on_for_ever(kit: Kit) -> None:
    login: Registered | Login = await register(kit)
    seen = {login.refresh}
    for number in range(5):
        kit.clock.forward(20 * 86_400)
        login = await _refresh(kit, login, bytes([number]) * 16)
        assert login.refresh not in seen
        seen.add(login.refresh)
        kit.services.tokens.verify(login.access)


async def test_a_refresh_token_nobody_used_expires(kit: Kit) -> None:
    alice = await register(kit)
    kit.clock.forward(90 * 86_400)
    await _refused(_refresh(kit, alice, ID), "bad_token")
    kit.clock.forward(1)
    assert await kit.services.tokens.forget() == 1
    await _refused(_refresh(kit, alice, ID), "bad_token")


async def test_a_retry_after_a_lost_reply_gets_the_same_successor(kit: Kit) -> None:
    alice = await register(kit)
    request = alice.who.refresh(alice.account, alice.refresh, ID)
    first = await kit.services.tokens.refresh(request)
    kit.clock.forward(299)
    again = await kit.services.tokens.refresh(request)
    assert again.refresh == first.refresh
    kit.services.tokens.verify(again.access)
    await _refresh(kit, again, OTHER_ID)


async def test_a_retry_proven_anew_gets_the_same_successor(kit: Kit) -> None:
    alice = await register(kit)
    first = await _refresh(kit, alice, ID)
    assert (await _refresh(kit, alice, ID)).refresh == first.refresh


async def test_a_clock_that_steps_back_does_not_end_a_retry(kit: Kit) -> None:
    alice = await register(kit)
    first = await _refresh(kit, alice, ID)
    kit.clock.forward(-40 * 86_400)
    assert (await _refresh(kit, alice, ID)).refresh == first.refresh


async def test_a_retry_after_weeks_gets_the_same_successor(kit: Kit) -> None:
    alice = await register(kit)
    first = await _refresh(kit, alice, ID)
    kit.clock.forward(60 * 86_400)
    again = await _refresh(kit, alice, ID)
    assert again.refresh == first.refresh
    kit.services.tokens.verify(again.access)
    await _refresh(kit, again, OTHER_ID)


async def test_a_late_retry_under_another_id_is_reuse(kit: Kit) -> None:
    alice = await register(kit)
    await _refresh(kit, alice, ID)
    kit.clock.forward(301)
    await _refused(_refresh(kit, alice, OTHER_ID), "revoked")


async def test_a_late_retry_does_not_outlive_the_login(kit: Kit) -> None:
    alice = await register(kit)
    await _refresh(kit, alice, ID)
    kit.clock.forward(90 * 86_400)
    await _refused(_refresh(kit, alice, ID), "bad_token")


async def test_a_retry_after_the_successor_was_used_is_reuse(kit: Kit) -> None:
    alice = await register(kit)
    second = await _refresh(kit, alice, ID)
    third = await _refresh(kit, second, OTHER_ID)
    await _refused(_refresh(kit, alice, ID), "revoked")
    await _refused(_refresh(kit, third, ID), "revoked")


async def test_reuse_with_another_id_revokes_the_login_and_tells_the_gateway(kit: Kit) -> None:
    alice = await register(kit)
    second = await _refresh(kit, alice, ID)
    await _refused(_refresh(kit, alice, OTHER_ID), "revoked")
    await _refused(_refresh(kit, second, OTHER_ID), "revoked")
    assert kit.revoked == [(alice.account, 1)]
    _unauthorized(kit, second.access)


async def test_after_a_restore_a_device_ahead_of_the_store_goes_on_once(kit: Kit) -> None:
    alice = await register(kit)
    ahead = await _ahead_of_a_restored_store(kit, alice)
    caught_up = await _refresh(kit, ahead, ID)
    assert (await _refresh(kit, ahead, ID)).refresh == caught_up.refresh
    later = await _refresh(kit, caught_up, OTHER_ID)
    await _refused(_refresh(kit, ahead, OTHER_ID), "revoked")
    await _refused(_refresh(kit, later, ID), "revoked")


async def test_after_a_restore_a_login_used_since_is_not_let_catch_up(kit: Kit) -> None:
    alice = await register(kit)
    ahead = await _ahead_of_a_restored_store(kit, alice)
    await _refresh(kit, alice, ID)
    await _refused(_refresh(kit, ahead, OTHER_ID), "revoked")


async def test_after_a_restore_a_new_login_is_not_let_catch_up(kit: Kit) -> None:
    kit.services.tokens.restored_ms = NOW_MS
    alice = await register(kit)
    for clock_s in (0, -86_400):
        kit.clock.forward(clock_s)
        second = await _refresh(kit, alice, ID)
    await _refused(_refresh(kit, alice, OTHER_ID), "revoked")
    await _refused(_refresh(kit, second, OTHER_ID), "revoked")


async def test_after_a_restore_catching_up_needs_the_device_key(kit: Kit) -> None:
    alice = await register(kit)
    ahead = await _ahead_of_a_restored_store(kit, alice)
    stolen = person("mallory").refresh(alice.account, ahead.refresh, ID)
    await _refused(kit.services.tokens.refresh(stolen), "bad_signature")
    await _refresh(kit, ahead, ID)


async def test_after_a_restore_a_revoked_login_stays_revoked(kit: Kit) -> None:
    alice = await register(kit)
    ahead = await _ahead_of_a_restored_store(kit, alice)
    await kit.services.tokens.revoke_device(alice.account, 1)
    await _refused(_refresh(kit, ahead, ID), "revoked")


async def test_after_a_restore_catching_up_ends_with_the_login(kit: Kit) -> None:
    alice = await register(kit)
    ahead = await _ahead_of_a_restored_store(kit, alice)
    kit.clock.forward(90 * 86_400)
    await _refused(_refresh(kit, ahead, ID), "bad_token")


async def test_two_requests_at_once_get_one_successor_or_the_end(kit: Kit) -> None:
    alice = await register(kit)
    request = alice.who.refresh(alice.account, alice.refresh, ID)
    kit.families.between = lambda: kit.services.tokens.refresh(request)
    late = await kit.services.tokens.refresh(request)
    assert (await kit.services.tokens.refresh(request)).refresh == late.refresh
    twin = alice.who.refresh(alice.account, late.refresh, OTHER_ID)
    kit.families.between = lambda: kit.services.tokens.refresh(twin)
    await _refused(_refresh(kit, late, ID), "revoked")


async def test_a_stolen_refresh_token_is_useless_without_the_device_key(kit: Kit) -> None:
    alice = await register(kit)
    stolen = person("mallory").refresh(alice.account, alice.refresh, ID)
    await _refused(kit.services.tokens.refresh(stolen), "bad_signature")
    await _refresh(kit, alice, ID)


async def test_a_proof_is_for_one_token_and_one_id(kit: Kit) -> None:
    alice = await register(kit)
    request = alice.who.refresh(alice.account, alice.refresh, ID)
    request.id = OTHER_ID
    await _refused(kit.services.tokens.refresh(request), "bad_signature")


async def test_a_replayed_old_request_without_a_new_proof_cannot_revoke(kit: Kit) -> None:
    alice = await register(kit)
    second = await _refresh(kit, alice, ID)
    forged = person("mallory").refresh(alice.account, alice.refresh, OTHER_ID)
    await _refused(kit.services.tokens.refresh(forged), "bad_signature")
    await _refresh(kit, second, OTHER_ID)


@pytest.mark.parametrize(
    "refresh", ["", "x", "é", "A" * 63, "A" * 64, "A" * 68, "*" * 64, "\ud800"]
)
async def test_what_is_not_a_refresh_token_is_refused(kit: Kit, refresh: str) -> None:
    alice = await register(kit)
    request = Refresh(account=alice.account, device=1, refresh=refresh, id=ID, proof=bytes(64))
    await _refused(kit.services.tokens.refresh(request), "bad_token")


async def test_a_token_of_another_account_or_device_is_refused(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", "+4915112345679")
    mixed = bob.who.refresh(bob.account, alice.refresh, ID)
    await _refused(kit.services.tokens.refresh(mixed), "bad_token")
    mixed = alice.who.refresh(alice.account, alice.refresh, ID)
    mixed.device = 2
    await _refused(kit.services.tokens.refresh(mixed), "bad_token")


async def test_logging_out_ends_both_tokens_at_once_and_may_be_repeated(kit: Kit) -> None:
    alice = await register(kit)
    await kit.services.tokens.log_out(alice.access)
    _unauthorized(kit, alice.access)
    await _refused(_refresh(kit, alice, ID), "revoked")
    await kit.services.tokens.log_out(alice.access)
    assert kit.revoked == [(alice.account, 1)] * 2
    with pytest.raises(RequestRefused):
        await kit.services.tokens.log_out("nonsense")


async def test_logging_out_leaves_others_logged_in(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", "+4915112345679")
    await kit.services.tokens.log_out(alice.access)
    kit.services.tokens.verify(bob.access)


async def test_the_dead_are_remembered_as_long_as_their_tokens_could_live(kit: Kit) -> None:
    alice, bob = await register(kit), await register(kit, "bob", "+4915112345679")
    await kit.services.tokens.log_out(alice.access)
    kit.clock.forward(901)
    later = await _refresh(kit, bob, ID)
    await kit.services.tokens.log_out(later.access)
    assert list(kit.services.tokens._dead_until_ms) == [(bob.account, 1)]


async def test_no_secret_is_shown(kit: Kit) -> None:
    assert "aaaa" not in repr(kit.services.tokens)
    assert repr(TokenKeys(b"a", b"b")) == "TokenKeys(…)"


async def test_only_hashes_of_refresh_tokens_are_stored(kit: Kit) -> None:
    alice = await register(kit)
    await _refresh(kit, alice, ID)
    secret = base64.urlsafe_b64decode(alice.refresh)[16:]
    family = await kit.families.get(base64.urlsafe_b64decode(alice.refresh)[:16])
    assert family is not None
    assert secret not in msgspec.structs.astuple(family)


async def _ahead_of_a_restored_store(kit: Kit, alice: Registered) -> Login:
    """A login that went on twice since the backup that the store was now put back to."""
    id = base64.urlsafe_b64decode(alice.refresh)[:16]
    backup = await kit.families.get(id)
    assert backup is not None
    kit.clock.forward(1000)
    ahead = await _refresh(kit, await _refresh(kit, alice, b"1" * 16), b"2" * 16)
    kit.families._families[id] = backup
    kit.clock.forward(1000)
    kit.services.tokens.restored_ms = kit.clock()
    return ahead


async def _refresh(kit: Kit, login: Registered | Login, id: bytes) -> Login:
    who = login.who if isinstance(login, Registered) else person()
    return await kit.services.tokens.refresh(who.refresh(login.account, login.refresh, id))


def _unauthorized(kit: Kit, access: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        kit.services.tokens.verify(access)
    assert refused.value.code == "unauthorized"


async def _refused(attempt: Awaitable[object], code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await attempt
    assert refused.value.code == code
