"""Lies about devices: what a new one is given, what a revoked one gets, who answers a code."""

import asyncio
import random

import pytest
from tests.hostile.cases import noticed
from tests.hostile.in_frames import deliveries
from tests.hostile.middle import NOWHERE, Middle, Told, changed, flipped
from tests.hostile.stage import GREETINGS, Stage
from tests.scenarios.waiting import eventually

from linnet.client import Client, DeviceAdded, LinkFailed, Undecryptable
from linnet.client.approving import LinkOffer
from linnet.client.linking import NewDevice
from linnet.signing.keys import generate
from linnet.signing.linking import LinkCode
from linnet.wire import rest
from linnet.wire.frames import Deliver

ABOUT = "devices"


@noticed(
    ABOUT,
    "gives a newly linked device what was sent to the others before",
    "reads none of it: nothing was encrypted for it (`Undecryptable`)",
)
async def old_history_for_a_new_device(stage: Stage) -> None:
    await stage.meet()
    laptop = await stage.linked(stage.bob, "laptop")
    [old] = [f for f in stage.bob.line.rows(Deliver) if f.conv_seq == 1]

    def lie(frame: Deliver) -> Told:
        if frame.sender != stage.alice.client.account:
            return frame
        return changed(old, position=frame.position, prev=frame.prev)

    deliveries(laptop.line, lie)
    await stage.alice.says(stage.bob, "for your phone")
    assert (await laptop.told(Undecryptable)).id == old.id
    laptop.line.honest()
    await stage.alice.says(stage.bob, "Hello, laptop!")
    await stage.bob.shows(stage.alice, *GREETINGS, "for your phone", "Hello, laptop!")

    async def read_on() -> bool:
        return "Hello, laptop!" in await laptop.texts(stage.alice)

    await eventually(read_on)
    assert await laptop.texts(stage.alice) == ["Hello, laptop!"]


@noticed(
    ABOUT,
    "hands the main device another offer than the one whose code the person carries",
    "links nothing: the code names the offer (`LinkFailed`, `not_genuine`)",
)
async def link_offer_swapped(stage: Stage) -> None:
    def lie(found: rest.LinkOffered) -> rest.LinkOffered:
        return changed(found, offer=flipped(found.offer, 40))

    stage.bob.line.swap("GET", r"/v1/links/.+/offer$", rest.LinkOffered, lie)
    assert await _refused_link(stage) == "not_genuine"
    assert stage.bob.never(DeviceAdded)


@noticed(
    ABOUT,
    "puts its own keys in the place of a new device's before they are listed",
    "links nothing: they are not those that the code vouches for (`LinkFailed`, `not_genuine`)",
)
async def link_answer_of_the_server(stage: Stage) -> None:
    own = generate(random.Random(17).randbytes).public

    def lie(found: rest.LinkReady) -> rest.LinkReady:
        return changed(found, identity=found.identity and own)

    stage.bob.line.swap("GET", r"/v1/links/.+/keys$", rest.LinkReady, lie)
    assert await _refused_link(stage) == "not_genuine"
    assert stage.bob.never(DeviceAdded)


async def _refused_link(stage: Stage) -> str:
    """Bob approves a new device, and is refused: why."""
    shown: asyncio.Queue[LinkCode] = asyncio.Queue(1)

    async def show(code: LinkCode, seconds: int) -> None:
        shown.put_nowait(code)

    async def yes(offer: LinkOffer) -> bool:
        return True

    line = Middle(stage.server.url, stage.tasks)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        linking = tasks.create_task(
            Client.link(
                NOWHERE,
                stage.home / "laptop",
                show,
                device=NewDevice(name="laptop", by_text=True),
                world=line.environment(),
            )
        )
        code = await shown.get()
        with pytest.raises(LinkFailed) as failed:
            await stage.bob.client.approve_link(code.to_text(), yes)
        linking.cancel()
    return failed.value.reason
