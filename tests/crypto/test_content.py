"""Content bytes Z: one content, one encoding; everything else is damaged or refused.

`python tests/crypto/test_content.py` writes the vectors again; the test says if they differ.
"""

import hmac
import json
from collections.abc import Iterator
from hashlib import sha256
from math import floor, log2
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from linnet.crypto.bodies import read_text, text_body
from linnet.crypto.content import (
    FRANKING_KEY_BYTES,
    MAX_Z_BYTES,
    Content,
    Damaged,
    Reference,
    Refused,
    check_frame,
    commitment,
    committed,
    open_content,
    padded_size,
    seal_content,
)
from linnet.crypto.content_array import MAX_ATTACHED
from linnet.signing.objects import SignedObject
from linnet.signing.packing import MAX_INT, pack, unpack

FILE = Path(__file__).parents[1] / "vectors" / "content" / "content.json"

ALICE, BOB, GROUP, EVE = (sha256(name).digest()[:16] for name in (b"a", b"b", b"g", b"e"))
K_F = sha256(b"franking key").digest()
HASH = sha256(b"list").digest()
TO_BOB, TO_ALICE, TO_GROUP = b"\1" + BOB, b"\1" + ALICE, b"\2" + GROUP

PLAIN = Content(
    id=bytes.fromhex("018f3b6c9a5e7c11b0a1c2d3e4f50617"),
    to=TO_BOB,
    sender=ALICE,
    device=1,
    counter=1,
    sent_ms=1_800_000_000_123,
    own_list=(3, HASH),
    kind="text",
    body=text_body("Hello Bob"),
)
FULL = replace(
    PLAIN,
    to=TO_GROUP,
    device=127,
    counter=MAX_INT,
    peer_list=(1, HASH),
    head=(9, HASH),
    reply=Reference(BOB, b"\5" + HASH, bytes(16)),
    timer=86_400,
    kind="poll",
    body=["Lunch?", ["soup", "bread"], None, True, -5, b"\0\x80"],
    attached=(SignedObject(b"body", bytes(64)), SignedObject(b"", b"\1" * 64)),
)
ROW: list[Any] = unpack(seal_content(PLAIN, K_F)[32:].rstrip(b"\0")[:-1])


def z_of(packed: bytes, mark: bytes = b"\x80") -> bytes:
    """Pad any bytes as content is padded."""
    unpadded = K_F + packed + mark
    return unpadded.ljust(padded_size(len(unpadded)), b"\0")


def with_item(index: int, value: Any) -> bytes:
    return z_of(pack([*ROW[:index], value, *ROW[index + 1 :]]))


def sized(length: int) -> Content:
    """Content of exactly `length` bytes before padding."""
    for size in range(max(0, length - 250), length):
        packed = pack([*ROW[:13], bytes(size), None])
        if len(packed) == length - 33:
            return replace(PLAIN, body=bytes(size))
    raise AssertionError


def valid() -> Iterator[tuple[str, Content]]:
    yield "plain text", PLAIN
    yield "every field", FULL
    yield "control", replace(PLAIN, counter=0, kind="receipt", body=[[PLAIN.id]])
    yield "unknown kind", replace(PLAIN, kind="hologram_2")
    yield "empty body", replace(PLAIN, body=None)
    yield "text beyond ASCII", replace(PLAIN, body=text_body("Grüße 🐦 \0"))
    yield "body of zero bytes and marks", replace(PLAIN, body=b"\0\x80\0\x80\0\0")
    yield "nested 8 deep", replace(PLAIN, body=[[[[[[[]]]]]]])
    for length in (319, 320, 321, 1_600, 1_601, 1_664, 1_665, 5_000):
        yield f"{length} bytes before padding", sized(length)


def damaged() -> Iterator[tuple[str, bytes]]:
    good = seal_content(PLAIN, K_F)
    packed = pack(ROW)
    yield "nothing", b""
    yield "zeros", bytes(160)
    yield "franking key alone", K_F
    yield "no array", z_of(b"")
    yield "a bucket too long", good + bytes(160)
    yield "a byte short", good[:-1]
    yield "a byte long", good + b"\0"
    yield "no end mark", z_of(packed, b"")
    yield "another end mark", z_of(packed, b"\x01")
    yield "two end marks", z_of(packed, b"\x80\x80")
    yield "bytes after the mark", good[:-1] + b"\1"
    yield "a value after the array", z_of(packed + b"\xc0")
    long = K_F + pack([*ROW[:13], b"x" * 1_700, None]) + b"\x80"
    yield "a multiple of 160 above 1,600", long.ljust(-(-len(long) // 160) * 160, b"\0")
    yield "too long", z_of(pack([*ROW[:13], bytes(MAX_Z_BYTES), None]))
    yield "not an array", z_of(pack(b"text"))
    yield "integer not in its shortest form", z_of(packed.replace(b"\x9f\x01", b"\x9f\xcc\x01", 1))
    yield "nested 9 deep", z_of(pack([*ROW[:13], [[[[[[[[]]]]]]]], None], max_depth=9))
    yield "a map for a body", z_of(msgspec.msgpack.encode([*ROW[:13], {}, None]))
    yield "a float for a body", z_of(msgspec.msgpack.encode([*ROW[:13], 1.5, None]))
    yield "format 2", with_item(0, 2)
    yield "format true", with_item(0, True)
    yield "14 fields", z_of(pack(ROW[:-1]))
    yield "16 fields", z_of(pack([*ROW, None]))
    yield "id of 15 bytes", with_item(1, bytes(15))
    yield "id of text", with_item(1, "i" * 16)
    yield "to without its type", with_item(2, BOB)
    yield "to of an unknown type", with_item(2, b"\3" + BOB)
    yield "to nil", with_item(2, None)
    yield "sender of 17 bytes", with_item(3, bytes(17))
    yield "device 0", with_item(4, 0)
    yield "device 128", with_item(4, 128)
    yield "device true", with_item(4, True)
    yield "counter -1", with_item(5, -1)
    yield "time -1", with_item(6, -1)
    yield "own list nil", with_item(7, None)
    yield "own list version 0", with_item(7, [0, HASH])
    yield "own list of three", with_item(7, [1, HASH, None])
    yield "own list hash of 31 bytes", with_item(7, [1, bytes(31)])
    yield "peer list false", with_item(8, False)
    yield "head of one", with_item(9, [1])
    yield "reply of two", with_item(10, [BOB, bytes(16)])
    yield "reply with a key of 32 bytes", with_item(10, [BOB, bytes(32), bytes(16)])
    yield "timer 0", with_item(11, 0)
    yield "kind empty", with_item(12, "")
    yield "kind of bytes", with_item(12, b"text")
    yield "kind in capitals", with_item(12, "Text")
    yield "kind with a line end", with_item(12, "text\n")
    yield "kind of 33 letters", with_item(12, "k" * 33)
    yield "attached empty", with_item(14, [])
    yield "attached not a pair", with_item(14, [[b""]])
    yield "attached with a short signature", with_item(14, [[b"", bytes(63)]])
    yield "attached too many", with_item(14, [[b"", bytes(64)]] * (MAX_ATTACHED + 1))


def frames() -> Iterator[tuple[str, Content, dict[str, Any], bool]]:
    """Yield (name, content, what brought it, accepted)."""
    direct = {"id": PLAIN.id, "to": TO_BOB, "sender": ALICE, "device": 1, "mode": 0, "own": BOB}
    yield "direct", PLAIN, direct, True
    yield "direct, narrowed", PLAIN, direct | {"mode": 1}, True
    yield "direct, on the sender's other device", PLAIN, direct | {"own": ALICE}, True
    yield "direct, at someone else", PLAIN, direct | {"own": EVE}, False
    yield "another id", PLAIN, direct | {"id": bytes(16)}, False
    yield "another conversation", PLAIN, direct | {"to": TO_GROUP}, False
    yield "another sender", PLAIN, direct | {"sender": EVE}, False
    yield "another device", PLAIN, direct | {"device": 2}, False
    yield "text as control", PLAIN, direct | {"mode": 2}, False
    yield "text as control, uncounted", replace(PLAIN, counter=0), direct | {"mode": 2}, False
    yield "a mode that is none", PLAIN, direct | {"mode": 3}, False
    yield "no counter where one belongs", replace(PLAIN, counter=0), direct, False
    yield "unknown kind", replace(PLAIN, kind="hologram"), direct, True
    control = replace(PLAIN, kind="receipt", counter=0)
    brought = direct | {"mode": 2}
    yield "control", control, brought, True
    yield "control, counted", replace(control, counter=1), brought, False
    yield "control as a message", replace(control, counter=1), direct, False
    yield "control, back at its sender", control, brought | {"own": ALICE}, False
    yield "control of an unknown kind", replace(control, kind="hologram"), brought, False
    note = replace(PLAIN, to=TO_ALICE)
    mine = direct | {"to": TO_ALICE, "own": ALICE}
    yield "note to self", note, mine, True
    yield "someone's note to themself", note, mine | {"own": BOB}, False
    sync = replace(note, kind="sync")
    yield "sync", sync, mine, True
    yield "someone's own sync", sync, mine | {"own": BOB}, False
    yield "sync from a peer", replace(PLAIN, kind="sync"), direct, False
    yield "sync to a peer, on the own device", replace(PLAIN, kind="sync"), mine, False
    history = replace(note, kind="history")
    window = mine | {"primary": True, "linking": True}
    yield "history from the primary in its window", history, window, True
    yield "history from another device", history, window | {"primary": False}, False
    yield "history outside the window", history, window | {"linking": False}, False
    group = replace(PLAIN, to=TO_GROUP)
    posted = direct | {"to": TO_GROUP}
    yield "group", group, posted, True
    yield "group, narrowed", group, posted | {"mode": 1}, False
    yield "group, control", replace(control, to=TO_GROUP), posted | {"mode": 2}, False
    yield "group notice", replace(group, kind="group_notice"), posted, True
    yield "group notice, direct", replace(PLAIN, kind="group_notice"), direct, False
    yield "typing as a message", replace(PLAIN, kind="typing"), direct, False
    yield "story as a message", replace(PLAIN, kind="story"), direct, False


def shown(value: Any) -> Any:
    """The value in JSON: a bin is {"bin": hex}; objects by field name."""
    match value:
        case bytes():
            return {"bin": value.hex()}
        case list() | tuple():
            return [shown(item) for item in value]
        case dict():
            return {name: shown(item) for name, item in value.items()}
        case Content() | Reference() | SignedObject():
            return shown(asdict(value))
        case _:
            return value


def build() -> dict[str, Any]:
    sealed = [(name, content, seal_content(content, K_F)) for name, content in valid()]
    return {
        "about": "Content; see docs/protocol/content.md. Data is hex, a bin value {bin: hex}.",
        "k_f": K_F.hex(),
        "valid": [
            {"name": n, "content": shown(c), "z": z.hex(), "commitment": commitment(z).hex()}
            for n, c, z in sealed
        ],
        "damaged": [{"name": n, "z": z.hex()} for n, z in damaged() if len(z) < 10_000],
        "frames": [
            {"name": n, "content": shown(c), "frame": shown(frame), "accepted": accepted}
            for n, c, frame, accepted in frames()
        ],
        "padded_size": [[n, padded_size(n)] for n in LENGTHS],
    }


LENGTHS = [1, 159, 160, 161, 1_440, 1_600, 1_601, 1_664, 1_665, 2_047, 2_048, 2_049, 4_097]
LENGTHS += [9_999, 32_769, 65_535, 65_536, 100_000]


def test_the_committed_vectors_are_those_this_file_builds() -> None:
    assert json.loads(FILE.read_text()) == build()


@pytest.mark.parametrize(("name", "content"), list(valid()))
def test_content_comes_back_as_it_was(name: str, content: Content) -> None:
    z = seal_content(content, K_F)
    again = open_content(z)
    assert (again, z[:32]) == (content, K_F), name
    assert seal_content(again, K_F) == z


@pytest.mark.parametrize(("name", "z"), list(damaged()))
def test_anything_else_is_damaged(name: str, z: bytes) -> None:
    with pytest.raises(Damaged):
        open_content(z)


def test_the_damage_above_is_each_time_only_the_one_named() -> None:
    assert open_content(z_of(pack(ROW))) == PLAIN


@pytest.mark.parametrize(("name", "content", "frame", "accepted"), list(frames()))
def test_content_is_compared_with_what_brought_it(
    name: str, content: Content, frame: dict[str, Any], accepted: bool
) -> None:
    assert open_content(seal_content(content, K_F)) == content
    if accepted:
        check_frame(content, **frame)
    else:
        with pytest.raises(Refused):
            check_frame(content, **frame)


REFS = st.tuples(st.integers(1, MAX_INT), st.binary(min_size=32, max_size=32))
IDS = st.binary(min_size=16, max_size=16)
KEYS = st.binary(min_size=33, max_size=33)
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)
CONTENTS = st.builds(
    Content,
    id=IDS,
    to=st.tuples(st.sampled_from([b"\1", b"\2"]), IDS).map(b"".join),
    sender=IDS,
    device=st.integers(1, 127),
    counter=st.integers(0, MAX_INT),
    sent_ms=st.integers(0, MAX_INT),
    own_list=REFS,
    peer_list=st.none() | REFS,
    head=st.none() | REFS,
    reply=st.none() | st.builds(Reference, IDS, KEYS, IDS),
    timer=st.none() | st.integers(1, MAX_INT),
    kind=st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True),
    body=BODIES,
    attached=st.none()
    | st.lists(
        st.builds(SignedObject, st.binary(), st.binary(min_size=64, max_size=64)),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


@given(content=CONTENTS, k_f=st.binary(min_size=32, max_size=32))
def test_any_content_has_exactly_one_z_for_a_key(content: Content, k_f: bytes) -> None:
    z = seal_content(content, k_f)
    assert open_content(z) == content
    assert len(z) % 160 == 0 or len(z) > 1_600


@given(z=st.binary(max_size=400))
def test_noise_is_damaged(z: bytes) -> None:
    with pytest.raises(Damaged):
        open_content(z)


@given(content=CONTENTS, position=st.integers(0), byte=st.integers(0, 255))
def test_a_changed_byte_never_reads_as_the_same_content(
    content: Content, position: int, byte: int
) -> None:
    z = bytearray(seal_content(content, K_F))
    position = FRANKING_KEY_BYTES + position % (len(z) - FRANKING_KEY_BYTES)
    same = z[position] == byte
    z[position] = byte
    try:
        again = open_content(bytes(z))
    except Damaged:
        return
    # As bytes: to Python the body False equals the body 0.
    assert same or seal_content(again, K_F) != seal_content(content, K_F)
    assert seal_content(again, K_F) == bytes(z)


@given(packed=st.binary(max_size=200))
def test_noise_that_is_padded_well_is_damaged(packed: bytes) -> None:
    with pytest.raises(Damaged):
        open_content(z_of(packed))


@given(row=st.lists(BODIES, min_size=14, max_size=14))
def test_an_array_of_anything_is_damaged(row: list[Any]) -> None:
    with pytest.raises(Damaged):
        open_content(z_of(pack([1, *row], max_depth=32)))


@given(length=st.integers(1, 1_000_000))
def test_the_padded_size_is_a_bucket_or_padme(length: int) -> None:
    size = padded_size(length)
    if length <= 1_600:
        assert size in range(160, 1_601, 160)
        assert size - length < 160
    else:
        exponent = floor(log2(length))
        step = 2 ** (exponent - (floor(log2(exponent)) + 1))
        assert size % step == 0
        assert 0 <= size - length < step
    assert padded_size(size) == size


def test_the_commitment_is_an_hmac_under_the_franking_key() -> None:
    z = seal_content(PLAIN, K_F)
    expected = hmac.new(K_F, b"linnet/frank/1\0" + z, "sha256").digest()
    assert commitment(z) == expected
    assert committed(z, expected)
    assert not committed(z, bytes(32))


def two_readings() -> Iterator[tuple[str, bytes]]:
    """Yield content that one lax reader reads as "yes" and another one as "no"."""
    yes, no = (pack([*ROW[:13], text_body(text), None]) for text in ("yes", "no"))
    longer = pack([*ROW[:13], ["yes" + 30 * " ", "no"], None])
    yield "one array after the other", z_of(yes + no)
    yield "one array after the end of the other", z_of(yes + b"\x80" + no)
    yield "one array in the padding of the other", z_of(yes)[: -len(no) - 1] + no + b"\x80"
    yield (
        "the first of two keys, or the last",
        z_of(
            msgspec.msgpack.encode([*ROW[:13], None, None]).replace(
                b"\xc0\xc0", b"\x82\xa1t\xa3yes\xa1t\xa2no\xc0"
            )
        ),
    )
    yield "more items than the array says", z_of(b"\x9e" + yes[1:])
    yield "fewer items than the array says", z_of(b"\xdc\x00\x10" + yes[1:])
    yield "a text longer than it says", z_of(yes.replace(b"\xa3yes", b"\xa2yes"))
    yield "a length in another form", z_of(yes.replace(b"\xa3yes", b"\xd9\x03yes"))
    yield "an array in another form", z_of(b"\xdc\x00\x0f" + yes[1:])
    yield "text that is no UTF-8", z_of(yes.replace(b"\xa3yes", b"\xa3\xf0no"))
    yield "an overlong character", z_of(longer.replace(b"yes ", b"\xc1\xaes "))
    yield "an extension type", z_of(yes.replace(b"\xa3yes", b"\xc7\x02\x01no"))
    yield "the end mark inside the text", z_of(yes[: yes.index(b"yes")], b"\x80yes\x80")


@pytest.mark.parametrize("z", [pytest.param(z, id=name) for name, z in two_readings()])
def test_two_texts_never_have_one_commitment_by_parser_tricks(z: bytes) -> None:
    assert committed(z, commitment(z))
    with pytest.raises(Damaged):
        open_content(z)


def test_a_franking_key_of_other_bytes_of_z_commits_to_nothing_else() -> None:
    z = seal_content(PLAIN, K_F)
    moved = hmac.new(z[1:33], b"linnet/frank/1\0" + z, "sha256").digest()
    assert not committed(z, moved)
    assert not committed(z[1:] + b"\0", commitment(z))


def test_another_franking_key_makes_another_commitment() -> None:
    one, two = seal_content(PLAIN, K_F), seal_content(PLAIN, bytes(32))
    assert commitment(one) != commitment(two)
    assert not committed(two, commitment(one))


@pytest.mark.parametrize(
    "content",
    [
        replace(PLAIN, device=0),
        replace(PLAIN, kind="Text"),
        replace(PLAIN, body=1.5),
        replace(PLAIN, attached=()),
        replace(PLAIN, own_list=(1, b"")),
        replace(PLAIN, reply=Reference(b"", b"", b"")),
        replace(PLAIN, body=b"x" * MAX_Z_BYTES),
    ],
)
def test_what_would_be_damaged_is_never_sealed(content: Content) -> None:
    with pytest.raises(ValueError, match="content"):
        seal_content(content, K_F)


def test_a_franking_key_of_another_size_is_never_used() -> None:
    with pytest.raises(ValueError, match="franking key"):
        seal_content(PLAIN, K_F[1:])


def test_the_longest_content_fits() -> None:
    longest = sized(MAX_Z_BYTES)
    z = seal_content(longest, K_F)
    assert len(z) == MAX_Z_BYTES
    assert open_content(z) == longest


def test_repr_shows_neither_text_nor_names() -> None:
    assert repr(PLAIN) == "Content(kind='text')"


def test_a_text_body_is_an_array_that_may_grow() -> None:
    assert read_text(text_body("hi")) == "hi"
    assert read_text(["hi", [1, 2]]) == "hi"


@pytest.mark.parametrize("body", [None, "hi", [], [b"hi"], [1]])
def test_another_body_is_no_text(body: Any) -> None:
    with pytest.raises(Damaged):
        read_text(body)


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
