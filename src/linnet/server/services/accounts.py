"""Accounts: from a phone number to an account with one device, in three requests.

`start` sends a code, `prove` takes it and names the account to be, `finish` takes the signed
list and the keys. Finishing makes a new account and moves the number to it, always: what keeps an
AccountId is its account key (`linnet.server.services.recovery`), never an SMS. Every step may be
repeated after a lost reply; docs/protocol/accounts.md says what each repeats.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from linnet.server import config
from linnet.server.ports.accounts import Account, FirstDevice
from linnet.server.ports.accounts import Accounts as AccountStore
from linnet.server.ports.codes import CodeSender
from linnet.server.ports.devices import Devices
from linnet.server.ports.keys import Keys
from linnet.server.ports.rates import Rates
from linnet.server.ports.registrations import Attempt, Registrations
from linnet.server.services.addresses import neighbourhood
from linnet.server.services.devices import SetsChanged, checked, nobody_to_tell
from linnet.server.services.keys import as_upload, check_keys
from linnet.server.services.numbers import e164, hashed
from linnet.server.services.tokens import Tokens
from linnet.signing.device_list import DeviceList
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import (
    CodeAccepted,
    Login,
    PreviousAccount,
    RegistrationFinish,
    RegistrationStarted,
    Signed,
)

HOUR_MS: Final = 3600 * 1000
FIRST_DEVICE: Final = 1


@dataclass(frozen=True)
class Stores:
    """The ports that registering needs."""

    accounts: AccountStore
    devices: Devices
    registrations: Registrations
    keys: Keys


@dataclass(frozen=True)
class Accounts:
    """Registers accounts."""

    stores: Stores
    rates: Rates
    codes: CodeSender
    tokens: Tokens
    limits: config.Accounts
    key_limits: config.Keys
    pepper: bytes
    now_ms: Callable[[], int]
    rng: Callable[[int], bytes]
    sets_changed: SetsChanged = nobody_to_tell

    async def get(self, account: bytes) -> Account | None:
        """One account, with the id of its mailbox."""
        return await self.stores.accounts.get(account)

    async def start(self, number: str, host: str) -> RegistrationStarted:
        """Send a code to an E.164 number, asked for from the network address `host`.

        Asking again sends another code. Raises `bad_number`, `rate_limited`, or Unavailable if
        the code could not be sent.
        """
        phone = e164(number)
        await self._limit_host(host)
        code = f"{int.from_bytes(self.rng(16), 'big') % 1_000_000:06}"
        attempt = self._attempt(phone, code)
        since_ms = attempt.started_ms - HOUR_MS
        if not await self.stores.registrations.start(
            attempt, since_ms, self.limits.attempts_per_hour
        ):
            raise RequestRefused("rate_limited", retry_after_s=HOUR_MS // 1000)
        await self.codes.send(phone, code, self.limits.code_life_s)
        return RegistrationStarted(registration=attempt.id, expires_in=self.limits.code_life_s)

    async def prove(self, registration: bytes, code: str) -> CodeAccepted:
        """Take the code. Again with the right code gives the same ticket and account id.

        Tells also which account has the number, so that whoever holds its key can go on with it.
        Raises `not_found`, `expired_code`, `bad_code`, or `rate_limited` after too many guesses.
        """
        attempt = await self._find(registration)
        if self.now_ms() >= attempt.expires_ms:
            raise RequestRefused("expired_code")
        await self._count_guess(attempt)
        if not hmac.compare_digest(attempt.code, self._code_hash(attempt.id, code)):
            raise RequestRefused("bad_code")
        ticket = self._ticket(attempt)
        if attempt.ticket is None:
            await self.stores.registrations.prove(attempt.id, sha256(ticket).digest())
        return CodeAccepted(
            account=attempt.account,
            ticket=ticket,
            server_time=self.now_ms() // 1000,
            previous=await self._previous(attempt),
        )

    async def proven(self, registration: bytes, ticket: bytes) -> Attempt:
        """The attempt that this ticket ends. Raises `not_found`, `expired_code`, `unauthorized`
        (another ticket)."""
        attempt = await self._find(registration)
        if not hmac.compare_digest(attempt.ticket or b"", sha256(ticket).digest()):
            raise RequestRefused("unauthorized")
        return attempt

    async def finish(self, registration: bytes, request: RegistrationFinish) -> Login:
        """Make the account with its first device and log it in.

        Again with the same keys gives the same login; with other keys `conflict`. Raises
        `not_found`, `expired_code`, `unauthorized` (the ticket), `malformed`, `bad_signature`,
        `list_rejected`.
        """
        attempt = await self.proven(registration, request.ticket)
        listed = self._check_first_list(attempt, request)
        upload = as_upload(request.keys)
        await check_keys(request.keys.identity, upload)
        await self._register(attempt, request, listed)
        # After registering: there whose keys they are is settled, whatever a retry brings.
        await self.stores.keys.put(
            attempt.account, FIRST_DEVICE, upload, self.key_limits.one_time_most
        )
        await self.sets_changed()
        return await self.tokens.begin(attempt.account, FIRST_DEVICE, request.ticket)

    async def forget(self) -> int:
        """Drop attempts older than an hour; how many. To be called every few minutes."""
        return await self.stores.registrations.forget(self.now_ms() - HOUR_MS)

    async def _limit_host(self, host: str) -> None:
        bucket = f"registration:{neighbourhood(host)}"
        wait_s = await self.rates.take(bucket, self.limits.address_registrations, self.now_ms())
        if wait_s > 0:
            raise RequestRefused("rate_limited", retry_after_s=int(wait_s) + 1)

    def _attempt(self, phone: str, code: str) -> Attempt:
        id, now = self.rng(16), self.now_ms()
        return Attempt(
            id=id,
            number=hashed(self.pepper, phone),
            code=self._code_hash(id, code),
            account=self.rng(16),
            started_ms=now,
            expires_ms=now + self.limits.code_life_s * 1000,
        )

    async def _find(self, registration: bytes) -> Attempt:
        attempt = await self.stores.registrations.get(registration)
        if attempt is None:
            raise RequestRefused("not_found")
        if self.now_ms() >= attempt.started_ms + HOUR_MS:
            raise RequestRefused("expired_code")
        return attempt

    async def _previous(self, attempt: Attempt) -> PreviousAccount | None:
        owners = await self.stores.accounts.by_numbers([attempt.number])
        account = await self.stores.accounts.get(owners.get(attempt.number, b""))
        if account is None or account.id == attempt.account:
            return None
        newest = await self.stores.devices.newest(account.id)
        if newest is None:
            return None
        signed = Signed(body=newest.body, sig=newest.sig)
        return PreviousAccount(account=account.id, backup=account.backup, list=signed)

    async def _count_guess(self, attempt: Attempt) -> None:
        # One more once proven: the right code at the last guess may have lost its reply.
        most = self.limits.attempts_per_hour + (attempt.ticket is not None)
        since_ms = self.now_ms() - HOUR_MS
        if not await self.stores.registrations.guess(attempt.id, since_ms, most):
            raise RequestRefused("rate_limited", retry_after_s=HOUR_MS // 1000)

    def _code_hash(self, id: bytes, code: str) -> bytes:
        return hmac.digest(self.pepper, b"code\x00" + id + code.encode(), "sha256")

    def _ticket(self, attempt: Attempt) -> bytes:
        return hmac.digest(self.pepper, b"ticket\x00" + attempt.id, "sha256")

    def _check_first_list(self, attempt: Attempt, request: RegistrationFinish) -> DeviceList:
        listed = checked(request.list, attempt.account, request.account_key, self.now_ms())
        first = (listed.version, listed.set, listed.device_keys())
        if first != (1, 1, {FIRST_DEVICE: request.keys.identity}):
            raise RequestRefused("list_rejected", "A first list has one device, this one.")
        return listed

    async def _register(
        self, attempt: Attempt, request: RegistrationFinish, listed: DeviceList
    ) -> None:
        account = Account(
            id=attempt.account,
            mailbox=self.rng(16),
            key=request.account_key,
            number=attempt.number,
            backup=request.backup,
            created_ms=self.now_ms(),
        )
        first = FirstDevice(
            device=FIRST_DEVICE,
            identity=request.keys.identity,
            registration_id=request.keys.registration_id,
            list_body=request.list.body,
            list_sig=request.list.sig,
            version=listed.version,
            set=listed.set,
        )
        stored = await self.stores.accounts.register(account, first)
        device = await self.stores.devices.get(attempt.account, FIRST_DEVICE)
        if device is None or (stored.key, device.identity) != (account.key, first.identity):
            raise RequestRefused("conflict")
