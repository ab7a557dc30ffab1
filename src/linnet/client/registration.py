"""Registration: from a phone number to an account, in steps that survive being cut off.

Keys are stored before the number is sent, the signed list and the whole last request before that
request is sent; a retry sends the same bytes, so one registration makes one account.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import apsw
import msgspec

from linnet.client import facts, keys, lists
from linnet.client.environment import Environment
from linnet.client.errors import AlreadyRegistered, ClientError, Refused
from linnet.client.facts import Clock, Fact, Identity, Keys, RecoveryCode, StorageKey
from linnet.client.rest import Api, signed
from linnet.client.store import Store
from linnet.client.tokens import received
from linnet.crypto.device_name import NAME_BYTES, STORAGE_KEY_BYTES, seal_name
from linnet.crypto.recovery import new_code, seal_backup
from linnet.signing.device_list import first_list
from linnet.signing.list_format import decode_list
from linnet.signing.objects import SignedObject
from linnet.wire import rest

CODE_GUESSES: Final = 3
FIRST_DEVICE: Final = 1
_START_AGAIN: Final = frozenset({"not_found", "expired_code", "unauthorized", "conflict"})

AskCode = Callable[[], Awaitable[str]]


class Attempt(Fact, frozen=True, kw_only=True):
    """A code was asked for."""

    server: str
    number: str
    registration: bytes


class Finish(Fact, frozen=True, kw_only=True):
    """The last request, ready to be sent any number of times."""

    account: bytes
    request: bytes
    list_body: bytes
    list_sig: bytes


async def register(
    store: Store,
    api: Api,
    world: Environment,
    *,
    server: str,
    number: str,
    code: AskCode,
    name: str,
) -> bytes:
    """Make the account, or finish making it; returns the recovery code's 32 bytes.

    `code` is asked for the six digits, again after a wrong one. Raises AlreadyRegistered if the
    directory's account has been opened since it was made, or is of another number; Refused,
    Offline.
    """
    ready = await store.write(lambda db: _prepare(db, world, number))
    if ready is not None:
        return ready
    finish = await store.read(lambda db: facts.get(db, Finish))
    if finish is not None:
        try:
            return await _finish(store, api, world, server, number, finish)
        except Refused as refusal:
            if refusal.code not in _START_AGAIN:
                raise
    begun = await attempt(store, api, server, number)
    try:
        accepted = await prove(api, begun, code)
    except Refused as refusal:
        if refusal.code not in ("not_found", "expired_code"):
            raise
        begun = await attempt(store, api, server, number, anew=True)
        accepted = await prove(api, begun, code)
    finish = await store.write(lambda db: _sign(db, world, accepted, name))
    return await _finish(store, api, world, server, number, finish)


def _prepare(db: apsw.Connection, world: Environment, number: str) -> bytes | None:
    """Make the keys and the recovery code; the code if all was done before and it is not shown."""
    recovery, identity = facts.get(db, RecoveryCode), facts.get(db, Identity)
    if identity is not None:
        if recovery is None:
            raise AlreadyRegistered("this directory has an account")
        if identity.number not in ("", number):
            raise AlreadyRegistered(
                "this directory has the account of another number: open it, or register in another"
            )
        return recovery.code
    begun = facts.get(db, Attempt)
    if facts.get(db, Finish) is not None and begun is not None and begun.number != number:
        # The server may have made that account, with these keys.
        raise AlreadyRegistered(
            "this directory is registering another number: finish that, or register in another"
        )
    if facts.get(db, Keys) is None or recovery is None:  # none: they were made to be linked
        keys.make_device(db, world.now_ms(), world.rng)
        facts.put(db, RecoveryCode(code=new_code(world.rng)))
    return None


async def attempt(
    store: Store, api: Api, server: str, number: str, *, anew: bool = False
) -> Attempt:
    """Have a code sent to the number; `anew` even if one was sent before."""
    begun = await store.read(lambda db: facts.get(db, Attempt))
    if begun is not None and (begun.server, begun.number) == (server, number) and not anew:
        return begun
    started = await api.start_registration(number)
    made = Attempt(server=server, number=number, registration=started.registration)

    def begin(db: apsw.Connection) -> None:
        facts.put(db, made)
        facts.drop(db, Finish)

    await store.write(begin)
    return made


async def prove(api: Api, begun: Attempt, code: AskCode) -> tuple[Attempt, rest.CodeAccepted]:
    """Ask for the code and hand it in, again while guesses are left."""
    for guesses_left in reversed(range(CODE_GUESSES)):
        try:
            return begun, await api.prove_number(begun.registration, (await code()).strip())
        except Refused as refusal:
            if refusal.code not in ("bad_code", "malformed") or not guesses_left:
                raise
    raise AssertionError("the last guess returns or raises")


def _sign(
    db: apsw.Connection,
    world: Environment,
    proven: tuple[Attempt, rest.CodeAccepted],
    name: str,
) -> Finish:
    """Sign the first device list and store the whole last request."""
    attempt, accepted = proven
    own, recovery = facts.get(db, Keys), facts.get(db, RecoveryCode)
    if own is None or recovery is None:
        raise ClientError("the directory lost its keys")
    account_key, device_key = keys.account_key(own), keys.device_key(own)
    now_s = accepted.server_time
    storage = facts.get(db, StorageKey) or StorageKey(key=world.rng(STORAGE_KEY_BYTES))
    facts.put(db, storage)
    sealed = seal_name(storage.key, accepted.account, FIRST_DEVICE, short(name), world.rng)
    obj = first_list(accepted.account, account_key, device_key, sealed, now_s, world.rng)
    request = rest.RegistrationFinish(
        ticket=accepted.ticket,
        account_key=account_key.public,
        list=signed(obj.body, obj.sig),
        keys=keys.whole_bundle(db),
        backup=seal_backup(recovery.code, accepted.account, account_key.private, world.rng),
    )
    finish = Finish(
        account=accepted.account,
        request=msgspec.json.encode((attempt.registration, request)),
        list_body=obj.body,
        list_sig=obj.sig,
    )
    facts.put(db, finish)
    facts.put(db, Clock(offset_ms=accepted.server_time * 1000 - world.now_ms()))
    return finish


def short(name: str) -> str:
    """As much of a device's name as fits."""
    return name.encode()[:NAME_BYTES].decode(errors="ignore")


async def _finish(
    store: Store, api: Api, world: Environment, server: str, number: str, finish: Finish
) -> bytes:
    registration, request = msgspec.json.decode(finish.request, type=tuple[bytes, msgspec.Raw])
    login = await api.finish_registration(registration, bytes(request))
    now_ms = world.now_ms()

    def done(db: apsw.Connection) -> bytes:
        identity = Identity(
            server=server, account=login.account, device=login.device, number=number
        )
        facts.put(db, identity)
        facts.put(db, received(login, now_ms))
        obj = SignedObject(finish.list_body, finish.list_sig)
        issued_ms = decode_list(obj.body).issued * 1000  # by the server's clock
        lists.adopt(db, login.account, obj, max(now_ms, issued_ms))
        upload = keys.unpublished(db)
        if upload is not None:
            keys.published(db, upload)
        facts.drop(db, Attempt)
        facts.drop(db, Finish)
        recovery = facts.get(db, RecoveryCode)
        assert recovery is not None
        return recovery.code

    return await store.write(done)
