"""Every code an end may be told, in two tables: errors and WebSocket closes.

`docs/protocol/errors.md` is this table for readers; a test keeps the two equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One cause: its name on the wire, whether trying again may help, its HTTP status."""

    code: str
    text: str
    retryable: bool
    status: int


class Reconnect(Enum):
    """What a client does after a close."""

    NOW = "reconnect now"
    LATER = "reconnect later, with jitter"
    TOKEN = "get a new token first"
    NEVER = "do not reconnect"


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One reason to close a socket."""

    code: int
    name: str
    reconnect: Reconnect


def _table(*rows: tuple[str, bool, int, str]) -> dict[str, ErrorCode]:
    return {
        code: ErrorCode(code, text, retryable, status) for code, retryable, status, text in rows
    }


ERRORS: dict[str, ErrorCode] = _table(
    # what a message may be refused for
    ("devices_changed", True, 409, "A device set changed; encrypt for the new one and resend."),
    ("group_changed", True, 409, "The group's roster changed; encrypt for the new one and resend."),
    ("id_time", False, 422, "The message id's time is too old or ahead of the server's clock."),
    ("id_conflict", False, 409, "This id already names something else."),
    ("unknown_recipient", False, 404, "No such recipient."),
    ("not_listed", False, 422, "A ciphertext is addressed to a device that is not listed."),
    ("not_member", False, 403, "This account or device is not in that group."),
    ("not_supported", False, 422, "This server cannot do that yet."),
    # what any request may be refused for
    ("malformed", False, 400, "The request is not what the protocol says."),
    ("unauthorized", False, 401, "The token is missing, wrong or expired."),
    ("forbidden", False, 403, "This account may not do that."),
    ("not_found", False, 404, "There is no such thing."),
    ("conflict", False, 409, "Somebody else was first; fetch and try again."),
    ("too_large", False, 413, "The request is larger than its limit."),
    ("rate_limited", True, 429, "Too many requests; wait as told."),
    ("unavailable", True, 503, "The server cannot store anything at the moment; try again."),
    ("internal", True, 500, "The server failed; this is a bug."),
    # accounts
    ("bad_number", False, 422, "That is not a phone number in E.164 form."),
    ("bad_code", False, 403, "The code is wrong."),
    ("expired_code", False, 410, "The code has expired; ask for a new one."),
    ("bad_token", False, 401, "The refresh token is unknown or expired."),
    ("revoked", False, 401, "This login was revoked; register or link again."),
    ("bad_signature", False, 422, "A signature does not verify."),
    ("list_rejected", False, 422, "The device list breaks a rule."),
    ("entry_rejected", False, 422, "The entry breaks a rule of the group's log."),
    ("no_keys", True, 404, "That device has not published its keys."),
)

CLOSES: dict[str, CloseCode] = {
    close.name: close
    for close in (
        CloseCode(4000, "draining", Reconnect.LATER),
        CloseCode(4001, "slow", Reconnect.LATER),
        CloseCode(4002, "overloaded", Reconnect.LATER),
        CloseCode(4003, "unavailable", Reconnect.LATER),
        CloseCode(4004, "no_hello", Reconnect.LATER),
        CloseCode(4005, "too_many", Reconnect.LATER),
        CloseCode(4006, "rate_limited", Reconnect.LATER),
        CloseCode(4007, "internal", Reconnect.LATER),
        CloseCode(4100, "token_expired", Reconnect.TOKEN),
        CloseCode(4101, "unauthorized", Reconnect.TOKEN),
        CloseCode(4200, "replaced", Reconnect.NEVER),
        CloseCode(4201, "revoked", Reconnect.NEVER),
        CloseCode(4202, "malformed", Reconnect.NEVER),
        CloseCode(4203, "unexpected", Reconnect.NEVER),
        CloseCode(4204, "too_large", Reconnect.NEVER),
        CloseCode(4205, "bad_resume", Reconnect.NEVER),
        CloseCode(4300, "silent", Reconnect.NOW),
    )
}


CLOSE_RANGES: dict[int, Reconnect] = {
    40: Reconnect.LATER,
    41: Reconnect.TOKEN,
    42: Reconnect.NEVER,
    43: Reconnect.NOW,
}
"""First two digits of a close code to what it asks, so that a code from a newer server is clear."""

LINE_LOST = frozenset({1000, 1001, 1005, 1006})
"""RFC 6455 §7.4.1 codes that blame nobody: the connection just ended."""


def reconnect_after(close_code: int) -> Reconnect:
    """What a client does after any close code, known or not."""
    if close_code in LINE_LOST:
        return Reconnect.NOW
    return CLOSE_RANGES.get(close_code // 100, Reconnect.LATER)


_CODE = re.compile("[a-z][a-z0-9_]{0,31}")


def is_code(text: str) -> bool:
    """Whether a text has the form of a code, known or not: it may be shown and compared."""
    return _CODE.fullmatch(text) is not None


class WireError(Exception):
    """Base of what the wire layer raises."""


class RemoteError(WireError):
    """The peer broke the protocol. `close` names the row of CLOSES to end the socket with."""

    def __init__(self, close: str, detail: str) -> None:
        super().__init__(f"{close}: {detail}")
        self.close = CLOSES[close]


class LocalError(WireError):
    """We broke the protocol: a bug on this side."""


class RequestRefused(WireError):
    """A request was answered with a row of ERRORS; `retry_after_s` where it is known."""

    def __init__(self, code: str, detail: str = "", retry_after_s: int | None = None) -> None:
        self.error = ERRORS.get(code, ERRORS["internal"])
        super().__init__(detail or self.error.text)
        self.code = code
        self.retry_after_s = retry_after_s
