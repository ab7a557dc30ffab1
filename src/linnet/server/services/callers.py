"""Callers: who makes an HTTP request, and not more often than an account may.

Every request with an access token passes here. What costs more has a lower limit of its own, where
it is done; sockets are limited by the gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linnet.server import config
from linnet.server.ports.rates import Rates
from linnet.server.services.tokens import Identity, Tokens
from linnet.wire.errors import RequestRefused


@dataclass(frozen=True)
class Callers:
    """One bucket an account, whichever device calls."""

    tokens: Tokens
    rates: Rates
    limits: config.Accounts
    now_ms: Callable[[], int]

    async def admit(self, access: str) -> Identity:
        """Who calls. Raises `unauthorized`, or `rate_limited`."""
        identity = self.tokens.verify(access)
        await self._limit(identity)
        return identity

    def identify(self, access: str) -> Identity:
        """Who calls, for what has a limit of its own instead. Raises `unauthorized`."""
        return self.tokens.verify(access)

    async def log_out(self, access: str) -> None:
        """See Tokens.log_out: also for a caller that is logged out already. Raises
        `unauthorized`, or `rate_limited`."""
        await self._limit(self.tokens.read(access))
        await self.tokens.log_out(access)

    async def _limit(self, identity: Identity) -> None:
        bucket = f"request:{identity.account.hex()}"
        wait_s = await self.rates.take(bucket, self.limits.requests, self.now_ms())
        if wait_s > 0:
            raise RequestRefused("rate_limited", retry_after_s=int(wait_s) + 1)
