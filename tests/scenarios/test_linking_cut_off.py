"""Either device of a linking goes off at any of its requests, before or after the server has it;
what comes of it when both are on again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.hostile.conftest import registered
from tests.scenarios.meeting import GIVES_UP_S, PATIENCE_S, Meeting, dies, meeting
from tests.scenarios.waiting import eventually

from linnet.client import Client, LinkFailed, Message
from linnet.signing.linking import LinkCode

pytestmark = pytest.mark.slow

__all__ = ["registered"]

OF_THE_NEW = {
    "offer": ("POST", r"/links$"),
    "question": ("GET", r"/links/[^/]+$"),
    "keys": ("PUT", r"/keys$"),
    "login": ("POST", r"/login$"),
    "list": ("GET", r"/devices$"),
}
OF_THE_MAIN = {
    "offer": ("GET", r"/offer$"),
    "answer": ("PUT", r"/answer$"),
    "question": ("GET", r"/keys$"),
    "list": ("PUT", r"/list$"),
}


@pytest.fixture
async def met(
    registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Meeting]:
    for module in ("approving", "linking"):
        monkeypatch.setattr(f"linnet.client.{module}.ASK_FOR_S", 1)
    monkeypatch.setattr("linnet.client.approving.KEYS_WITHIN_S", GIVES_UP_S)
    monkeypatch.setattr("linnet.client.linking.ACTIVE_WITHIN_S", GIVES_UP_S)
    async with meeting(registered, tmp_path) as made:
        yield made


async def try_once(met: Meeting, phone: Client) -> Client | None:
    """Both do what they can, for as long as a person looks at it; the linked device, if any."""
    codes: asyncio.Queue[LinkCode] = asyncio.Queue(1)
    joining = met.joining(codes)
    shown = met.tasks.create_task(codes.get())
    running: set[asyncio.Task[object]] = {joining}
    await asyncio.wait({joining, shown}, return_when="FIRST_COMPLETED", timeout=PATIENCE_S)
    if shown.done():
        running.add(met.approving(phone, shown.result()))
    shown.cancel()
    _, rest = await asyncio.wait(running, timeout=GIVES_UP_S + 1)
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest)
    joined = None if joining.cancelled() else joining.result()
    assert joined is None or isinstance(joined, Client | LinkFailed | Exception)
    return joined if isinstance(joined, Client) else None


async def asked_until_linked(met: Meeting, phone: Client) -> Client:
    """The laptop, which a patient person starts again until it is linked."""
    for _ in range(3):
        laptop = await try_once(met, phone)
        if laptop is not None:
            return laptop
    raise AssertionError("it is not linked after three tries")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("who", "step"),
    [*(("new", step) for step in OF_THE_NEW), *(("main", step) for step in OF_THE_MAIN)],
)
async def test_dead_midway_at_any_step_it_is_linked_later_and_never_by_halves(
    met: Meeting, who: str, step: str, after: bool
) -> None:
    line, steps = (met.new, OF_THE_NEW) if who == "new" else (met.main, OF_THE_MAIN)
    line.answer(*steps[step], dies(line, after=after))
    phone = await met.phone()
    linked = await try_once(met, phone)
    assert not line.reachable, "it never came to that step"
    # Only where the server has the list already, the new device needs the main one no more.
    assert (linked is not None) == ((who, step, after) == ("main", "list", True))

    await phone.close()
    met.main, met.new = met.line(), met.line()  # both are on again
    async with await met.phone() as phone:
        laptop = linked or await asked_until_linked(met, phone)
        bob = await met.phone(met.line(), "bob")
        async with laptop, bob:
            await _linked_whole(phone, laptop, bob)


async def test_the_main_device_says_that_the_new_one_does_not_answer(met: Meeting) -> None:
    met.new.answer(*OF_THE_NEW["keys"], dies(met.new, after=False))
    codes: asyncio.Queue[LinkCode] = asyncio.Queue(1)
    async with await met.phone() as phone, asyncio.timeout(PATIENCE_S):
        joining = met.joining(codes)
        approved = await met.approving(phone, await codes.get())
        joining.cancel()
    assert isinstance(approved, LinkFailed)
    assert approved.reason == "lapsed"
    assert f"the new device did not answer within {GIVES_UP_S:.0f} s" in str(approved)


async def _linked_whole(phone: Client, laptop: Client, bob: Client) -> None:
    """Exactly the phone and this laptop are listed, and both get what is sent to the account."""

    async def both_are_listed() -> bool:
        return [device.id for device in await phone.devices.all()] == [1, laptop.device]

    await eventually(both_are_listed)
    await bob.send(phone.account, "to both")

    async def both_have_it() -> bool:
        return [await texts(one, bob) for one in (phone, laptop)] == [["to both"]] * 2

    await eventually(both_have_it)


async def texts(person: Client, other: Client) -> list[str | None]:
    shown = await person.messages(person.conversation_with(other.account))
    return [entry.text for entry in shown if isinstance(entry, Message)]
