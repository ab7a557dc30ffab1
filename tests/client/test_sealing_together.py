"""Many control messages are sealed in one transaction; what lacks something is left as it was."""

from pathlib import Path

from tests.client.post_office import Clockwork, Device, two_devices

from linnet.client.sealing import Missing
from linnet.client.sealing_together import seal_together
from linnet.client.sessions import checked_bundle
from linnet.signing.list_format import decode_list


async def opened(alice: Device, bob: Device) -> None:
    """Alice has a session with Bob."""
    await alice.write_control(bob, "receipt", [[bytes(16)], 1])
    (item,) = await alice.due()
    (listed,) = decode_list(bob.signed_list.body).devices
    bundles = {(bytes(bob.account), 1): checked_bundle(await bob.bundle(), listed)}
    now_ms = alice.clock.now_ms
    found = await alice.store.write(lambda db: alice.sealer.seal(db, item, bundles, now_ms))
    assert not isinstance(found, Missing)
    await alice.store.write(lambda db: db.execute("DELETE FROM outbox"))


async def test_what_can_be_sealed_is_and_the_rest_is_untouched(tmp_path: Path) -> None:
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    cleo = await Device.make(tmp_path / "cleo", 3, clock)
    await alice.meet(cleo)
    await opened(alice, bob)
    for to in (cleo, bob):
        await alice.write_control(to, "receipt", [[bytes(16)], 1])
    items = await alice.due()
    frames = await alice.store.write(
        lambda db: seal_together(db, alice.sealer, items, clock.now_ms)
    )
    to_bob = [item.id for item in items if item.peer == bob.account]
    assert list(frames) == to_bob
    after = {item.id: item for item in await alice.due()}
    assert [id for id, item in after.items() if item.frame is not None] == to_bob
    assert [item.tries for item in after.values() if item.peer == cleo.account] == [0]
    for device in (alice, bob, cleo):
        await device.store.close()
