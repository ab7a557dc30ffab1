"""A fork: two valid entries, signed, that build on the same entry of one group.

One log cannot hold both, so someone was shown another group. This is an alarm: sending stops and
the proof is kept. Only what someone was given as part of the log counts: the entry that lost a
race and was refused is forgotten by its author.
"""

from dataclasses import dataclass
from typing import Any, Final

from linnet.signing.device_list import prove_list
from linnet.signing.errors import ListRejected, Malformed
from linnet.signing.group_errors import EntryRefused
from linnet.signing.group_fold import fold
from linnet.signing.group_state import GroupState
from linnet.signing.objects import SignedObject
from linnet.signing.packing import pack, unpack

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """An entry and the list it cites."""

    entry: SignedObject
    cited: SignedObject


@dataclass(frozen=True, slots=True)
class Fork:
    """Two entries of which one log can hold one; the one with the lower hash first."""

    one: Evidence
    other: Evidence

    def to_bytes(self) -> bytes:
        """Encode for export: [1, [[body, sig], list [body, sig]], [the same of the other]]."""
        return pack([_FORMAT, _row(self.one), _row(self.other)])


def fork(state: GroupState, one: Evidence, other: Evidence) -> Fork | None:
    """Return the proof if both entries are valid on top of `state` and are not the same."""
    if one.entry.hash == other.entry.hash or not (_valid(state, one) and _valid(state, other)):
        return None
    low, high = sorted((one, other), key=lambda evidence: evidence.entry.hash)
    return Fork(low, high)


def read_fork(state: GroupState, data: bytes) -> Fork:
    """Read an exported proof and check it; `state` is the group that both build on.

    Raises Malformed if it proves nothing.
    """
    match unpack(data, max_depth=3):
        case [1, [one_entry, one_list], [other_entry, other_list]]:
            proof = fork(state, _evidence(one_entry, one_list), _evidence(other_entry, other_list))
        case _:
            raise Malformed("not a proof of format 1")
    if proof is None or proof.to_bytes() != data:
        raise Malformed("proves no fork")
    return proof


def _valid(state: GroupState, evidence: Evidence) -> bool:
    try:
        fold(state, evidence.entry, prove_list(evidence.cited))
    except (EntryRefused, ListRejected):
        return False
    return True


def _row(evidence: Evidence) -> list[Any]:
    return [evidence.entry.as_pair(), evidence.cited.as_pair()]


def _evidence(entry: Any, cited: Any) -> Evidence:
    return Evidence(SignedObject.from_pair(entry), SignedObject.from_pair(cited))
