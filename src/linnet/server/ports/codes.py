"""Codes: how a six-digit code reaches a phone number. The one place a number leaves the server."""

from __future__ import annotations

from typing import Protocol


class CodeSender(Protocol):
    """A provider (console now; SMTP and HTTP gateways behind the same method)."""

    async def send(self, number: str, code: str, expires_in_s: int) -> None:
        """Hand the code over for the E.164 number. Raises Unavailable."""
