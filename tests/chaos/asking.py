"""Asking: requests over HTTP, one answer each. Whoever insists repeats the same bytes until the
server has said something definite, as clients do after a lost reply."""

from __future__ import annotations

import asyncio
import base64
from typing import TypeVar

import httpx
import msgspec
from tests.chaos.house import House

from linnet.wire.rest import Body, Problem

T = TypeVar("T")
AGAIN_S = 0.1
WITHIN_S = 10.0


class Lost(Exception):
    """No answer: whether it was done is not known."""


class Refusal(Exception):
    """The server said no."""

    def __init__(self, code: str, wait_s: float) -> None:
        super().__init__(code)
        self.code, self.wait_s = code, wait_s


class Asking:
    """Requests to whatever server lives in the house."""

    def __init__(self, house: House) -> None:
        self._house = house
        alone = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.AsyncClient(timeout=WITHIN_S, limits=alone)

    async def close(self) -> None:
        """Let connections go."""
        await self._http.aclose()

    async def ask(
        self,
        answer: type[T],
        method: str,
        path: str,
        body: Body | None = None,
        *,
        token: str = "",
        key: bytes = b"",
    ) -> T:
        """The answer. Raises Refusal, Lost."""
        content = None if body is None else msgspec.json.encode(body)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        if key:
            headers = {"linnet-delivery-key": base64.b64encode(key).decode()}
        try:
            said = await self._http.request(
                method, self._house.url + path, content=content, headers=headers
            )
        except httpx.HTTPError as error:
            raise Lost from error
        if said.is_success:
            return msgspec.json.decode(said.content or b"null", type=answer)
        problem = msgspec.json.decode(said.content, type=Problem)
        raise Refusal(problem.code, float(said.headers.get("retry-after", "0")))

    async def insist(
        self,
        answer: type[T],
        method: str,
        path: str,
        body: Body | None = None,
        *,
        token: str = "",
        key: bytes = b"",
    ) -> T:
        """The same, again and again until there is an answer. Raises Refusal."""
        while True:
            wait_s = AGAIN_S
            try:
                return await self.ask(answer, method, path, body, token=token, key=key)
            except Lost:
                pass
            except Refusal as refusal:
                if refusal.code not in ("unavailable", "rate_limited"):
                    raise
                wait_s = max(wait_s, refusal.wait_s)
            await asyncio.sleep(wait_s)
