"""The whole product of kinds, recipients, modes, sealing and senders: what is let in, and why."""

from itertools import product

import pytest
from msgspec.structs import replace
from tests.crypto.test_content import ALICE, BOB, EVE, GROUP, PLAIN

from linnet.crypto.content import Refused, check_frame, check_nested
from linnet.crypto.kinds import RULES, Mode

KINDS = [*RULES, "hologram"]
TO = {"own": b"\1" + ALICE, "me": b"\1" + BOB, "third": b"\1" + EVE, "group": b"\2" + GROUP}
CONTROL = [
    "sender_key",
    "signal_key",
    "profile_key",
    "device_list",
    "group_secret",
    "group_secret_request",
]
CONTROL += ["resend", "resend_request", "receipt"]
GROUP_CONTROL = ("sender_key", "group_secret", "group_secret_request")
ELSEWHERE = (*CONTROL, "typing", "story", "sync", "history")


def let_in(kind: str, to: str, mode: int, sealed: bool, from_own: bool, first: bool) -> bool:
    """The rules as one sentence after another; Bob's device receives.

    `from_own`: Bob sent it, else Alice; `first`: its counter is 1, else 0.
    """
    if mode == Mode.CONTROL:
        known = kind in CONTROL and not (sealed and kind in GROUP_CONTROL)
        return to == "me" and known and not first
    if not first:
        return False
    if to == "group":
        message = kind not in (*ELSEWHERE, "sealed")
        return mode == Mode.FULL and not sealed and message
    if to == "me" and from_own:
        own = kind not in (*ELSEWHERE, "group_notice", "sealed") and not sealed
        return own or kind == "sync"
    mine = to == "me" or (from_own and not sealed)
    return mine and kind not in (*ELSEWHERE, "group_notice")


PRODUCT = list(product(TO, [*Mode, 3], (False, True), (False, True), (False, True)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_product(kind: str) -> None:
    admitted = 0
    for to, mode, sealed, from_own, first in PRODUCT:
        sender = BOB if from_own else ALICE
        content = replace(PLAIN, kind=kind, to=TO[to], sender=sender, counter=int(first))
        expected = mode in tuple(Mode) and let_in(kind, to, mode, sealed, from_own, first)
        try:
            check_frame(
                content,
                id=content.id,
                to=content.to,
                sender=sender,
                device=content.device,
                mode=mode,
                own=BOB,
                sealed=sealed,
            )
        except Refused:
            assert not expected, (to, mode, sealed, from_own, first)
        else:
            assert expected, (to, mode, sealed, from_own, first)
            admitted += 1
    assert admitted or kind in ("typing", "story", "history")


def test_nested_content_is_of_the_account_and_a_resend_of_the_device() -> None:
    check_nested(PLAIN, account=ALICE)
    check_nested(PLAIN, account=ALICE, device=PLAIN.device)
    with pytest.raises(Refused):
        check_nested(PLAIN, account=BOB)
    with pytest.raises(Refused):
        check_nested(PLAIN, account=ALICE, device=PLAIN.device + 1)
