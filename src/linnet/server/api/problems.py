"""Problems: every error as an RFC 9457 problem document with a code of `linnet.wire.errors`.

A problem never repeats what the request held. An error that nobody foresaw is `internal`, and is
logged as the place it came from, without its message: that could quote the request.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.types import ExceptionHandlersMap

from linnet.server.ports import Unavailable
from linnet.wire.errors import ERRORS, ErrorCode, RequestRefused
from linnet.wire.rest import Problem

CONTENT_TYPE = "application/problem+json"
UNAVAILABLE_RETRY_S = 1

_log = logging.getLogger("linnet.server.api")
_BY_STATUS = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    413: "too_large",
    429: "rate_limited",
    503: "unavailable",
}


def problem(
    error: ErrorCode, detail: str = "", status: int | None = None, retry_after_s: int | None = None
) -> Response[bytes]:
    """The answer for a row of ERRORS; `status` where HTTP has a finer one than the row."""
    status = status or error.status
    document = Problem(
        type=f"urn:linnet:error:{error.code}",
        title=error.text,
        status=status,
        detail=detail or error.text,
        code=error.code,
        retryable=error.retryable,
    )
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return Response(
        msgspec.json.encode(document), status_code=status, media_type=CONTENT_TYPE, headers=headers
    )


def _refused(_: Request[Any, Any, Any], refused: RequestRefused) -> Response[bytes]:
    return problem(refused.error, str(refused), retry_after_s=refused.retry_after_s)


def _unavailable(_: Request[Any, Any, Any], __: Unavailable) -> Response[bytes]:
    return problem(ERRORS["unavailable"], retry_after_s=UNAVAILABLE_RETRY_S)


def _invalid(_: Request[Any, Any, Any], invalid: ValidationException) -> Response[bytes]:
    return problem(ERRORS["malformed"], _where(invalid.extra))


def _undecodable(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return problem(ERRORS["malformed"])


def _http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    code = _BY_STATUS.get(
        error.status_code, "internal" if error.status_code >= 500 else "malformed"
    )
    answer = problem(ERRORS[code], status=error.status_code)
    for name, value in (error.headers or {}).items():
        answer.set_header(name, value)
    return answer


def _unforeseen(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    place = "".join(traceback.format_tb(error.__traceback__, limit=-5))
    _log.error("a request failed with %s\n%s", type(error).__name__, place)
    return problem(ERRORS["internal"])


def _where(extra: Any) -> str:
    """What msgspec found wrong first, and where: names of our own fields, never values."""
    first = extra[0] if isinstance(extra, list) and extra else {}
    return ": ".join(str(first[part]) for part in ("key", "message") if first.get(part))


HANDLERS: ExceptionHandlersMap = {
    RequestRefused: _refused,
    Unavailable: _unavailable,
    ValidationException: _invalid,
    SerializationException: _undecodable,
    RecursionError: _undecodable,
    UnicodeDecodeError: _undecodable,
    HTTPException: _http,
    Exception: _unforeseen,
}
