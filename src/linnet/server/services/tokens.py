"""Tokens: who is calling, and how a login goes on.

An access token is a JWT (HS256) of a quarter of an hour. A refresh token is opaque, bound to its
device by a proof of the device key, and replaced at each use; a replaced one that comes back
ends the login. docs/protocol/accounts.md has the rules. Accounts are made elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import jwt
import msgspec
from jwt.types import Options

from linnet.server import config
from linnet.server.ports.devices import Devices
from linnet.server.ports.tokens import Family
from linnet.server.ports.tokens import Tokens as Families
from linnet.signing import xeddsa
from linnet.signing.objects import label
from linnet.wire import ids
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import Login, Refresh

PROOF_LABEL: Final = label("refresh")
ACCESS_BYTES_MOST: Final = 4096

_FAMILY_BYTES: Final = 16
_TOKEN_BYTES: Final = _FAMILY_BYTES + 32
# Times are checked here against the server's own `now_ms`, so that tests and simulations rule it.
_SIGNATURE_ONLY: Final[Options] = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


class Identity(msgspec.Struct, frozen=True):
    """The device that an access token speaks for, until `expires_ms`."""

    account: bytes
    device: int
    expires_ms: int


class TokenKeys(msgspec.Struct, frozen=True):
    """Server secrets of 32 bytes each: one signs access tokens, one derives refresh tokens."""

    access: bytes
    refresh: bytes

    def __repr__(self) -> str:
        return "TokenKeys(…)"


class _Claims(msgspec.Struct):
    """What an access token holds: the account, the device, and when it ends in seconds."""

    sub: str
    dev: int
    exp: int


def proof_message(refresh: str, id: bytes) -> bytes:
    """What the device key signs to use a refresh token: label ‖ SHA-256(refresh text) ‖ id."""
    return PROOF_LABEL + _hash(refresh) + id


def _nobody(account: bytes, device: int) -> None:
    pass


@dataclass
class Tokens:
    """Issues, checks, rotates and revokes. One instance a process.

    `on_revoked` is called, on the event loop, once a device's logins are durably revoked: its
    sockets must close. `restored_ms` is when the store was last put back to a backup (0: never):
    a login that was not used since may be behind its device, and is let catch up once.
    """

    families: Families
    devices: Devices
    limits: config.Accounts
    keys: TokenKeys
    now_ms: Callable[[], int]
    on_revoked: Callable[[bytes, int], None] = _nobody
    restored_ms: int = 0
    _dead_until_ms: dict[tuple[bytes, int], int] = field(default_factory=dict, repr=False)

    def verify(self, access: str) -> Identity:
        """The identity of an access token. Raises RequestRefused("unauthorized").

        Synchronous, about 35 µs. A revoked device is refused at once by the process that
        revoked it, elsewhere and after a restart when its token expires.
        """
        identity = self.read(access)
        if (identity.account, identity.device) in self._dead_until_ms:
            raise RequestRefused("unauthorized")
        return identity

    async def begin(self, account: bytes, device: int, seed: bytes) -> Login:
        """The first login of a device; other logins of it end. The same secret `seed` again
        gives the same login, until its refresh token was used: then `conflict`."""
        id = self._derive(b"family", seed)[:_FAMILY_BYTES]
        refresh = _show(id + self._derive(b"first", seed))
        expires_ms = self.now_ms() + self.limits.refresh_life_s * 1000
        since_ms = max(self.now_ms(), self.restored_ms)
        family = Family(id, account, device, _hash(refresh), expires_ms, rotated_ms=since_ms)
        await self.families.start(family)
        held = await self.families.get(id)
        if held is None or held.revoked:
            raise RequestRefused("revoked")
        if not hmac.compare_digest(held.current, _hash(refresh)):
            raise RequestRefused("conflict")
        return self._login(account, device, refresh)

    async def refresh(self, request: Refresh) -> Login:
        """The next refresh token and a fresh access token.

        The same (refresh, id) gets the same successor until that is used, however late. Any
        other reuse, proven by the device, revokes the login, except once after a restore: then
        the store is behind. Raises `bad_token`, `bad_signature`, `revoked`; without the device's
        proof nothing changes.
        """
        family = await self._family(request)
        await self._check_proof(request)
        if family.revoked:
            raise RequestRefused("revoked")
        current = hmac.compare_digest(family.current, _hash(request.refresh))
        # A rotation makes the family newer than the restore, so this happens once.
        if not current and family.rotated_ms >= self.restored_ms:
            return await self._again(family, request)
        if await self._rotate(family, request):
            return self._successor(request)
        # A twin of this request rotated between the read and the write.
        return await self._again(await self._family(request), request)

    async def log_out(self, access: str) -> None:
        """End every login of the token's device. Again after a lost reply is fine.

        Raises RequestRefused("unauthorized").
        """
        identity = self.read(access)
        await self.revoke_device(identity.account, identity.device)

    async def revoke_device(self, account: bytes, device: int) -> None:
        """End every login of a device: refresh tokens durably, access tokens here and now."""
        await self.families.revoke_device(account, device)
        self._bury(account, device)

    async def forget(self) -> int:
        """Drop expired logins; how many. To be called now and then."""
        return await self.families.forget(self.now_ms())

    def read(self, access: str) -> Identity:
        """As `verify`, but also of a device that was revoked."""
        try:
            if len(access) > ACCESS_BYTES_MOST:
                raise RequestRefused("unauthorized")
            decoded = jwt.decode(access, self.keys.access, ["HS256"], options=_SIGNATURE_ONLY)
            claims = msgspec.convert(decoded, _Claims)
            identity = Identity(ids.parse(claims.sub), claims.dev, claims.exp * 1000)
        except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError):
            raise RequestRefused("unauthorized") from None
        if self.now_ms() >= identity.expires_ms:
            raise RequestRefused("unauthorized")
        return identity

    async def _family(self, request: Refresh) -> Family:
        family = await self.families.get(_parse(request.refresh)[:_FAMILY_BYTES])
        if family is None or self.now_ms() >= family.expires_ms:
            raise RequestRefused("bad_token")
        if (family.account, family.device) != (request.account, request.device):
            raise RequestRefused("bad_token")
        return family

    async def _check_proof(self, request: Refresh) -> None:
        device = await self.devices.get(request.account, request.device)
        if device is None or device.revoked:
            raise RequestRefused("revoked")
        message = proof_message(request.refresh, request.id)
        if not xeddsa.verify(device.identity, message, request.proof):
            raise RequestRefused("bad_signature")

    async def _rotate(self, family: Family, request: Refresh) -> bool:
        now = self.now_ms()
        successor = msgspec.structs.replace(
            family,
            current=_hash(self._next(request)),
            previous=_hash(request.refresh),
            request=sha256(request.id).digest(),
            rotated_ms=max(now, self.restored_ms),
            expires_ms=now + self.limits.refresh_life_s * 1000,
        )
        return await self.families.rotate(family.id, family.current, successor)

    async def _again(self, family: Family, request: Refresh) -> Login:
        mine = family.previous == _hash(request.refresh)
        same = family.request == sha256(request.id).digest()
        # Then what is current is this request's own successor, and nobody has used it.
        if mine and same and not family.revoked:
            return self._successor(request)
        await self.families.revoke(family.id)
        self._bury(family.account, family.device)
        raise RequestRefused("revoked")

    def _bury(self, account: bytes, device: int) -> None:
        now = self.now_ms()
        for key in [key for key, until in self._dead_until_ms.items() if until < now]:
            del self._dead_until_ms[key]
        self._dead_until_ms[account, device] = now + self.limits.access_life_s * 1000
        self.on_revoked(account, device)

    def _successor(self, request: Refresh) -> Login:
        return self._login(request.account, request.device, self._next(request))

    def _next(self, request: Refresh) -> str:
        token = _parse(request.refresh)
        return _show(token[:_FAMILY_BYTES] + self._derive(b"next", token + request.id))

    def _login(self, account: bytes, device: int, refresh: str) -> Login:
        life_s = self.limits.access_life_s
        claims = _Claims(ids.show(account), device, self.now_ms() // 1000 + life_s)
        access = jwt.encode(msgspec.structs.asdict(claims), self.keys.access, "HS256")
        return Login(
            account=account, device=device, access=access, access_for=life_s, refresh=refresh
        )

    def _derive(self, use: bytes, of: bytes) -> bytes:
        return hmac.digest(self.keys.refresh, use + b"\x00" + of, "sha256")


def _hash(refresh: str) -> bytes:
    return sha256(refresh.encode()).digest()


def _show(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).decode("ascii")


def _parse(refresh: str) -> bytes:
    try:
        token = base64.b64decode(refresh, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise RequestRefused("bad_token") from None
    if len(token) != _TOKEN_BYTES:
        raise RequestRefused("bad_token")
    return token
