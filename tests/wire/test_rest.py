"""HTTP bodies: JSON with base64 bytes, and bounds that are checked when they are read."""

from __future__ import annotations

import base64

import msgspec
import pytest

from linnet.wire import rest
from linnet.wire.errors import ERRORS
from linnet.wire.frames import Hello, Renew

SECRET = "sesame"

BODIES = [
    kind
    for kind in vars(rest).values()
    if isinstance(kind, type) and issubclass(kind, rest.Body) and kind is not rest.Body
]


def test_bytes_travel_as_base64() -> None:
    said = msgspec.json.decode(msgspec.json.encode(rest.OneTimeKey(id=1, key=b"\xff" * 33)))
    assert said == {"id": 1, "key": base64.b64encode(b"\xff" * 33).decode()}


@pytest.mark.parametrize("kind", BODIES, ids=[kind.__name__ for kind in BODIES])
def test_every_body_says_what_it_is_and_has_a_schema(kind: type[msgspec.Struct]) -> None:
    assert kind.__doc__
    schema = msgspec.json.schema(kind)
    assert schema["$defs"][kind.__name__]["properties"]


@pytest.mark.parametrize(
    "body",
    [
        rest.RegistrationRequest(number=SECRET),
        rest.CodeRequest(code=SECRET),
        rest.CodeAccepted(account=bytes(16), ticket=SECRET.encode(), server_time=0),
        rest.Login(account=bytes(16), device=1, access=SECRET, access_for=1, refresh=SECRET),
        rest.Refresh(account=bytes(16), device=1, refresh=SECRET, id=b"", proof=b""),
        rest.ContactLookup(numbers=[SECRET]),
        rest.ContactMatch(number=SECRET, account=bytes(16)),
        rest.ContactMatches(matches=[rest.ContactMatch(number=SECRET, account=bytes(16))]),
        Hello(token=SECRET, device=1, proof=SECRET.encode()),
        Renew(token=SECRET),
    ],
    ids=lambda body: type(body).__name__,
)
def test_no_secret_is_shown(body: msgspec.Struct) -> None:
    assert repr(body) == f"{type(body).__name__}(…)"
    assert SECRET not in f"{body} {[body]}"


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "１２３４５６", "12345\n"])
def test_a_code_is_six_digits(code: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"code": code}), type=rest.CodeRequest)


@pytest.mark.parametrize("size", [32, 34])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    said = msgspec.json.encode({"id": 1, "key": b"k" * size})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(said, type=rest.OneTimeKey)


def test_an_upload_of_too_many_keys_is_refused() -> None:
    key = {"id": 1, "key": b"k" * 33}
    most = msgspec.json.encode({"one_time": [key] * rest.ONE_TIME_KEYS})
    over = msgspec.json.encode({"one_time": [key] * (rest.ONE_TIME_KEYS + 1)})
    assert len(msgspec.json.decode(most, type=rest.KeyUpload).one_time) == rest.ONE_TIME_KEYS
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(over, type=rest.KeyUpload)


def test_a_problem_carries_a_row_of_the_error_table() -> None:
    row = ERRORS["rate_limited"]
    problem = rest.Problem(
        type="about:blank",
        title="Too Many Requests",
        status=row.status,
        detail=row.text,
        code=row.code,
        retryable=row.retryable,
    )
    again = msgspec.json.decode(msgspec.json.encode(problem), type=rest.Problem)
    assert ERRORS[again.code].status == again.status
