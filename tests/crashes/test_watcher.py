"""The watcher sees what it is there for, and fate strikes where it says."""

from pathlib import Path

import pytest
from tests.client.post_office import Clockwork, two_devices
from tests.crashes.fate import At, Fate, How, Killed, long_life
from tests.crashes.process import FatedStore
from tests.crashes.watcher import Watcher

from linnet.client.facts import Cursor, get, put
from linnet.crypto import ratchet

KEY, IV = bytes(32), bytes(16)


def encrypt(plaintext: bytes) -> None:
    """As the ratchet does."""
    ratchet.encrypt_cbc(KEY, IV, plaintext)  # type: ignore[attr-defined]


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    return Watcher(monkeypatch)


def test_a_key_that_encrypts_two_plaintexts_is_wrong(watcher: Watcher) -> None:
    for plaintext in (b"one", b"one"):
        encrypt(plaintext)
    assert watcher.wrong == []
    encrypt(b"two")
    with pytest.raises(AssertionError):
        watcher.check()


def test_what_was_rolled_back_encrypted_nothing(watcher: Watcher) -> None:
    def killed() -> None:
        with watcher.transaction():
            encrypt(b"one")
            raise Killed

    with pytest.raises(Killed):
        killed()
    with watcher.transaction():
        encrypt(b"two")
    assert watcher.used == {KEY + IV: b"two"}
    assert watcher.wrong == []


async def test_a_frame_that_leaves_before_it_is_stored_is_wrong(
    watcher: Watcher, tmp_path: Path
) -> None:
    alice, bob = await two_devices(tmp_path, Clockwork())
    await alice.write_text(bob, "hello")
    [frame] = await alice.frames({bob.account: bob})
    database = tmp_path / "alice" / "linnet.db"
    watcher.leaves(frame, database)
    assert (watcher.frames, watcher.wrong) == (1, [])
    watcher.leaves_as_stored(frame + b"!", database)
    assert watcher.wrong == ["a frame left that is not stored"]
    await alice.store.close()
    await bob.store.close()


@pytest.mark.parametrize(
    ("how", "kept"), [(How.BEFORE, 1), (How.MIDWAY, 1), (How.AFTER, 2)], ids=lambda it: str(it)[:6]
)
async def test_a_process_dies_at_its_step_and_does_nothing_more(
    watcher: Watcher, tmp_path: Path, how: How, kept: int
) -> None:
    fate = Fate(At.STORE, how, 2)
    store = FatedStore(tmp_path, fate, watcher)
    await store.open()
    await store.write(lambda db: put(db, Cursor(position=1)))
    with pytest.raises(Killed):
        await store.write(lambda db: put(db, Cursor(position=2)))
    assert fate.struck
    assert fate.died.is_set()
    await fate.bury()
    again = FatedStore(tmp_path, long_life(), watcher)
    await again.open()
    assert await again.read(lambda db: get(db, Cursor)) == Cursor(position=kept)
    await again.close()
