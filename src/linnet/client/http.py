"""HTTP: requests to one server, and what its answers mean.

A refusal is `Refused` with the server's code; no answer, or nonsense, is `Offline`. Which resources
there are is `linnet.client.rest`'s and, for what carries no token, `linnet.client.sealed.api`'s.
"""

import asyncio
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, TypeVar

import httpx
import msgspec

from linnet.client.errors import BadAddress, Offline, Refused
from linnet.wire import rest
from linnet.wire.codec import UNREADABLE
from linnet.wire.errors import ERRORS, is_code

B = TypeVar("B")

TIMEOUT_S: Final = 15.0
"""Each step of a request: to connect, to write, to hear something."""
ANSWERED_WITHIN_S: Final = 60.0
"""All of it."""
ANSWER_BYTES: Final = 16 * 1024 * 1024


class Http:
    """Connections to one server. `close` when done. No cookie is ever kept.

    `apart`: every request has a connection of its own, so that no two can be linked by it.
    Raises BadAddress for what is no http or https URL.
    """

    def __init__(
        self, url: str, transport: httpx.AsyncBaseTransport | None = None, *, apart: bool = False
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadAddress("a server's address begins with http:// or https://")
        kept = httpx.Limits(max_keepalive_connections=0) if apart else httpx.Limits()
        try:
            self._client = httpx.AsyncClient(
                base_url=url.rstrip("/") + "/v1",
                timeout=TIMEOUT_S,
                transport=transport,
                limits=kept,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise BadAddress("the server's address is no URL") from error

    async def close(self) -> None:
        """Close idle connections."""
        await self._client.aclose()

    async def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        """The body of the answer. Raises Offline, Refused, BadAddress."""
        if self._client.is_closed:
            raise Offline("the client is closed")
        all_headers = dict(headers)
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                async with self._client.stream(
                    method, path, content=body, headers=all_headers
                ) as answer:
                    content = await _content(answer)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Offline("the server cannot be reached") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise BadAddress("the server's address is no URL") from error
        if answer.is_success:
            return content
        raise _refusal(answer, content)


def read(content: bytes, answer: type[B]) -> B:
    """The body of an answer, typed. Raises Offline for something else."""
    try:
        return msgspec.json.decode(content, type=answer)
    except UNREADABLE as error:
        raise Offline("the server answered something else") from error


async def _content(answer: httpx.Response) -> bytes:
    """All of a body. Raises Offline for one that is longer than any answer of the protocol."""
    content = bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        if len(content) > ANSWER_BYTES:
            raise Offline("the server answered something else")
    return bytes(content)


def _refusal(answer: httpx.Response, content: bytes) -> Refused | Offline:
    try:
        problem = msgspec.json.decode(content, type=rest.Problem)
    except UNREADABLE:
        return Offline(f"the server answered with status {answer.status_code}")
    if not is_code(problem.code):
        return Offline("the server answered something else")
    text = ERRORS[problem.code].text if problem.code in ERRORS else "a newer server's refusal"
    return Refused(problem.code, text, _seconds(answer.headers.get("Retry-After")))


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None
