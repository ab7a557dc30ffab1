"""Bodies of every kind: what is written is read, and anything else is damaged.

`python tests/crypto/test_bodies.py` writes the vectors again; the test says if they differ.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto import bodies, bodies_control, bodies_sync
from linnet.crypto.bodies import GroupNotice, Read, Sealed, Text, Timer
from linnet.crypto.bodies_control import (
    MAX_IDS,
    DeviceLists,
    GroupSecret,
    GroupSecretRequest,
    ProfileKey,
    Receipt,
    Resend,
    ResendRequest,
    SenderKey,
    SignalKey,
)
from linnet.crypto.bodies_sync import (
    MAX_ENTRIES,
    MAX_MARKS,
    Sync,
    SyncEntries,
    SyncList,
    SyncProfileKey,
    SyncRead,
    SyncReadSealed,
    SyncSent,
    SyncStorageKey,
    read_sync,
)
from linnet.crypto.body import Body, body_of, read_body
from linnet.crypto.content import Damaged
from linnet.signing.packing import MAX_INT, pack, unpack

FILE = Path(__file__).parents[1] / "vectors" / "content" / "bodies.json"
A, B, KEY, Z = b"a" * 16, b"b" * 16, b"k" * 32, b"z" * 160
PAIR = (b"body", b"s" * 64)
EXAMPLES: list[tuple[str, Body]] = [
    ("text", Text("Grüße")),
    ("read", Read(7)),
    ("read", Read(0, (1_800_000_000_000, A))),
    ("timer", Timer(None)),
    ("timer", Timer(86_400)),
    ("sealed", Sealed(True, 1)),
    ("group_notice", GroupNotice(3, KEY)),
    ("sender_key", SenderKey(A, b"distribution")),
    ("signal_key", SignalKey(A, KEY)),
    ("profile_key", ProfileKey(KEY)),
    ("device_list", DeviceLists((PAIR, PAIR))),
    ("group_secret", GroupSecret(A, 1, KEY)),
    ("group_secret_request", GroupSecretRequest(A, MAX_INT)),
    ("resend", Resend(A, 0, Z)),
    ("resend_request", ResendRequest((A, B))),
    ("receipt", Receipt((A,), 1_800_000_000_000)),
    ("sync", SyncEntries((("setting", b"key", b"value", 5),))),
    ("sync", SyncRead(((A, 9),))),
    ("sync", SyncReadSealed(((A, 1_800_000_000_000, B),))),
    ("sync", SyncSent(A, 1_800_000_000_000, Z)),
    ("sync", SyncStorageKey(KEY, 2)),
    ("sync", SyncProfileKey(KEY, 2)),
    ("sync", SyncList()),
]
WRONG: list[tuple[str, Any]] = [
    ("text", []),
    ("text", [b"bytes"]),
    ("text", "text"),
    ("read", [-1]),
    ("read", [True]),
    ("read", [0, [1]]),
    ("read", [0, [1, A[1:]]]),
    ("timer", [0]),
    ("timer", []),
    ("sealed", [1, 1]),
    ("sealed", [True, 0]),
    ("group_notice", [0, KEY]),
    ("group_notice", [1, KEY[1:]]),
    ("sender_key", [A[1:], b"x"]),
    ("sender_key", [A, b""]),
    ("sender_key", [A, bytes(513)]),
    ("sender_key", [A, "text"]),
    ("signal_key", [A, KEY + b"x"]),
    ("profile_key", [KEY[1:]]),
    ("profile_key", [KEY.hex()]),
    ("device_list", [[]]),
    ("device_list", [[PAIR] * 9]),
    ("device_list", [[[b"body"]]]),
    ("device_list", [[[b"body", b"s" * 63]]]),
    ("group_secret", [A, 0, KEY]),
    ("group_secret_request", [A]),
    ("resend", [A, 1, Z[1:]]),
    ("resend", [A, -1, Z]),
    ("resend_request", [[]]),
    ("resend_request", [[A] * (MAX_IDS + 1)]),
    ("resend_request", [[A[1:]]]),
    ("resend_request", [A]),
    ("receipt", [[A]]),
    ("receipt", [[A], -1]),
    ("sync", []),
    ("sync", [1]),
    ("sync", None),
    ("sync", ["entries", [["", b"", b"", 0]]]),
    ("sync", ["entries", [["x", b"k" * 129, b"", 0]]]),
    ("sync", ["entries", [["x", b"k", b""]]]),
    ("sync", ["entries", [["x", b"k", b"", 0]] * (MAX_ENTRIES + 1)]),
    ("sync", ["read", [[A, 0]]]),
    ("sync", ["read", [[A, 1]] * (MAX_MARKS + 1)]),
    ("sync", ["read_sealed", [[A, 0]]]),
    ("sync", ["sent", A, 0, b"z"]),
    ("sync", ["storage_key", KEY]),
    ("sync", ["profile_key", KEY, 0]),
]
KINDS: dict[str, type[Body]] = {kind: type(body) for kind, body in EXAMPLES if kind != "sync"}


def read(kind: str, value: Any) -> Body | None:
    return read_sync(value) if kind == "sync" else read_body(KINDS[kind], value)


def shown(value: Any) -> Any:
    """Bytes as {bin: hex}."""
    if isinstance(value, bytes):
        return {"bin": value.hex()}
    return [shown(each) for each in value] if isinstance(value, list | tuple) else value


def build() -> dict[str, Any]:
    return {
        "about": "Bodies; see docs/protocol/content.md. A bin value is {bin: hex}.",
        "valid": [
            {"kind": kind, "body": shown(body_of(body)), "packed": pack(body_of(body)).hex()}
            for kind, body in EXAMPLES
        ],
        "damaged": [
            {"kind": kind, "packed": pack(value).hex()}
            for kind, value in WRONG
            if len(pack(value)) < 4_000
        ],
        "unknown": [{"kind": "sync", "packed": pack(["hologram", 1]).hex()}],
    }


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert json.loads(FILE.read_text()) == build()


@pytest.mark.parametrize(("kind", "body"), EXAMPLES, ids=str)
def test_a_body_comes_back_through_the_packing(kind: str, body: Body) -> None:
    packed = unpack(pack(body_of(body)))
    assert read(kind, packed) == body
    assert read(kind, [*packed, "of a later version"]) == body


@pytest.mark.parametrize(("kind", "value"), WRONG, ids=lambda x: str(x)[:40])
def test_another_value_is_damaged(kind: str, value: Any) -> None:
    with pytest.raises(Damaged):
        read(kind, value)


@pytest.mark.parametrize(("kind", "body"), EXAMPLES, ids=str)
def test_no_element_may_be_missing_but_those_with_a_default(kind: str, body: Body) -> None:
    value = unpack(pack(body_of(body)))
    required = len(value) - len(type(body).__struct_defaults__)
    if required > 0:
        with pytest.raises(Damaged):
            read(kind, value[: required - 1])


@given(
    st.sampled_from(sorted({*KINDS, "sync"})),
    st.recursive(
        st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | st.binary() | st.text(),
        lambda inner: st.lists(inner, max_size=4),
    ),
)
def test_any_value_is_read_or_damaged(kind: str, value: Any) -> None:
    with contextlib.suppress(Damaged):
        body = read(kind, value)
        assert body is None or read(kind, unpack(pack(body_of(body)))) == body


def test_a_body_outside_its_sizes_is_not_written() -> None:
    with pytest.raises(ValueError, match="length"):
        body_of(ProfileKey(KEY[1:]))
    with pytest.raises(ValueError, match="int"):
        body_of(GroupSecretRequest(A, 0))


def test_a_sync_of_a_newer_client_is_ignored() -> None:
    assert read_sync(["hologram", 1]) is None


def test_no_body_shows_what_it_holds() -> None:
    for _, body in EXAMPLES:
        assert repr(body) == f"{type(body).__name__}(…)"


def test_every_struct_of_a_body_has_an_example() -> None:
    modules = (bodies, bodies_control, bodies_sync)
    structs = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Body) and value is not Body
    }
    assert structs == {type(body) for _, body in EXAMPLES}
    assert set(get_args(Sync)) <= structs


def test_plain_bodies_have_functions() -> None:
    assert bodies.read_text(bodies.text_body("hi")) == "hi"
    assert bodies.read_sender_key(bodies.sender_key_body(A, b"d")) == (A, b"d")
    assert bodies.read_group_secret(bodies.group_secret_body(A, 1, KEY)) == (A, 1, KEY)
    request = bodies.group_secret_request_body(A, 1)
    assert bodies.read_group_secret_request(request) == (A, 1)


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
