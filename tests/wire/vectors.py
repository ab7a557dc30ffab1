"""Golden vectors of the wire: what every implementation must read and write alike.

`tests/vectors/wire/README.md` says how to read the files. Values are fixed, not random, so that
the files change only when the protocol does.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from linnet.wire import frames as f
from linnet.wire.codec import CODECS, JSON, MSGPACK
from linnet.wire.errors import CLOSES, ERRORS
from linnet.wire.ids import AccountId, direct_conversation, message_id, show, to_account
from linnet.wire.limits import SessionLimits
from linnet.wire.session import CLIENT_SAYS, SERVER_SAYS, State

FOLDER = Path(__file__).parents[1] / "vectors" / "wire"

TIME = 1_790_000_000_123
TOP = (1 << 53) - 1


def _bytes(name: str, size: int) -> bytes:
    """Bytes that differ by name and are the same in every run."""
    return hashlib.shake_128(name.encode()).digest(size)


ALICE, BOB = AccountId(_bytes("alice", 16)), AccountId(_bytes("bob", 16))
TALK = direct_conversation(ALICE, BOB)
ID = message_id(TIME, _bytes("random", 10))
BOUND = _bytes("commitment", 32)
PROOF = _bytes("proof", 16)

CLIENT: dict[str, Any] = {
    "hello": f.Hello(token="aaa.bbb.ccc", device=1),
    "hello, resuming": f.Hello(token="ü✓", device=127, resume=41, proof=PROOF, proved=TOP),
    "token": f.Renew(token="ddd.eee.fff"),
    "message to an account": f.Send(
        id=ID,
        to=to_account(BOB),
        mode=f.FULL,
        commitment=BOUND,
        timestamp=TIME,
        sets=(3, 1),
        parts=[
            f.Part(device=1, kind=3, ciphertext=_bytes("first", 40)),
            f.Part(device=2, kind=2, ciphertext=_bytes("second", 33)),
        ],
        own_parts=[f.Part(device=5, kind=2, ciphertext=_bytes("own", 1))],
    ),
    "message to a group": f.Send(
        id=ID,
        to=b"\x02" + _bytes("group", 16),
        mode=f.FULL,
        commitment=BOUND,
        timestamp=TIME,
        roster=7,
        body=_bytes("body", 48),
    ),
    "ack": f.Ack(position=TOP),
    "status?": f.StatusQuery(conversations=[TALK, _bytes("other talk", 16)]),
    "ping": f.Ping(),
}
SERVER: dict[str, Any] = {
    "welcome": f.Welcome(head=507, proof=PROOF, server_time=TIME, limits=SessionLimits()),
    "welcome, eased": f.Welcome(
        head=0, proof=b"", server_time=0, limits=SessionLimits(20, 90, 1, 2, 3)
    ),
    "message": f.Deliver(
        position=507,
        prev=500,
        conversation=TALK,
        conv_seq=12,
        id=ID,
        sender=ALICE,
        device=1,
        mode=f.FULL,
        kind=3,
        ciphertext=_bytes("first", 40),
        commitment=BOUND,
        timestamp=TIME,
        server_timestamp=TIME + 5,
        sets=(3, 1),
    ),
    "message, stamped": f.Deliver(
        position=TOP,
        prev=0,
        conversation=TALK,
        conv_seq=0,
        id=ID,
        sender=BOB,
        device=127,
        mode=f.CONTROL,
        kind=7,
        ciphertext=b"",
        commitment=BOUND,
        timestamp=0,
        server_timestamp=TOP,
        roster=9,
        stamp=_bytes("stamp", 66),
    ),
    "row": f.Row(position=508, prev=507, conversation=TALK, conv_seq=13),
    "own": f.Own(
        position=509,
        prev=508,
        conversation=TALK,
        id=ID,
        conv_seq=14,
        server_timestamp=TIME,
        commitment=BOUND,
        sets=(3, 1),
    ),
    "sent": f.Sent(
        id=ID,
        conv_seq=14,
        server_timestamp=TIME,
        commitment=BOUND,
        sets=(3, 1),
        position=509,
        prev=508,
    ),
    "sent, without a row": f.Sent(id=ID, conv_seq=1, server_timestamp=TIME, commitment=BOUND),
    "rejected": f.Rejected(id=ID, code="devices_changed", retryable=True, sets=(4, 1)),
    "resync": f.Resync(start=300),
    "status": f.Status(conversation=TALK, account=BOB, delivered=[(1, 12), (14, 14)]),
    "group_status": f.GroupStatus(
        conversation=_bytes("group", 16), delivered=[(ALICE, [(1, 4)]), (BOB, [(1, 2), (4, 4)])]
    ),
    "devices": f.DevicesChanged(account=ALICE, set=4),
    "group": f.GroupChanged(group=_bytes("group", 16), roster=9),
    "message, sealed": f.Deliver(
        position=508,
        prev=507,
        conversation=bytes(16),
        conv_seq=0,
        id=ID,
        sender=bytes(16),
        device=0,
        mode=f.FULL,
        kind=f.SEALED,
        ciphertext=_bytes("sealed", 40),
        commitment=bytes(32),
        timestamp=0,
        server_timestamp=TIME,
    ),
    "pong": f.Pong(head=509, proof=PROOF),
    "error": f.Error(code="rate_limited", text="Wait – a moment.", retryable=True, re="status?"),
    "drain": f.Drain(within_s=10),
}
MALFORMED: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "no fields": (["ack"], {"type": "ack"}),
    "position at 2^53": (["ack", TOP + 1], {"type": "ack", "position": TOP + 1}),
    "negative position": (["ack", -1], {"type": "ack", "position": -1}),
    "position as text": (["ack", "1"], {"type": "ack", "position": "1"}),
    "device 0": (["hello", "t", 0], {"type": "hello", "token": "t", "device": 0}),
    "device 128": (["hello", "t", 128], {"type": "hello", "token": "t", "device": 128}),
    "empty token": (["hello", "", 1], {"type": "hello", "token": "", "device": 1}),
    "short conversation": (["status?", [b"x"]], {"type": "status?", "conversations": ["eA=="]}),
    "type is a number": ([5], {"type": 5}),
    "no type": ([], {}),
}
UNKNOWN: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "wave": (["wave"], {"type": "wave"}),
    "wave, with fields": (["wave", {"a": [1]}, b"b"], {"type": "wave", "a": {"b": [1]}}),
}


def files() -> dict[str, str]:
    """File name to contents."""
    made = {
        "frames.json": _frames(),
        "older.json": _older(),
        "malformed.json": _foreign(MALFORMED),
        "unknown.json": _foreign(UNKNOWN),
        "ids.json": _ids(),
        "codes.json": _codes(),
        "session.json": _session(),
    }
    return {
        name: json.dumps(value, indent=1, ensure_ascii=False) + "\n" for name, value in made.items()
    }


def _frames() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "from": side,
            "msgpack": CODECS[MSGPACK].encode(frame).hex(),
            "json": CODECS[JSON].encode(frame).decode(),
        }
        for side, said in (("client", CLIENT), ("server", SERVER))
        for name, frame in said.items()
    ]


def _older() -> list[dict[str, Any]]:
    """Frames as an older and a newer end would write them, and the frame they must be read as."""
    hello = msgspec.msgpack.decode(CODECS[MSGPACK].encode(CLIENT["hello"]))
    said = json.loads(CODECS[JSON].encode(CLIENT["hello"]))
    older = {key: said[key] for key in ("type", "token", "device")}
    return [
        {
            "name": name,
            "from": "client",
            "reads_as": "hello",
            "msgpack": msgspec.msgpack.encode(items).hex(),
            "json": json.dumps(fields),
        }
        for name, items, fields in (
            ("without later fields", hello[:3], older),
            ("with fields of the future", [*hello, 1, "x"], said | {"future": [1, {}]}),
        )
    ]


def _foreign(cases: dict[str, tuple[list[Any], dict[str, Any]]]) -> list[dict[str, str]]:
    return [
        {"name": name, "msgpack": msgspec.msgpack.encode(items).hex(), "json": json.dumps(fields)}
        for name, (items, fields) in cases.items()
    ]


def _ids() -> dict[str, Any]:
    pairs = [(ALICE, BOB), (BOB, ALICE), (ALICE, ALICE)]
    times = [(0, bytes(10)), (TIME, _bytes("random", 10)), ((1 << 48) - 1, b"\xff" * 10)]
    return {
        "message_id": [
            {"now_ms": now, "random": noise.hex(), "id": message_id(now, noise).hex()}
            for now, noise in times
        ],
        "direct_conversation": [
            {"one": one.hex(), "other": other.hex(), "is": direct_conversation(one, other).hex()}
            for one, other in pairs
        ],
        "to_account": [{"account": ALICE.hex(), "address": to_account(ALICE).hex()}],
        "shown": [{"id": ALICE.hex(), "text": show(ALICE)}],
    }


def _codes() -> dict[str, Any]:
    return {
        "errors": [
            {"code": row.code, "retryable": row.retryable, "status": row.status}
            for row in ERRORS.values()
        ],
        "closes": [
            {"code": row.code, "name": row.name, "then": row.reconnect.name.lower()}
            for row in CLOSES.values()
        ],
    }


def _session() -> list[dict[str, Any]]:
    return [
        {"state": state.value, "from": side, "frame": _tag(kind), "then": turns[kind].value}
        for state in State
        for side, says in (("client", CLIENT_SAYS), ("server", SERVER_SAYS))
        for turns in (says[state],)
        for kind in turns
    ]


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)
