"""Linking by people, while somebody replays the code, swaps keys, or stands in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from tests.hostile.conftest import registered
from tests.hostile.middle import Forward, changed, flipped
from tests.scenarios.meeting import GIVES_UP_S, PATIENCE_S, Meeting, meeting

from linnet.client import Client, LinkFailed
from linnet.signing.linking import LinkCode, decode_offer, encode_offer
from linnet.wire import rest

pytestmark = pytest.mark.slow

__all__ = ["registered"]


@pytest.fixture
async def met(registered: Path, tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(registered, tmp_path) as made:
        yield made


def reason(outcome: object) -> str:
    assert isinstance(outcome, LinkFailed), outcome
    return outcome.reason


async def devices(phone: Client) -> list[int]:
    return [device.id for device in await phone.devices.all()]


async def test_a_qr_code_that_is_replayed_links_nobody(met: Meeting) -> None:
    phone = await met.phone()
    codes: asyncio.Queue[LinkCode] = asyncio.Queue(1)
    async with asyncio.timeout(PATIENCE_S):
        joining = met.joining(codes)
        code = await codes.get()
        assert await met.approving(phone, code) == 2
        laptop = await joining
        assert isinstance(laptop, Client)
        await laptop.close()
        # Somebody took a picture of it, and shows it to the same person, and to another one.
        assert reason(await met.approving(phone, code)) == "lapsed"
        mallory = await met.phone(met.line(), "carol")
        assert reason(await met.approving(mallory, code)) == "lapsed"
    assert await devices(phone) == [1, 2]
    assert await devices(mallory) == [1]
    assert len(met.asked) == 1
    await phone.close()
    await mallory.close()


@pytest.mark.parametrize("part", ["kem_key", "device_key", "name", "kind"])
async def test_a_swapped_kem_key_or_anything_else_of_the_offer_ends_it_unasked(
    met: Meeting, part: str
) -> None:
    def swapped(offered: rest.LinkOffered) -> rest.LinkOffered:
        offer = decode_offer(offered.offer)
        value = getattr(offer, part)
        lie = value + 1 if isinstance(value, int) else flipped(value, 5)
        return rest.LinkOffered(offer=encode_offer(changed(offer, **{part: lie})))

    phone = await met.phone()
    met.main.swap("GET", r"/links/.+/offer$", rest.LinkOffered, swapped)
    approved, joined = await met.met(phone)
    assert (reason(approved), reason(joined)) == ("not_genuine", "lapsed")
    assert met.asked == []
    assert await devices(phone) == [1]
    await phone.close()


Lie = Callable[[rest.LinkAnswer], rest.LinkAnswer]
ANSWERS: dict[str, Lie] = {
    "ephemeral": lambda answer: changed(answer, ephemeral=flipped(answer.ephemeral)),
    "kem ciphertext": lambda answer: changed(answer, kem_ciphertext=flipped(answer.kem_ciphertext)),
    "grant": lambda answer: changed(answer, box=flipped(answer.box)),
}


@pytest.mark.parametrize("part", ANSWERS)
async def test_whoever_relays_and_answers_otherwise_is_noticed_by_the_new_device(
    met: Meeting, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linnet.client.approving.KEYS_WITHIN_S", GIVES_UP_S)
    monkeypatch.setattr("linnet.client.approving.ASK_FOR_S", 1)

    def relayed(state: rest.LinkState) -> rest.LinkState:
        return state if state.answer is None else changed(state, answer=ANSWERS[part](state.answer))

    phone = await met.phone()
    met.new.swap("GET", r"/links/[^/]+$", rest.LinkState, relayed)
    approved, joined = await met.met(phone)
    assert (reason(approved), reason(joined)) == ("lapsed", "not_genuine")
    assert await devices(phone) == [1]
    await phone.close()


async def test_a_code_relayed_to_another_account_joins_that_one_and_is_seen_to(
    met: Meeting,
) -> None:
    phone, mallory = await met.phone(), await met.phone(met.line(), "carol")
    codes: asyncio.Queue[LinkCode] = asyncio.Queue(1)
    async with asyncio.timeout(PATIENCE_S):
        joining = met.joining(codes)
        code = await codes.get()
        assert await met.approving(mallory, code) == 2  # she was quicker
        assert reason(await met.approving(phone, code)) == "lapsed"
        laptop = await joining
    assert isinstance(laptop, Client)
    assert laptop.account == mallory.account != phone.account
    assert await devices(phone) == [1]
    for client in (laptop, phone, mallory):
        await client.close()


async def test_a_stranger_s_code_is_asked_about_and_declined_at_both_ends(met: Meeting) -> None:
    met.wants = False
    phone = await met.phone()
    approved, joined = await met.met(phone)
    assert (reason(approved), reason(joined)) == ("declined", "lapsed")
    assert [(offer.kind, offer.name) for offer in met.asked] == [(1, "laptop")]
    assert await devices(phone) == [1]
    await phone.close()


async def test_a_device_that_is_removed_while_another_one_joins_ends_the_link(
    met: Meeting,
) -> None:
    phone = await met.phone()
    _, laptop = await met.met(phone)
    assert isinstance(laptop, Client)
    await laptop.close()

    async def removes_first(request: httpx.Request, forward: Forward) -> httpx.Response:
        if await devices(phone) == [1, 2]:
            await phone.devices.revoke(2)
        return await forward(request)

    met.main.answer("GET", r"/links/.+/keys", removes_first)
    codes: asyncio.Queue[LinkCode] = asyncio.Queue(1)
    async with asyncio.timeout(PATIENCE_S):
        joining = met.joining(codes, "tablet")
        approved = await met.approving(phone, await codes.get())
        assert (reason(approved), reason(await joining)) == ("lapsed", "lapsed")
    assert await devices(phone) == [1]
    await phone.close()
