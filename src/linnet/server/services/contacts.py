"""Contacts: which of these phone numbers have an account.

Honest limits: the server sees the numbers asked for while it answers, and hashes of phone
numbers can be reversed by whoever holds its pepper. Nothing asked for is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linnet.server import config
from linnet.server.ports.accounts import Accounts
from linnet.server.ports.rates import Rates
from linnet.server.services.numbers import e164, hashed
from linnet.server.services.tokens import Identity
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import ContactMatch, ContactMatches


@dataclass(frozen=True)
class Contacts:
    """Looks numbers up."""

    accounts: Accounts
    rates: Rates
    limits: config.Keys
    pepper: bytes
    now_ms: Callable[[], int]

    async def lookup(self, identity: Identity, numbers: Sequence[str]) -> ContactMatches:
        """The numbers that have accounts; what is not in E.164 form has none. Limited by
        numbers asked for. Raises `rate_limited`."""
        await self._limit(identity, len(numbers))
        asked = {hash: number for number in numbers if (hash := self._hash(number)) is not None}
        found = await self.accounts.by_numbers(list(asked))
        return ContactMatches(
            matches=[
                ContactMatch(number=asked[hash], account=account) for hash, account in found.items()
            ]
        )

    async def _limit(self, identity: Identity, numbers: int) -> None:
        wait_s = await self.rates.take(
            f"lookup:{identity.account.hex()}", self.limits.lookups, self.now_ms(), numbers
        )
        if wait_s > 0:
            raise RequestRefused("rate_limited", retry_after_s=int(wait_s) + 1)

    def _hash(self, number: str) -> bytes | None:
        try:
            return hashed(self.pepper, e164(number))
        except RequestRefused:
            return None
