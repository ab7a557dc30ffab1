"""Bad input on one socket: whatever it holds, that socket closes and nobody else notices."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.gateway.desk import Desk, hear, nothing_more, opened, until, why
from tests.server.gateway.line import BINARY, CLOSE, CONTINUATION, PING, TEXT, framed
from tests.server.services.delivery.records import ALICE, BOB, fresh_id, send

from linnet.server.config import Gateway, Rate
from linnet.wire.codec import JSON
from linnet.wire.frames import (
    Ack,
    Error,
    Hello,
    Ping,
    Pong,
    Rejected,
    Renew,
    Send,
    Sent,
    Status,
    StatusQuery,
)
from linnet.wire.limits import FRAME_BYTES

MESSAGE = send(fresh_id(1))


async def still_serves(desk: Desk) -> None:
    """Somebody else is served as if nothing had happened."""
    line = await desk.join(BOB)
    await nothing_more(line)


# ---- frames that are none


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", b"\x80", b"\x91\xa4ping" + b"junk", b"\x92\xa3ack\xff", b"\xff" * 300, b"\x90"],
    ids=["empty", "no msgpack", "a map", "more behind", "a negative", "noise", "no tag"],
)
async def test_what_is_not_a_frame_is_malformed(payload: bytes) -> None:
    async with opened() as desk:
        line = await desk.join()
        line.raw(BINARY, payload)
        assert await why(line) == "malformed"
        await still_serves(desk)


async def test_a_frame_of_an_unknown_type_is_unexpected_from_a_client() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.raw(BINARY, msgspec.msgpack.encode(["gossip", 1, 2]))
        assert await why(line) == "unexpected"


async def test_text_on_a_binary_subprotocol_is_malformed_and_binary_on_json_too() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.raw(TEXT, b'{"type":"ping"}')
        assert await why(line) == "malformed"
        line = await desk.line(offers=JSON)
        line.raw(BINARY, msgspec.msgpack.encode(["ping"]))
        assert await why(line) == "malformed"


@pytest.mark.parametrize(
    "frame",
    [
        ["ack", -1],
        ["ack", 1 << 53],
        ["ack", "1"],
        ["ack"],
        ["message", b"short", b"\x01" + BOB, 0, b"c" * 32, 1],
        ["message", fresh_id(1), BOB, 0, b"c" * 32, 1],
        ["message", fresh_id(1), b"\x01" + BOB, 3, b"c" * 32, 1],
        ["message", fresh_id(1), b"\x01" + BOB, 0, b"c", 1],
        ["message", fresh_id(1), b"\x01" + BOB, 0, b"c" * 32, 1, [1, 1], [[1, 2, b""]] * 17],
        ["message", fresh_id(1), b"\x01" + BOB, 0, b"c" * 32, 1, [1, 1], [[0, 2, b""]]],
        ["status?", [b"short"]],
        ["status?", [bytes(16)] * 257],
        ["token", ""],
    ],
)
async def test_a_field_out_of_bounds_is_malformed(frame: list[Any]) -> None:
    async with opened() as desk:
        line = await desk.join()
        line.raw(BINARY, msgspec.msgpack.encode(frame))
        assert await why(line) == "malformed"
        await still_serves(desk)


async def test_a_frame_over_the_limit_is_too_large() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.raw(BINARY, b"\xc1" * FRAME_BYTES)
        assert await why(line) == "malformed"
        line = await desk.join()
        line.raw(BINARY, b"\xc1" * (FRAME_BYTES + 1))
        assert await why(line) == "too_large"
        await still_serves(desk)


async def test_a_frame_that_claims_to_be_endless_is_refused_before_it_is_read() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.nonsense(b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4))
        assert await why(line) == "1009"
        await still_serves(desk)


@pytest.mark.parametrize(
    "data",
    [b"\xf2\x80" + bytes(4), b"\x83\x80" + bytes(4), b"GET / HTTP/1.1\r\n\r\n", b"\x82\x7f"],
    ids=["reserved bits", "reserved opcode", "http", "unmasked"],
)
async def test_what_is_not_a_websocket_frame_ends_the_line_alone(data: bytes) -> None:
    async with opened() as desk:
        line = await desk.join()
        line.nonsense(data)
        line.say(Ping(), Ping())
        line.raw(CLOSE, b"")
        await line.closed()
        await until(lambda: desk.gateway.sockets == 0)
        await still_serves(desk)


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=4), st.booleans())
def test_no_noise_at_all_harms_the_server(noise: list[bytes], framed_noise: bool) -> None:
    async def play() -> None:
        async with opened() as desk:
            line = await desk.join()
            for data in noise:
                if framed_noise:
                    line.raw(BINARY, data)
                else:
                    line.nonsense(data)
            line.nonsense(framed(CLOSE, b""))
            line.end()
            await until(lambda: desk.gateway.sockets == 0)
            assert "internal" not in desk.closes
            await still_serves(desk)

    asyncio.run(play())


# ---- fragments and control frames


async def test_a_message_may_come_in_fragments_with_pings_between() -> None:
    async with opened() as desk:
        line = await desk.join()
        whole = line.codec.encode(Ping())
        line.raw(BINARY, whole[:1], fin=False)
        line.raw(PING, b"are you there")
        line.raw(CONTINUATION, whole[1:3], fin=False)
        line.raw(CONTINUATION, whole[3:])
        assert await line.pong() == b"are you there"
        await hear(line, Pong)


@pytest.mark.parametrize(
    "pieces",
    [
        [(CONTINUATION, b"\x91", True)],
        [(CONTINUATION, b"\x91", False)],
        [(BINARY, b"\x91", False), (BINARY, b"\xa4ping", True)],
        [(BINARY, b"\x91", False), (TEXT, b"\xa4ping", True)],
        [(TEXT, b"\x91", False)],
    ],
    ids=["out of nothing", "unfinished", "begun anew", "of two kinds", "of the wrong kind"],
)
async def test_fragments_out_of_order_are_malformed(
    pieces: list[tuple[int, bytes, bool]],
) -> None:
    async with opened() as desk:
        line = await desk.join()
        for opcode, payload, fin in pieces:
            line.raw(opcode, payload, fin)
        assert await why(line) in ("malformed", "1002", "1006")
        await still_serves(desk)


async def test_fragments_that_never_end_are_too_large_and_not_kept() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.raw(BINARY, b"\x00" * 100_000, fin=False)
        for _ in range(3):
            line.raw(CONTINUATION, b"\x00" * 100_000, fin=False)
        assert await why(line) == "too_large"


async def test_the_peers_close_is_answered() -> None:
    async with opened() as desk:
        line = await desk.join()
        await line.leave()
        await until(lambda: desk.gateway.sockets == 0)
        assert len(desk.gateway.registry) == 0


# ---- frames out of order


@pytest.mark.parametrize(
    "frame",
    [Ping(), Ack(1), MESSAGE, StatusQuery([]), Renew("t")],
    ids=lambda it: type(it).__name__,
)
async def test_nothing_but_hello_comes_first(frame: Any) -> None:
    async with opened() as desk:
        line = await desk.line()
        line.say(frame)
        assert await why(line) == "unexpected"
        await still_serves(desk)


async def test_nothing_is_said_between_hello_and_welcome() -> None:
    async with opened() as desk:
        line = await desk.line()
        line.say(Hello(desk.token(), 1), Ping())
        assert await why(line) == "unexpected"


async def test_hello_comes_once() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.say(Hello(desk.token(), 1))
        assert await why(line) == "unexpected"
        assert len(desk.gateway.registry) == 0


async def test_a_socket_that_says_no_hello_within_5_seconds_is_closed() -> None:
    async with opened() as desk:
        line = await desk.line()
        desk.tick(5)
        assert desk.gateway.sockets == 1
        desk.tick(2)
        assert await why(line) == "no_hello"


async def test_what_a_closed_socket_still_says_is_not_believed() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.nonsense(framed(BINARY, b"\xc1") + framed(BINARY, line.codec.encode(MESSAGE)))
        assert await why(line) == "malformed"
        await still_serves(desk)
        assert await desk.positions(BOB) == []


# ---- tokens


@pytest.mark.parametrize("token", ["x", "nobody 1 9", ALICE.hex() + " 1 1"])
async def test_a_bad_or_expired_token_is_unauthorized(token: str) -> None:
    async with opened() as desk:
        line = await desk.line()
        line.say(Hello(token, 1))
        assert await why(line) == "unauthorized"


async def test_a_token_of_another_device_is_unauthorized() -> None:
    async with opened() as desk:
        line = await desk.line()
        line.say(Hello(desk.token(ALICE, 1), 2))
        assert await why(line) == "unauthorized"


async def test_a_device_that_is_not_listed_is_unauthorized() -> None:
    async with opened() as desk:
        line = await desk.line()
        line.say(Hello(desk.token(ALICE, 2), 2))
        assert await why(line) == "unauthorized"


async def test_a_socket_outlives_its_token_by_a_minute_and_no_more() -> None:
    async with opened() as desk:
        line = await desk.join()
        for _ in range(95):
            desk.tick(10)
            await nothing_more(line)
        desk.tick(10)
        line.say(Ping())
        await hear(line, Pong)
        desk.tick(20)
        assert await why(line) == "token_expired"


async def test_a_token_renewed_in_band_keeps_the_socket() -> None:
    async with opened() as desk:
        line = await desk.join()
        for _ in range(4):
            for _ in range(80):
                desk.tick(10)
                await nothing_more(line)
            line.say(Renew(desk.token()))
        await nothing_more(line)


async def test_a_bad_renewal_is_an_error_and_the_old_token_goes_on() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.say(Renew("expired"))
        error = await line.hear()
        assert isinstance(error, Error)
        assert (error.code, error.re) == ("unauthorized", "token")
        await nothing_more(line)


async def test_a_renewal_for_somebody_else_ends_the_socket() -> None:
    async with opened() as desk:
        line = await desk.join()
        line.say(Renew(desk.token(BOB)))
        assert await why(line) == "unauthorized"


# ---- messages that cannot be


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": b"\x00" * 16}, "malformed"),
        ({"to": b"\x02" + bytes(16)}, "not_member"),
        ({"to": b"\x03" + bytes(16)}, "not_supported"),
        ({"roster": 1}, "not_supported"),
        ({"body": b"x"}, "not_supported"),
        ({"to": b"\x01" + bytes(16)}, "unknown_recipient"),
        ({"id": fresh_id(1, 5)}, "id_time"),
        ({"id": fresh_id(1, 1 << 47)}, "id_time"),
        ({"parts": []}, "not_listed"),
        ({"sets": None}, "devices_changed"),
    ],
)
async def test_a_message_that_cannot_be_is_rejected_and_the_socket_lives(
    change: dict[str, Any], code: str
) -> None:
    async with opened() as desk:
        line = await desk.join()
        wrong: Send = msgspec.structs.replace(MESSAGE, **change)
        line.say(wrong)
        said = await line.hear()
        assert isinstance(said, Rejected)
        assert (said.id, said.code) == (wrong.id, code)
        line.say(send(fresh_id(2)))
        assert isinstance(await line.hear(), Sent)


# ---- rates


async def test_messages_over_the_rate_are_rejected_and_later_ones_taken() -> None:
    frames = Rate(burst=20, every_s=0.5)
    async with opened(Gateway(frames=frames, drain_within_s=0)) as desk:
        line = await desk.join()
        line.say(*(send(fresh_id(number)) for number in range(40)))
        said = [await line.hear() for _ in range(40)]
        refused = [it for it in said if isinstance(it, Rejected)]
        assert {it.code for it in refused} == {"rate_limited"}
        assert all(it.retryable for it in refused)
        assert 15 <= len([it for it in said if isinstance(it, Sent)]) <= 24
        desk.tick(30)
        line.say(send(fresh_id(99)))
        assert isinstance(await line.hear(), Sent)


@pytest.mark.parametrize("frame", [Ping(), Ack(0), Renew("x"), StatusQuery([])])
async def test_a_flood_of_anything_else_ends_the_socket(frame: Any) -> None:
    frames = Rate(burst=50, every_s=1)
    async with opened(Gateway(frames=frames, drain_within_s=0)) as desk:
        line = await desk.join()
        line.say(*[frame] * 200)
        assert await why(line) == "rate_limited"
        await still_serves(desk)


async def test_several_status_questions_at_once_are_all_answered() -> None:
    """As an account asks that has more conversations than fit into one."""
    async with opened() as desk:
        line, bob = await desk.join(), await desk.join(BOB)
        line.say(send(fresh_id(1)))
        assert isinstance(await line.hear(), Sent)
        await bob.hear()
        bob.say(Ack((await desk.positions(BOB))[-1]))
        told = await line.hear()
        assert isinstance(told, Status)
        line.say(*[StatusQuery([told.conversation] * 256)] * 12)
        for _ in range(12):
            assert await line.hear() == told
        await nothing_more(line)
