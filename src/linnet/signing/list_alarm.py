"""The alarm: two device lists, both valid, of which an honest account signs only one.

Whoever holds both has a proof against the account key, to be exported and checked by anyone. The
way out is a person's: compare safety numbers, then a higher version. What merely looks odd, or
cannot be had, is no alarm.
"""

from dataclasses import dataclass
from typing import Final

from linnet.signing.device_list import DeviceList, prove_list
from linnet.signing.errors import ListRejected, Malformed
from linnet.signing.objects import SignedObject
from linnet.signing.packing import pack, unpack

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ListConflict:
    """Two lists under one account key that contradict each other; the lower hash first."""

    one: SignedObject
    other: SignedObject

    def to_bytes(self) -> bytes:
        """Encode for export: [1, [body, sig], [body, sig]]."""
        return pack([_FORMAT, self.one.as_pair(), self.other.as_pair()])


def conflict(one: SignedObject, other: SignedObject) -> ListConflict | None:
    """Return the proof if both lists are valid, of one account and account key, and contradict.

    They do if they have one version and two bodies, or one set and other devices or keys. Needs no
    clock: an expired list proves as much.
    """
    try:
        contradict = _contradict(prove_list(one).listed, prove_list(other).listed)
    except ListRejected:
        return None
    if one.body == other.body or not contradict:
        return None
    low, high = sorted((one, other), key=lambda obj: obj.hash)
    return ListConflict(low, high)


def read_conflict(data: bytes) -> ListConflict:
    """Read an exported proof and check it. Raises Malformed if it proves nothing."""
    match unpack(data, max_depth=2):
        case [int(format), one, other] if format == _FORMAT:
            proof = conflict(SignedObject.from_pair(one), SignedObject.from_pair(other))
        case _:
            raise Malformed("not a proof of format 1")
    if proof is None or proof.to_bytes() != data:
        raise Malformed("proves no conflict")
    return proof


def _contradict(one: DeviceList, other: DeviceList) -> bool:
    if (one.account, one.key) != (other.account, other.key):
        return False
    other_devices = one.set == other.set and one.device_keys() != other.device_keys()
    return one.version == other.version or other_devices
