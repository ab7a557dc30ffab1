"""Lies over HTTP: garbage, wrong types, too much, too slowly, and tokens that are none."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import httpx
import msgspec
from tests.hostile.cases import noticed, unharmed
from tests.hostile.middle import Answer, Forward, always, refusal
from tests.hostile.stage import GREETINGS, Stage

from linnet.client import Connection, ConnectionState, NotSent, State
from linnet.client import http as http_module
from linnet.client.http import ANSWER_BYTES
from linnet.wire import rest

ABOUT = "answers"
KEEPS = "keeps the message, and sends it when the answers are the protocol's again"
EVERYTHING = r"^/v1/"
MOST_BYTES = 2 * ANSWER_BYTES
"""Taken at most of one endless answer, with what lies in buffers."""


async def _kept_until_honest(stage: Stage, *lies: Answer) -> None:
    """A first message to Bob waits while the server lies, and arrives once it does not."""
    asked = len(stage.alice.line.asked)
    id = await stage.alice.says(stage.bob, "patience")
    await stage.alice.line.asked_more(asked)
    for lie in lies:
        for method in ("GET", "POST", "PUT"):
            stage.alice.line.answer(method, EVERYTHING, lie)
        asked = len(stage.alice.line.asked)
        stage.alice.line.shift_ms += 61_000
        await stage.alice.line.asked_more(asked)
        assert await stage.alice.client.state(id) is State.SENDING
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 120_000
    await stage.bob.shows(stage.alice, "patience")
    assert stage.alice.never(NotSent)


@unharmed(ABOUT, "answers with bytes that are no JSON", KEEPS)
async def answers_of_garbage(stage: Stage) -> None:
    stage.alice.line.answer("GET", EVERYTHING, always(200, b"\x00\xff{{{"))
    stage.alice.line.answer("POST", EVERYTHING, always(200, b"<html>"))
    await _kept_until_honest(stage, always(200, b""), always(200, b"[" * 10_000))


@unharmed(ABOUT, "answers with values of the wrong types", KEEPS)
async def answers_of_wrong_types(stage: Stage) -> None:
    stage.alice.line.answer("GET", EVERYTHING, always(200, {"list": 5}))
    await _kept_until_honest(
        stage, always(200, {"list": {"body": "!", "sig": None}}), always(200, [None])
    )


@unharmed(ABOUT, "answers with errors that no table has", KEEPS)
async def errors_unknown(stage: Stage) -> None:
    stage.alice.line.answer("GET", EVERYTHING, always(418, b"teapot"))
    strange = {"type": "?", "title": "\x1b" * 9, "status": 599, "code": "new"}
    await _kept_until_honest(stage, always(599, strange), always(302, b""))


@unharmed(ABOUT, "redirects to another server", "does not follow: nothing is asked elsewhere")
async def redirected(stage: Stage) -> None:
    elsewhere = []

    async def redirect(request: httpx.Request, forward: Forward) -> httpx.Response:
        elsewhere.append(request.url.host)
        return httpx.Response(307, headers={"Location": "http://elsewhere.test/v1/"})

    stage.alice.line.answer("GET", EVERYTHING, redirect)
    await _kept_until_honest(stage, redirect)
    assert set(elsewhere) == {"linnet.test"}


class _Endless(httpx.AsyncByteStream):
    """A body that never ends; counts what was taken of it."""

    def __init__(self, piece: bytes, pause_s: float) -> None:
        self.piece, self.pause_s, self.taken = piece, pause_s, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in itertools.count():
            await asyncio.sleep(self.pause_s)
            self.taken += len(self.piece)
            yield self.piece


@unharmed(ABOUT, "answers without end", "stops reading after 16 MiB; " + KEEPS)
async def answer_without_end(stage: Stage) -> None:
    bodies: list[_Endless] = []

    async def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
        bodies.append(_Endless(b" " * 1_048_576, 0))
        return httpx.Response(200, stream=bodies[-1])

    stage.alice.line.answer("GET", EVERYTHING, answer)
    await _kept_until_honest(stage)
    assert bodies
    assert all(0 < body.taken <= MOST_BYTES for body in bodies)


@unharmed(ABOUT, "answers a byte at a time", "gives up after a minute; " + KEEPS)
async def answer_a_byte_at_a_time(stage: Stage) -> None:
    stage.patch.setattr(http_module, "ANSWERED_WITHIN_S", 0.5)
    body = _Endless(b" ", 0.02)

    async def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
        return httpx.Response(200, stream=body)

    stage.alice.line.answer("GET", EVERYTHING, answer)
    await _kept_until_honest(stage)


@unharmed(
    ABOUT,
    "never accepts a token",
    "asks for another at most a few times, and waits; " + KEEPS,
)
async def tokens_never_accepted(stage: Stage) -> None:
    stage.alice.line.answer("GET", EVERYTHING, refusal("unauthorized"))
    asked = len(stage.alice.line.asked)
    id = await stage.alice.says(stage.bob, "patience")
    await stage.alice.line.asked_more(asked + 1)
    assert await stage.alice.client.state(id) is State.SENDING
    assert len(stage.alice.line.asked) - asked <= 12
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 120_000
    await stage.bob.shows(stage.alice, "patience")


@unharmed(
    ABOUT,
    "hands out tokens that no header can carry, of absurd lives",
    "is offline until they are tokens again",
)
async def tokens_that_are_none(stage: Stage) -> None:
    await stage.meet()
    lives = iter((0, -5, 1 << 62, 1 << 63))
    words = iter(("\u00e9\u2028", "a\r\nX-Evil: 1", "", "x" * 5000))

    def lie(login: rest.Login) -> bytes:
        forged = {**msgspec.to_builtins(login), "access": next(words, login.access)}
        return msgspec.json.encode({**forged, "access_for": next(lives, login.access_for)})

    stage.alice.line.swap("POST", r"/v1/tokens$", rest.Login, lie)
    for _ in range(5):
        asked = len(stage.alice.line.asked)
        stage.alice.line.shift_ms += 900_000
        stage.alice.line.cut()
        await stage.alice.line.asked_more(asked)
    stage.alice.line.honest()
    stage.alice.line.shift_ms += 90_000_000
    onlines = stage.alice.times_online()
    stage.alice.line.cut()
    await stage.alice.online_again(onlines)
    await stage.alice.says(stage.bob, "still logged in")
    await stage.bob.shows(stage.alice, *GREETINGS, "still logged in")


@noticed(
    ABOUT,
    "says that the login was revoked",
    "stops and says so (`stopped`, `logged_out`): what is stored stays readable",
)
async def login_revoked(stage: Stage) -> None:
    await stage.meet()
    stage.alice.line.answer("POST", r"/v1/tokens$", refusal("revoked"))
    stage.alice.line.shift_ms += 900_000
    stage.alice.line.cut()
    told = await stage.alice.told(ConnectionState, lambda e: e.state is Connection.STOPPED)
    assert told.reason == "logged_out"
    await stage.alice.shows(stage.bob, *GREETINGS)
