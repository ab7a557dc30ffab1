"""Linking: five steps, each repeatable, nothing active before the list, everything at once then."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from msgspec.structs import replace
from tests.server.kit import HOST, NUMBER, Kit, Person, Registered, person, register

from linnet.server.ports import Unavailable
from linnet.server.services.links import REMEMBERED_MS
from linnet.signing.device_list import decode_list
from linnet.wire.errors import RequestRefused
from linnet.wire.limits import ACCOUNT_DEVICES
from linnet.wire.rest import LinkAnswer, LinkKeys, LinkOffer, ListAccepted, Login, Signed

BOB = "+4915112345679"


@dataclass
class Meeting:
    """A new device and the primary it meets, step by step."""

    kit: Kit
    alice: Registered
    laptop: Person = field(default_factory=lambda: person("laptop"))
    id: bytes = b"L" * 16
    ticket: bytes = b"t" * 32
    host: str = HOST

    def __post_init__(self) -> None:
        self.keys = LinkKeys(
            keys=self.laptop.bundle(), box=b"keys", ticket_hash=sha256(self.ticket).digest()
        )

    async def open(self) -> None:
        await self.kit.services.links.open(self.offer, self.host)

    @property
    def offer(self) -> LinkOffer:
        return LinkOffer(link=self.id, offer=b"offer")

    async def answer(self, box: bytes = b"answer") -> None:
        answer = LinkAnswer(ephemeral=bytes(32), kem_ciphertext=bytes(1568), box=box)
        await self.kit.services.links.answer(self.alice.identity(self.kit), self.id, answer)

    async def fill(self) -> None:
        await self.kit.services.links.put_keys(self.id, self.keys)

    async def newest(self) -> Signed:
        return (await self.kit.services.devices.newest(self.alice.account)).list

    async def listing(self) -> Signed:
        return self.alice.who.listing(await self.newest(), self.laptop, self.kit.clock())

    async def activate(self, signed: Signed | None = None) -> ListAccepted:
        identity = self.alice.identity(self.kit)
        signed = signed or await self.listing()
        return await self.kit.services.links.activate(identity, self.id, signed)

    async def log_in(self) -> Login:
        return await self.kit.services.links.log_in(self.id, self.ticket)

    async def until_filled(self) -> None:
        await self.open()
        await self.answer()
        await self.fill()

    async def nothing_is_active(self) -> None:
        """The laptop is not listed, has no keys on offer and cannot log in."""
        assert set(decode_list((await self.newest()).body).device_keys()) == {1}
        assert await self.kit.devices.get(self.alice.account, 2) is None
        assert await self.kit.keys.take(self.alice.account, 2) is None
        with pytest.raises(RequestRefused):
            await self.log_in()
        assert len(await self.kit.devices.changes(10)) == 1


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
async def meeting(kit: Kit) -> Meeting:
    return Meeting(kit, await register(kit))


async def test_a_device_is_linked_and_logs_in(kit: Kit, meeting: Meeting) -> None:
    links, me = kit.services.links, meeting.alice.identity(kit)
    opened = await links.open(meeting.offer, HOST)
    assert opened.expires_in == 120
    assert (await links.offer(meeting.id)).offer == b"offer"
    await meeting.answer()
    state = await links.state(meeting.id, 25)
    assert state.answer is not None
    assert (state.answer.box, state.active) == (b"answer", False)
    await meeting.fill()
    ready = await links.ready(me, meeting.id, 25)
    assert (ready.identity, ready.box) == (meeting.laptop.device_key.public, b"keys")
    told = kit.told
    assert await meeting.activate() == ListAccepted(version=2, set=2)
    assert kit.told == told + 1
    assert (await links.state(meeting.id, 25)).active
    login = await meeting.log_in()
    assert (login.account, login.device) == (meeting.alice.account, 2)
    identity = kit.services.tokens.verify(login.access)
    assert (identity.account, identity.device) == (login.account, 2)
    bundle = await kit.services.keys.take(me, login.account, 2)
    assert bundle.identity == meeting.laptop.device_key.public
    change = (await kit.devices.changes(10))[-1]
    assert (change.set, change.devices) == (2, (1, 2))


async def test_every_step_repeated_after_a_lost_reply_is_the_same(
    kit: Kit, meeting: Meeting
) -> None:
    for step in (meeting.open, meeting.answer, meeting.fill):
        for _ in range(2):
            await step()
    signed = await meeting.listing()
    assert await meeting.activate(signed) == await meeting.activate(signed)
    first, again = await meeting.log_in(), await meeting.log_in()
    assert first.refresh == again.refresh
    kit.services.tokens.verify(again.access)
    assert len(await kit.devices.changes(10)) == 2
    # Nor does what came before break by being repeated late.
    await meeting.answer()
    await meeting.fill()


async def test_the_login_cannot_be_taken_again_once_it_was_used(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    await meeting.activate()
    login = await meeting.log_in()
    request = meeting.laptop.refresh(login.account, login.refresh, bytes(16), device=2)
    await kit.services.tokens.refresh(request)
    await _refused(meeting.log_in(), "conflict")


async def test_other_bytes_at_a_step_are_a_conflict(kit: Kit, meeting: Meeting) -> None:
    await meeting.open()
    other = LinkOffer(link=meeting.id, offer=b"other")
    await _refused(kit.services.links.open(other, HOST), "conflict")
    await meeting.answer()
    await _refused(meeting.answer(b"other"), "conflict")
    await meeting.fill()
    meeting.keys = replace(meeting.keys, box=b"other")
    await _refused(meeting.fill(), "conflict")
    meeting.keys = LinkKeys(keys=person("eve").bundle(), box=b"keys", ticket_hash=bytes(32))
    await _refused(meeting.fill(), "conflict")


async def test_keys_before_the_answer_and_a_list_before_the_keys_are_conflicts(
    kit: Kit, meeting: Meeting
) -> None:
    await meeting.open()
    await _refused(meeting.fill(), "conflict")
    await meeting.answer()
    await _refused(meeting.activate(), "conflict")
    await meeting.nothing_is_active()


@pytest.mark.parametrize("steps", range(4))
async def test_dead_midway_nothing_is_active(kit: Kit, meeting: Meeting, steps: int) -> None:
    for step in (meeting.open, meeting.answer, meeting.fill)[:steps]:
        await step()
    await meeting.nothing_is_active()
    kit.clock.forward(121)
    for late in (meeting.answer(), meeting.fill(), meeting.activate(), meeting.log_in()):
        with pytest.raises(RequestRefused) as refused:
            await late
        assert refused.value.code == "not_found"
    await meeting.nothing_is_active()


async def test_an_offer_lives_two_minutes_by_code_and_ten_by_text(
    kit: Kit, meeting: Meeting
) -> None:
    by_text = LinkOffer(link=b"T" * 16, offer=b"offer", by_text=True)
    assert (await kit.services.links.open(by_text, HOST)).expires_in == 600
    await meeting.open()
    kit.clock.forward(119)
    assert (await kit.services.links.open(meeting.offer, HOST)).expires_in == 1
    kit.clock.forward(1)
    await _refused(kit.services.links.offer(meeting.id), "not_found")
    await _refused(kit.services.links.state(meeting.id, 25), "not_found")
    assert (await kit.services.links.offer(b"T" * 16)).offer == b"offer"
    kit.clock.forward(480)
    await _refused(kit.services.links.offer(b"T" * 16), "not_found")


async def test_after_the_answer_the_rest_has_its_own_time(kit: Kit, meeting: Meeting) -> None:
    await meeting.open()
    kit.clock.forward(119)
    await meeting.answer()
    kit.clock.forward(119)
    await meeting.fill()
    await meeting.activate()
    kit.clock.forward(3600)
    await meeting.log_in()


async def test_a_code_used_before_is_refused(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    await meeting.activate()
    await _refused(meeting.open(), "conflict")
    for _ in range(24):
        kit.clock.forward(3600)
        await kit.services.links.forget()
        await _refused(meeting.open(), "conflict")
    unused = LinkOffer(link=b"U" * 16, offer=b"offer")
    await kit.services.links.open(unused, HOST)
    kit.clock.forward(120)
    await _refused(kit.services.links.open(unused, HOST), "conflict")


async def test_expired_links_are_forgotten(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    kit.clock.forward(120)
    assert await kit.services.links.forget() == 0
    held = await kit.links.get(meeting.id)
    assert held is not None
    assert (held.offer, held.answer, held.keys) == (b"", None, None)
    kit.clock.forward(REMEMBERED_MS / 1000 + 1)
    assert await kit.services.links.forget() == 1
    assert await kit.links.get(meeting.id) is None


async def test_an_active_device_logs_in_also_after_its_link_was_cleared(
    kit: Kit, meeting: Meeting
) -> None:
    await meeting.until_filled()
    await meeting.activate()
    kit.clock.forward(3600)
    await kit.services.links.forget()
    assert (await kit.services.links.state(meeting.id, 0)).active
    await meeting.log_in()


async def test_only_the_primary_answers(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    await meeting.activate()
    login = await meeting.log_in()
    linked = kit.services.tokens.verify(login.access)
    tablet = LinkOffer(link=b"T" * 16, offer=b"tablet")
    await kit.services.links.open(tablet, HOST)
    assert (await kit.services.links.offer(b"T" * 16)).offer == b"tablet"
    answer = LinkAnswer(ephemeral=bytes(32), kem_ciphertext=bytes(1568), box=b"x")
    await _refused(kit.services.links.answer(linked, b"T" * 16, answer), "forbidden")
    await _refused(kit.services.links.ready(linked, meeting.id, 0), "forbidden")


async def test_who_is_no_longer_the_primary_lists_nobody(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    await meeting.activate()
    phone = replace(meeting.alice)
    second = Meeting(kit, phone, person("tablet"), b"T" * 16)
    await second.until_filled()
    newest = await meeting.newest()
    handed = phone.who.signed_after(
        newest, decode_list(newest.body).devices, kit.clock(), primary=2
    )
    await kit.services.devices.replace(phone.identity(kit), handed)
    await _refused(second.activate(), "forbidden")


async def test_another_account_has_no_part_in_it(kit: Kit, meeting: Meeting) -> None:
    bob = await register(kit, "bob", BOB)
    await meeting.until_filled()
    eve = Meeting(kit, bob, meeting.laptop)
    await _refused(eve.answer(), "conflict")
    await _refused(kit.services.links.ready(bob.identity(kit), meeting.id, 0), "forbidden")
    await _refused(eve.activate(), "forbidden")
    await _refused(kit.services.links.end(bob.identity(kit), meeting.id), "forbidden")
    await meeting.activate()


async def test_an_offer_relayed_to_a_second_account_is_answered_once(
    kit: Kit, meeting: Meeting
) -> None:
    bob = await register(kit, "bob", BOB)
    await meeting.open()
    await Meeting(kit, bob, meeting.laptop).answer()
    await _refused(meeting.answer(), "conflict")


async def test_the_list_must_name_the_device_in_the_slot(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    newest, now = await meeting.newest(), kit.clock()
    eves = meeting.alice.who.listing(newest, person("eve"), now)
    await _refused(meeting.activate(eves), "list_rejected")
    nobody = meeting.alice.who.signed_after(newest, decode_list(newest.body).devices, now)
    await _refused(meeting.activate(nobody), "list_rejected")
    one = meeting.alice.who.listing(newest, meeting.laptop, now)
    both = meeting.alice.who.listing(one, person("eve"), now)
    await _refused(meeting.activate(both), "list_rejected")
    reused = meeting.alice.who.listing(newest, meeting.laptop, now)
    forged = Signed(body=reused.body, sig=bytes(64))
    await _refused(meeting.activate(forged), "bad_signature")
    await meeting.nothing_is_active()
    await meeting.activate(one)


async def test_a_list_that_was_overtaken_is_a_conflict(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    overtaken = await meeting.listing()
    newest = await meeting.newest()
    kit.clock.forward(1)
    again = meeting.alice.who.signed_after(newest, decode_list(newest.body).devices, kit.clock())
    await kit.services.devices.replace(meeting.alice.identity(kit), again)
    await _refused(meeting.activate(overtaken), "conflict")
    await meeting.nothing_is_active()
    await meeting.activate()


async def test_a_bundle_that_is_not_signed_by_the_device_fills_no_slot(
    kit: Kit, meeting: Meeting
) -> None:
    await meeting.open()
    await meeting.answer()
    meeting.keys.keys.last_resort = person("eve").bundle().last_resort
    await _refused(meeting.fill(), "bad_signature")
    meeting.keys.keys = meeting.laptop.bundle()
    meeting.keys.keys.signed.key = bytes(33)
    await _refused(meeting.fill(), "malformed")
    await _refused(meeting.activate(), "conflict")


async def test_another_ticket_logs_nobody_in(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    await _refused(meeting.log_in(), "unauthorized")
    await meeting.activate()
    await _refused(kit.services.links.log_in(meeting.id, bytes(32)), "unauthorized")
    await _refused(kit.services.links.log_in(b"X" * 16, meeting.ticket), "not_found")


async def test_a_device_revoked_before_its_first_login_stays_out(
    kit: Kit, meeting: Meeting
) -> None:
    await meeting.until_filled()
    await meeting.activate()
    newest = await meeting.newest()
    alone = meeting.alice.who.signed_after(
        newest, decode_list(newest.body).devices[:1], kit.clock()
    )
    await kit.services.devices.replace(meeting.alice.identity(kit), alone)
    await _refused(meeting.log_in(), "revoked")
    assert kit.revoked == [(meeting.alice.account, 2)]


async def test_a_link_given_up_goes_no_further(kit: Kit, meeting: Meeting) -> None:
    me = meeting.alice.identity(kit)
    await meeting.until_filled()
    for _ in range(2):
        await kit.services.links.end(me, meeting.id)
    await kit.services.links.end(me, b"X" * 16)
    await _refused(meeting.activate(), "not_found")
    await _refused(kit.services.links.state(meeting.id, 25), "not_found")
    await meeting.nothing_is_active()


async def test_a_device_that_is_listed_is_not_given_up_this_way(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    await meeting.activate()
    await _refused(kit.services.links.end(meeting.alice.identity(kit), meeting.id), "conflict")


async def test_offers_have_a_limit_for_each_address_and_in_all(kit: Kit) -> None:
    links = kit.services.links
    for number in range(10):
        await links.open(LinkOffer(link=bytes([number]) * 16, offer=b"x"), HOST)
    with pytest.raises(RequestRefused) as refused:
        await links.open(LinkOffer(link=b"X" * 16, offer=b"x"), HOST)
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 61)
    full = replace(kit.link_limits, most=10)
    object.__setattr__(links, "limits", full)
    await _refused(links.open(LinkOffer(link=b"X" * 16, offer=b"x"), "198.51.100.1"), "unavailable")
    kit.clock.forward(120)
    await links.open(LinkOffer(link=b"X" * 16, offer=b"x"), "198.51.100.1")


async def test_bad_bundles_have_a_limit_for_each_link(kit: Kit, meeting: Meeting) -> None:
    await meeting.open()
    await meeting.answer()
    meeting.keys.keys.last_resort.sig = bytes(64)
    for _ in range(20):
        await _refused(meeting.fill(), "bad_signature")
    await _refused(meeting.fill(), "rate_limited")


async def test_an_account_has_sixteen_devices_at_most(kit: Kit, meeting: Meeting) -> None:
    for number in range(2, ACCOUNT_DEVICES + 1):
        device, host = person(f"device {number}"), f"198.51.100.{number}"
        each = Meeting(kit, meeting.alice, device, bytes([number]) * 16, host=host)
        await each.until_filled()
        await each.activate()
    last = Meeting(kit, meeting.alice, person("one more"), b"X" * 16)
    await last.until_filled()
    await _refused(last.activate(), "list_rejected")


async def test_two_links_of_one_account_at_once_come_one_after_the_other(
    kit: Kit, meeting: Meeting
) -> None:
    other = Meeting(kit, meeting.alice, person("tablet"), b"T" * 16)
    await meeting.until_filled()
    await other.until_filled()
    mine, theirs = await meeting.listing(), await other.listing()
    await meeting.activate(mine)
    await _refused(other.activate(theirs), "conflict")
    await other.activate()
    assert set(decode_list((await meeting.newest()).body).device_keys()) == {1, 2, 3}


async def test_each_step_twice_at_once_is_one_step(kit: Kit, meeting: Meeting) -> None:
    for step in (meeting.open, meeting.answer, meeting.fill):
        await asyncio.gather(*(step() for _ in range(3)))
    signed = await meeting.listing()
    answers = await asyncio.gather(*(meeting.activate(signed) for _ in range(3)))
    assert answers == [ListAccepted(version=2, set=2)] * 3
    logins = await asyncio.gather(*(meeting.log_in() for _ in range(3)))
    assert len({login.refresh for login in logins}) == 1
    assert len(await kit.devices.changes(10)) == 2


async def test_of_two_answers_at_once_one_is_told_that_it_was_late(
    kit: Kit, meeting: Meeting
) -> None:
    bob = await register(kit, "bob", BOB)
    await meeting.open()
    answers = [meeting.answer(), Meeting(kit, bob, meeting.laptop).answer()]
    told = await asyncio.gather(*answers, return_exceptions=True)
    (late,) = [error for error in told if error is not None]
    assert isinstance(late, RequestRefused)
    assert late.code == "conflict"


async def test_dead_after_activating_and_before_delivery_heard_it_is_completed_by_a_retry(
    kit: Kit, meeting: Meeting
) -> None:
    async def deaf() -> None:
        raise Unavailable("down")

    await meeting.until_filled()
    signed, links = await meeting.listing(), kit.services.links
    tell = links.sets_changed
    object.__setattr__(links, "sets_changed", deaf)
    with pytest.raises(Unavailable):
        await meeting.activate(signed)
    assert [change.set for change in await kit.devices.changes(10)] == [1, 2]
    object.__setattr__(links, "sets_changed", tell)
    told = kit.told
    assert await meeting.activate(signed) == ListAccepted(version=2, set=2)
    assert kit.told == told + 1
    await meeting.log_in()


async def test_a_number_registered_anew_leaves_links_alone(kit: Kit, meeting: Meeting) -> None:
    await meeting.until_filled()
    await register(kit, "someone else", NUMBER)
    await meeting.activate()
    await meeting.log_in()


async def _refused(attempt: Awaitable[object], code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await attempt
    assert refused.value.code == code
