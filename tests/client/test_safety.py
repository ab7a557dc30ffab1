"""Comparing safety numbers, and what a changed account key does until and after it is accepted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.client.post_office import Device
from tests.client.test_hostile_messages import relisted
from tests.client.test_sender import Rig, rig

from linnet.client import lists, own_channel
from linnet.client.errors import NotTrusted
from linnet.client.events import IdentityChanged, NotSent
from linnet.client.safety import Safety, to_text
from linnet.crypto.errors import Malformed
from linnet.crypto.safety_number import safety_number

__all__ = ["rig"]


@dataclass
class Doubt:
    """Alice knows Bob; the server begins to show another key for his account."""

    rig: Rig
    safety: Safety
    impostor: Device

    async def begins(self) -> None:
        """The impostor's list and keys are what the server shows from now on."""
        bob = self.rig.bob.account
        self.rig.server.offered = await relisted(self.impostor, bob)
        self.rig.server.bundle = await self.impostor.bundle()
        await self.rig.directory.refresh(bob)


@pytest.fixture
async def doubt(rig: Rig, tmp_path: Path) -> AsyncIterator[Doubt]:
    await rig.alice.meet(rig.bob)
    impostor = await Device.make(tmp_path / "impostor", 9, rig.alice.clock)
    channel = own_channel.OwnChannel(rig.alice.account, rig.world.environment())
    own = rig.alice.own_key
    safety = Safety(rig.alice.store, rig.directory, channel, own, lambda: None)
    yield Doubt(rig, safety, impostor)
    await impostor.store.close()


def theirs(of: Device, rig: Rig) -> str:
    """The text under the QR code that a device with this account key would show as Bob's."""
    alice, bob = rig.alice, rig.bob
    return to_text(safety_number(bob.account, of.own_key, alice.account, alice.own_key))


async def test_the_other_side_s_number_is_compared_in_every_form(doubt: Doubt) -> None:
    rig, safety, bob = doubt.rig, doubt.safety, doubt.rig.bob.account
    number = safety_number(bob, rig.bob.own_key, rig.alice.account, rig.alice.own_key)
    groups = [number.digits[at : at + 5] for at in range(0, 60, 5)]
    in_lines = " ".join(groups[:6]) + "\n" + " ".join(groups[6:])
    for shown in (to_text(number), number.scannable, number.digits, in_lines):
        assert not await safety.verified(bob)
        assert await safety.verify(bob, shown)
        assert await safety.verified(bob)
        await safety.mark_verified(bob, False)


async def test_another_number_verifies_nothing(doubt: Doubt) -> None:
    rig, safety = doubt.rig, doubt.safety
    assert not await safety.verify(rig.bob.account, theirs(doubt.impostor, rig))
    assert not await safety.verify(rig.bob.account, "0" * 60)
    for nonsense in ("", "12345", "no/code+at all", "ä" * 60, "٣" * 60):
        with pytest.raises(Malformed):
            await safety.verify(rig.bob.account, nonsense)
    assert not await safety.verified(rig.bob.account)


async def test_the_text_of_a_code_is_99_letters_of_base64url(doubt: Doubt) -> None:
    text = theirs(doubt.rig.bob, doubt.rig)
    assert len(text) == 99
    assert text.replace("-", "").replace("_", "").isalnum()


async def test_a_changed_key_can_be_compared_before_it_is_accepted(doubt: Doubt) -> None:
    rig, safety, bob = doubt.rig, doubt.safety, doubt.rig.bob.account
    await safety.mark_verified(bob)
    before = await safety.number(bob)
    await doubt.begins()
    assert rig.told == [IdentityChanged(bob)]
    standing = await safety.standing(bob)
    assert (standing.changed, standing.verified) == (True, False)
    assert standing.number.digits != before.digits
    with pytest.raises(NotTrusted):
        await safety.mark_verified(bob)
    # What the real Bob shows is not the number of the new key, so nothing is accepted by it.
    assert not await safety.verify(bob, theirs(rig.bob, rig))
    assert (await safety.standing(bob)).changed
    assert await safety.verify(bob, theirs(doubt.impostor, rig))
    standing = await safety.standing(bob)
    assert (standing.changed, standing.verified) == (False, True)


@pytest.mark.parametrize("verified", [False, True], ids=["unverified", "verified"])
async def test_nothing_is_sent_to_a_changed_key_until_it_is_accepted_and_nothing_earlier_after(
    doubt: Doubt, verified: bool
) -> None:
    rig, bob = doubt.rig, doubt.rig.bob.account
    await doubt.safety.mark_verified(bob, verified)
    earlier = await rig.say("for the old key")
    await doubt.begins()
    blocked = await rig.say("too early")
    for _ in range(2):  # of a conversation one message at a time
        assert await rig.offer() == []
    refused = [event for event in rig.told if isinstance(event, NotSent)]
    assert [(it.id, it.reason) for it in refused] == [
        (earlier, "identity_changed"),
        (blocked, "identity_changed"),
    ]
    now_ms = rig.alice.clock.now_ms
    assert await rig.alice.store.write(lambda db: lists.accept_changed(db, bob, now_ms))
    assert not await doubt.safety.verified(bob)
    assert await rig.offer() == []  # neither of them comes back
    id = await rig.say("to whoever it is")
    [sent] = await rig.offer()
    assert sent.id == id
