"""The golden files are what the code says, and the code reads them back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.wire import vectors
from tests.wire.strategies import CLIENT_FRAMES, SERVER_FRAMES

from linnet.wire.codec import CODECS, JSON, MSGPACK, Unknown
from linnet.wire.errors import RemoteError

BOTH = ("client", "server")


def load(name: str) -> Any:
    return json.loads((vectors.FOLDER / name).read_text())


def read(side: str, subprotocol: str, case: dict[str, str]) -> Any:
    codec = CODECS[subprotocol]
    data = (
        bytes.fromhex(case["msgpack"]) if subprotocol == MSGPACK else case["json"].encode("utf-8")
    )
    return codec.client_frame(data) if side == "client" else codec.server_frame(data)


@pytest.mark.parametrize("name", vectors.files())
def test_the_file_is_what_the_code_says(name: str) -> None:
    assert (vectors.FOLDER / name).read_text() == vectors.files()[name], "run `make golden`"


def test_every_frame_has_a_vector() -> None:
    assert {type(frame) for frame in vectors.CLIENT.values()} == set(CLIENT_FRAMES)
    assert {type(frame) for frame in vectors.SERVER.values()} == set(SERVER_FRAMES)


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
def test_frames_are_read_as_written(subprotocol: str) -> None:
    for case in load("frames.json"):
        frame = (vectors.CLIENT if case["from"] == "client" else vectors.SERVER)[case["name"]]
        assert read(case["from"], subprotocol, case) == frame


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
def test_frames_of_other_versions_are_read(subprotocol: str) -> None:
    for case in load("older.json"):
        assert read(case["from"], subprotocol, case) == vectors.CLIENT[case["reads_as"]]


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
def test_malformed_frames_are_refused(subprotocol: str) -> None:
    for case in load("malformed.json"):
        with pytest.raises(RemoteError):
            read("client", subprotocol, case)


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
@pytest.mark.parametrize("side", BOTH)
def test_unknown_frames_are_events(side: str, subprotocol: str) -> None:
    for case in load("unknown.json"):
        assert read(side, subprotocol, case) == Unknown("wave")
