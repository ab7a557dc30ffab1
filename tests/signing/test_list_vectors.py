"""Device lists as files, for every implementation: the alarm, and what a list is at which time.

Which lists are refused is in `test_device_list.py`. `python -m tests.signing.test_list_vectors`
writes the vectors again; the test says if they differ.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.signing.people import Person
from tests.signing.test_list_alarm import NO_ALARM, SAME_SET, SAME_VERSION, SECOND

from linnet.signing.device_list import CLOCK_SLACK_S, decode_list
from linnet.signing.list_alarm import conflict, read_conflict
from linnet.signing.list_clock import (
    NARROW_AFTER_S,
    REFETCH_AFTER_S,
    SIGN_AGAIN_AFTER_S,
    WARN_BEFORE_S,
    addressees,
    due_for_signing,
    is_early,
    is_expired,
    needs_refetch,
    standing,
)
from linnet.signing.objects import SignedObject

FOLDER = Path(__file__).parents[1] / "vectors" / "lists"
ABOUT = "See docs/protocol/devices.md. Bytes are hex; signed objects are {body, sig} in base64."

ALARM = {
    "one version, two bodies": (SECOND, SAME_VERSION),
    "one set, other devices": (SECOND, SAME_SET),
}


def shown(obj: SignedObject) -> Any:
    return json.loads(msgspec.json.encode(obj))


def taken(value: Any) -> SignedObject:
    return SignedObject.from_json(json.dumps(value))


def build_conflicts() -> dict[str, Any]:
    return {
        "about": f"{ABOUT} `proof` is the exported form, or null if it is no alarm.",
        "cases": [
            {
                "name": name,
                "one": shown(one),
                "other": shown(other),
                "proof": (proof := conflict(one, other)) and proof.to_bytes().hex(),
            }
            for name, (one, other) in {**ALARM, **NO_ALARM}.items()
        ],
    }


def build_lifetimes() -> dict[str, Any]:
    person = Person.named("lifetimes")
    person.link()
    listed = decode_list(person.newest.body)
    edges = [
        listed.issued - CLOCK_SLACK_S,
        listed.issued + SIGN_AGAIN_AFTER_S,
        listed.issued + NARROW_AFTER_S,
        listed.issued + REFETCH_AFTER_S + 1,
        listed.expires - WARN_BEFORE_S,
        listed.expires + CLOCK_SLACK_S + 1,
    ]
    moments = sorted({moment for edge in edges for moment in (edge - 1, edge)})
    return {
        "about": f"{ABOUT} The list was confirmed, and a newer one proven, when it was issued.",
        "list": shown(person.newest),
        "moments": [moment(person.newest, now_s) for now_s in moments],
    }


def moment(obj: SignedObject, now_s: int) -> dict[str, Any]:
    listed = decode_list(obj.body)
    to = addressees(listed, now_s)
    missing = addressees(listed, now_s, listed.issued)
    return {
        "now_s": now_s,
        "early": is_early(listed, now_s),
        "expired": is_expired(listed, now_s),
        "sign_again": due_for_signing(listed, now_s),
        "refetch": needs_refetch(listed.issued, now_s),
        "standing": standing(listed, now_s),
        "addressees": [device.id for device in to],
        "addressees_if_a_newer_list_is_missing": [device.id for device in missing],
    }


BUILDERS = {"conflicts.json": build_conflicts, "lifetimes.json": build_lifetimes}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_committed_vectors_are_those_this_file_builds(name: str) -> None:
    assert json.loads((FOLDER / name).read_text()) == BUILDERS[name]()


def test_the_alarm_is_told_from_what_is_none() -> None:
    cases = json.loads((FOLDER / "conflicts.json").read_text())["cases"]
    for case in cases:
        proof = conflict(taken(case["one"]), taken(case["other"]))
        assert (proof and proof.to_bytes().hex()) == case["proof"]
        assert proof is None or read_conflict(bytes.fromhex(case["proof"])) == proof
    assert sum(case["proof"] is not None for case in cases) == len(ALARM)


def test_every_rule_changes_at_some_moment() -> None:
    moments = build_lifetimes()["moments"]
    for rule in set(moments[0]) - {"now_s"}:
        assert len({str(at[rule]) for at in moments}) > 1


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, build in BUILDERS.items():
        (FOLDER / name).write_text(json.dumps(build(), indent=1) + "\n")
