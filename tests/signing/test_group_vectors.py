"""Group logs as files, for every implementation: what they fold to, what is refused, held, a fork.

`python -m tests.signing.test_group_vectors` writes the vectors again; the test says if they differ.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.signing.people import Person, create, entry, sealed_title, signed, stream

from linnet.signing import keys
from linnet.signing.device_list import encode_list, prove_list
from linnet.signing.group_changes import (
    MAX_MEMBERS,
    Add,
    Change,
    Confirm,
    Demote,
    Leave,
    Pair,
    Promote,
    Rekey,
    Remove,
    Retitle,
)
from linnet.signing.group_entry import decode_entry
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.group_fold import fold, fold_log, found
from linnet.signing.group_fork import Evidence, fork, read_fork
from linnet.signing.group_held import Step, effective, is_suspect
from linnet.signing.group_state import GroupState, next_entry
from linnet.signing.objects import SignedObject, sign_object
from linnet.signing.packing import pack, unpack

FOLDER = Path(__file__).parents[1] / "vectors" / "groups"
ABOUT = "See docs/protocol/groups.md. Bytes are hex; signed objects are {body, sig} in base64."


def shown(obj: SignedObject) -> Any:
    return json.loads(msgspec.json.encode(obj))


def taken(value: Any) -> SignedObject:
    return SignedObject.from_json(json.dumps(value))


def state_shown(state: GroupState) -> dict[str, Any]:
    """A state in JSON: members and cited lists ascending by account."""
    plain = msgspec.to_builtins(state, builtin_types=(bytes,))
    members = [{"account": id, **member} for id, member in sorted(plain["members"].items())]
    cited = [
        {"account": pair[:16], "account_key": pair[16:], **seen}
        for pair, seen in sorted(plain["cited"].items())
    ]
    hexed: dict[str, Any] = in_hex({**plain, "members": members, "cited": cited})
    return hexed


def in_hex(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case list():
            return [in_hex(item) for item in value]
        case dict():
            return {key: in_hex(item) for key, item in value.items()}
        case _:
            return value


def people(story: str, *names: str) -> list[Person]:
    return [Person.named(f"{name} {story}") for name in names]


# --- one long log ------------------------------------------------------------------------------


@dataclass
class Log:
    """A log that grows, with the list that each entry cites and the state after it."""

    entries: list[SignedObject] = field(default_factory=list)
    lists: dict[bytes, SignedObject] = field(default_factory=dict)
    states: list[GroupState] = field(default_factory=list)

    def begin(self, founder: Person, *members: Person, **more: Any) -> None:
        self._keep(create(founder, *members, **more), founder.newest, None)

    def adds(self, actor: Person, change: Change, device: int = 1, which: int = -1) -> None:
        made = entry(self.states[-1], actor, change, device=device, which=which)
        self._keep(made, actor.lists[which], self.states[-1])

    def _keep(self, made: SignedObject, cited: SignedObject, before: GroupState | None) -> None:
        proven = prove_list(cited)
        self.entries.append(made)
        self.lists[cited.hash] = cited
        self.states.append(found(made, proven) if before is None else fold(before, made, proven))


def a_life() -> Log:
    """Every change at least once, from the first entry to the last member."""
    ann, bob, cid, dan, eve = people("1", "ann", "bob", "cid", "dan", "eve")
    dan_anew = Person.named("dan anew", dan.account)
    laptop = ann.link()
    log = Log()
    log.begin(ann, bob, cid, title=sealed_title(1, b"first secret"))
    log.adds(ann, Promote(bob.account), device=laptop)
    log.adds(bob, Add(tuple(sorted((dan.pair, eve.pair)))))
    log.adds(ann, Retitle(sealed_title(1, b"first secret", b"another title")))
    log.adds(bob, Remove((cid.account,)))
    log.adds(bob, Retitle(sealed_title(6, b"second secret")))
    log.adds(ann, Rekey(dan.account, dan_anew.key.public))
    ann.revoke(laptop)
    log.adds(ann, Confirm())
    log.adds(ann, Demote(ann.account))
    log.adds(bob, Leave())
    log.adds(ann, Leave())
    log.adds(dan_anew, Leave())
    log.adds(eve, Leave())
    return log


def build_log() -> dict[str, Any]:
    log = a_life()
    return {
        "about": ABOUT,
        "lists": [shown(obj) for obj in log.lists.values()],
        "log": [
            {"entry": shown(obj), "state": state_shown(state)}
            for obj, state in zip(log.entries, log.states, strict=True)
        ],
    }


# --- refused -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    name: str
    reason: EntryReason
    before: Log
    entry: SignedObject
    cited: SignedObject


def refused() -> Iterator[Refused]:
    ann, bob, cid = people("2", "ann", "bob", "cid")
    reason = EntryReason
    short, after = Log(), Log()
    laptop = ann.link()
    for log in (short, after):
        log.begin(ann, bob, title=sealed_title(1, b"secret"))
    ann.revoke(laptop)
    after.adds(ann, Confirm())
    state = short.states[-1]

    def case(
        name: str, why: EntryReason, change: Change, actor: Person = ann, which: int = 1
    ) -> Refused:
        which = which if actor is ann else -1
        made = entry(state, actor, change, which=which)
        return Refused(name, why, short, made, actor.lists[which])

    def raw(name: str, why: EntryReason, row: Any) -> Refused:
        made = sign_object("group", ann.devices[1].private, pack(row), stream(name))
        return Refused(name, why, short, made, ann.lists[1])

    def changed(name: str, why: EntryReason, **changes: Any) -> Refused:
        made = signed(replace(honest, **changes), ann)
        return Refused(name, why, short, made, ann.lists[1])

    honest = next_entry(state, Promote(bob.account), ann.account, 1, ann.lists[1].hash)
    good = entry(state, ann, Promote(bob.account), which=1)
    row = unpack(good.body)
    yield raw("another format", reason.MALFORMED, [2, *row[1:]])
    yield raw("an element more", reason.MALFORMED, [*row, None])
    yield raw("an unknown change", reason.MALFORMED, [*row[:4], [99], *row[5:]])
    yield raw(
        "accounts descending", reason.MALFORMED, [*row[:4], [3, [b"b" * 16, b"a" * 16]], *row[5:]]
    )
    yield raw("a link, which comes later", reason.UNSUPPORTED, [*row[:4], [10], *row[5:]])
    yield changed("of another group", reason.GROUP, group=b"g" * 16)
    yield changed("on another entry", reason.STALE, prev=b"p" * 32)
    yield changed("a version too far", reason.STALE, version=3)
    ann.devices[9] = keys.generate(stream("unlisted"))
    unlisted = signed(replace(honest, device=9), ann, 9)
    yield Refused("by a device not listed", reason.DEVICE, short, unlisted, ann.lists[1])
    yield case("by a stranger", reason.NOT_MEMBER, Leave(), cid)
    yield Refused("with another list", reason.LIST, short, good, bob.newest)
    fake = Person.named("fake bob 2", bob.account)
    yield case("by a member under another account key", reason.LIST, Leave(), fake)
    old = entry(after.states[-1], ann, Promote(bob.account), device=laptop, which=1)
    yield Refused("by a revoked device, old list", reason.LIST_OLD, after, old, ann.lists[1])
    twin = renamed_twin(ann)
    body = next_entry(after.states[-1], Promote(bob.account), ann.account, 1, twin.hash)
    made = signed(body, ann)
    yield Refused("two lists of one version", reason.LIST_CONFLICT, after, made, twin)
    forged = SignedObject(good.body, bytes(64))
    yield Refused("not signed", reason.SIGNATURE, short, forged, ann.lists[1])
    other = sign_object("link", ann.devices[1].private, good.body, stream("label"))
    yield Refused("under another label", reason.SIGNATURE, short, other, ann.lists[1])
    yield case("added by a member", reason.NOT_ADMIN, Add((cid.pair,)), bob)
    yield case("the last admin steps down", reason.LAST_ADMIN, Demote(ann.account))
    yield case("an admin removes itself", reason.ONESELF, Remove((ann.account,)))
    yield case("an admin rekeys itself", reason.ONESELF, Rekey(ann.account, cid.key.public))
    many = tuple(Pair(n.to_bytes(16, "big"), cid.key.public) for n in range(MAX_MEMBERS - 1))
    yield case("the 1,025th member", reason.TOO_MANY, Add(many))
    yield case("added twice", reason.ALREADY_MEMBER, Add((bob.pair,)))
    yield case("a stranger promoted", reason.NO_SUCH_MEMBER, Promote(cid.account))
    yield case("a stranger removed", reason.NO_SUCH_MEMBER, Remove((cid.account,)))
    yield case("demoted, but no admin", reason.NO_CHANGE, Demote(bob.account))
    yield case("the same key", reason.NO_CHANGE, Rekey(bob.account, bob.key.public))
    yield case("the same list confirmed", reason.NO_CHANGE, Confirm())
    yield case("an unknown secret", reason.SECRET, Retitle(sealed_title(1, b"other")))
    yield case("the secret again as new", reason.SECRET, Retitle(sealed_title(2, b"secret")))


def renamed_twin(person: Person) -> SignedObject:
    """Another list of the version that was confirmed."""
    listed = person.proven().listed
    named = replace(listed, devices=(replace(listed.devices[0], name=b"twin"),))
    return sign_object("device-list", person.key.private, encode_list(named), stream("twin"))


def build_refused() -> dict[str, Any]:
    return {
        "about": ABOUT,
        "cases": [
            {
                "name": case.name,
                "before": [shown(obj) for obj in case.before.entries],
                "lists": [shown(obj) for obj in case.before.lists.values()],
                "entry": shown(case.entry),
                "list": shown(case.cited),
                "reason": case.reason,
            }
            for case in refused()
        ],
    }


# --- forks and held entries --------------------------------------------------------------------


def build_forks() -> dict[str, Any]:
    ann, bob, cid = people("3", "ann", "bob", "cid")
    log = Log()
    log.begin(ann, bob)
    state = log.states[-1]
    one = Evidence(entry(state, ann, Remove((bob.account,))), ann.newest)
    other = Evidence(entry(state, ann, Add((cid.pair,))), ann.newest)
    left = Evidence(entry(state, bob, Leave()), bob.newest)
    no_right = Evidence(entry(state, bob, Add((cid.pair,))), bob.newest)
    resigned = sign_object("group", ann.devices[1].private, one.entry.body, stream("again"))
    again = Evidence(resigned, ann.newest)
    pairs = {
        "by one admin": (one, other),
        "by two members": (left, other),
        "one body under two signatures": (one, again),
        "one of them not allowed": (one, no_right),
    }
    return {
        "about": f"{ABOUT} `proof` is the exported form, or null if it is no fork.",
        "log": [shown(obj) for obj in log.entries],
        "lists": [shown(obj) for obj in log.lists.values()],
        "cases": [
            {
                "name": name,
                "one": {"entry": shown(a.entry), "list": shown(a.cited)},
                "other": {"entry": shown(b.entry), "list": shown(b.cited)},
                "proof": (proof := fork(state, a, b)) and proof.to_bytes().hex(),
            }
            for name, (a, b) in pairs.items()
        ],
    }


def build_held() -> dict[str, Any]:
    """Entries after a settled one, what the reader holds of each actor, and how many count."""
    cases = []
    stories = {"its accomplice": "cid", "its own account": "ann", "another admin": "bob"}
    for name, who in stories.items():
        ann, bob, cid, leaver = people("4", "ann", "bob", "cid", "dan")
        laptop = ann.link()
        log = Log()
        log.begin(ann, bob, cid, leaver)
        log.adds(ann, Promote(bob.account))
        ann.revoke(laptop)
        log.adds(ann, Promote(cid.account), device=laptop, which=1)
        log.adds({"ann": ann, "bob": bob, "cid": cid}[who], Remove((leaver.account,)))
        cases.append(held_case(name, log, (ann, bob, cid, leaver)))
    return {"about": f"{ABOUT} The first two entries are settled.", "cases": cases}


def held_case(name: str, log: Log, everybody: tuple[Person, ...]) -> dict[str, Any]:
    newest = {person.account: person.newest for person in everybody}
    lists = [*log.lists.values(), *(obj for obj in newest.values() if obj.hash not in log.lists)]
    return {
        "name": name,
        "log": [shown(obj) for obj in log.entries],
        "lists": [shown(obj) for obj in lists],
        "newest": {account.hex(): obj.hash.hex() for account, obj in sorted(newest.items())},
        "effective": count_effective(log.entries, log.lists, newest, settled=2),
    }


def count_effective(
    entries: list[SignedObject],
    lists: dict[bytes, SignedObject],
    newest: dict[bytes, SignedObject],
    settled: int,
) -> int:
    base = state = fold_log(entries[:settled], lists)
    steps = []
    for obj in entries[settled:]:
        body = decode_entry(obj.body)
        cited = prove_list(lists[body.list_hash])
        state = fold(state, obj, cited)
        held = prove_list(newest[body.account]).listed
        steps.append(Step(body.account, state, is_suspect(body, cited.listed, held)))
    return settled + effective(base, steps)


# --- the files ---------------------------------------------------------------------------------

BUILDERS = {
    "log.json": build_log,
    "refused.json": build_refused,
    "forks.json": build_forks,
    "held.json": build_held,
}


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def cases(name: str) -> list[Any]:
    """None before the file was first written."""
    found: list[Any] = read(name)["cases"] if (FOLDER / name).exists() else []
    return found


def by_hash(values: list[Any]) -> dict[bytes, SignedObject]:
    return {obj.hash: obj for obj in map(taken, values)}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_committed_vectors_are_those_this_file_builds(name: str) -> None:
    assert read(name) == BUILDERS[name]()


def test_every_change_and_every_reason_is_in_the_vectors() -> None:
    changes = {
        type(decode_entry(taken(step["entry"]).body).change) for step in read("log.json")["log"]
    }
    assert changes == set(Change.__args__)
    assert {case["reason"] for case in read("refused.json")["cases"]} == set(EntryReason)


def test_the_log_folds_to_the_states_beside_it() -> None:
    data = read("log.json")
    lists = by_hash(data["lists"])
    state: GroupState | None = None
    for step in data["log"]:
        state = fold_log([taken(step["entry"])], lists, state)
        assert state_shown(state) == step["state"]


@pytest.mark.parametrize("case", cases("refused.json"), ids=lambda case: case["name"])
def test_an_entry_is_refused_for_its_reason(case: Any) -> None:
    state = fold_log([taken(obj) for obj in case["before"]], by_hash(case["lists"]))
    with pytest.raises(EntryRefused) as refusal:
        fold(state, taken(case["entry"]), prove_list(taken(case["list"])))
    assert refusal.value.reason == case["reason"]


@pytest.mark.parametrize("case", cases("forks.json"), ids=lambda case: case["name"])
def test_a_fork_is_told_from_what_is_none(case: Any) -> None:
    data = read("forks.json")
    state = fold_log([taken(obj) for obj in data["log"]], by_hash(data["lists"]))
    one, other = (
        Evidence(taken(case[side]["entry"]), taken(case[side]["list"])) for side in ("one", "other")
    )
    proof = fork(state, one, other)
    assert (proof and proof.to_bytes().hex()) == case["proof"]
    assert proof is None or read_fork(state, bytes.fromhex(case["proof"])) == proof


@pytest.mark.parametrize("case", cases("held.json"), ids=lambda case: case["name"])
def test_what_is_held_is_released_by_who_may(case: Any) -> None:
    lists = by_hash(case["lists"])
    newest = {bytes.fromhex(id): lists[bytes.fromhex(h)] for id, h in case["newest"].items()}
    entries = [taken(obj) for obj in case["log"]]
    assert count_effective(entries, lists, newest, settled=2) == case["effective"]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, build in BUILDERS.items():
        (FOLDER / name).write_text(json.dumps(build(), indent=1) + "\n")
