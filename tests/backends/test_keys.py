"""Contract of port `keys`."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.backends.conftest import Stores
from tests.backends.people import blob

from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.ports.keys import Keys
from linnet.wire.rest import KemPreKey, KeyCount, KeyUpload, OneTimeKey, SignedKey

ME = blob("account", 1)


async def test_a_take_gives_one_of_each_oldest_first(stores: Stores) -> None:
    await stores.keys.put(ME, 1, _upload(one_time=[7, 5], kem=[9, 3]), most=100)
    taken = await stores.keys.take(ME, 1)
    assert taken is not None
    assert (taken.signed, taken.kem, taken.one_time) == (_signed(1), _kem(3), _one_time(5))
    assert not taken.last_resort
    assert await stores.keys.count(ME, 1) == KeyCount(one_time=1, kem=1)


async def test_without_one_time_keys_the_last_resort_is_given_again_and_again(
    stores: Stores,
) -> None:
    await stores.keys.put(ME, 1, _upload(), most=100)
    for _ in range(3):
        taken = await stores.keys.take(ME, 1)
        assert taken is not None
        assert (taken.kem, taken.last_resort, taken.one_time) == (_kem(2), True, None)


async def test_without_signed_or_last_resort_nothing_is_taken(stores: Stores) -> None:
    await stores.keys.put(ME, 1, KeyUpload(signed=_signed(1), one_time=[_one_time(1)]), most=100)
    await stores.keys.put(ME, 2, KeyUpload(last_resort=_kem(1), kem=[_kem(1)]), most=100)
    assert await stores.keys.take(ME, 1) is None
    assert await stores.keys.take(ME, 2) is None
    assert await stores.keys.take(ME, 3) is None
    assert await stores.keys.count(ME, 1) == KeyCount(one_time=1, kem=0)
    assert await stores.keys.count(ME, 2) == KeyCount(one_time=0, kem=1)


async def test_two_takes_never_give_the_same_one_time_key(stores: Stores) -> None:
    upload = _upload(one_time=list(range(10)), kem=list(range(10)))
    await stores.keys.put(ME, 1, upload, most=100)
    takes = await asyncio.gather(*(stores.keys.take(ME, 1) for _ in range(12)))
    one_time = [taken.one_time.id for taken in takes if taken and taken.one_time]
    kem = [taken.kem.id for taken in takes if taken and not taken.last_resort]
    assert sorted(one_time) == sorted(kem) == list(range(10))


async def test_the_same_upload_twice_is_one(stores: Stores) -> None:
    for _ in range(2):
        await stores.keys.put(ME, 1, _upload(one_time=[1, 2], kem=[1]), most=100)
    assert await stores.keys.count(ME, 1) == KeyCount(one_time=2, kem=1)


async def test_a_taken_key_never_comes_back(stores: Stores) -> None:
    await stores.keys.put(ME, 1, _upload(one_time=[1], kem=[1]), most=100)
    await stores.keys.take(ME, 1)
    await stores.keys.put(ME, 1, _upload(one_time=[1], kem=[1]), most=100)
    assert await stores.keys.count(ME, 1) == KeyCount(one_time=0, kem=0)


async def test_new_signed_and_last_resort_keys_replace_the_old(stores: Stores) -> None:
    await stores.keys.put(ME, 1, _upload(one_time=[1]), most=100)
    await stores.keys.put(ME, 1, KeyUpload(signed=_signed(8), last_resort=_kem(9)), most=100)
    taken = await stores.keys.take(ME, 1)
    assert taken is not None
    assert (taken.signed, taken.kem, taken.one_time) == (_signed(8), _kem(9), _one_time(1))


async def test_a_late_retry_does_not_bring_replaced_keys_back(stores: Stores) -> None:
    await stores.keys.put(ME, 1, _upload(), most=100)
    await stores.keys.put(ME, 1, KeyUpload(signed=_signed(8), last_resort=_kem(9)), most=100)
    await stores.keys.put(ME, 1, _upload(), most=100)
    taken = await stores.keys.take(ME, 1)
    assert taken is not None
    assert (taken.signed, taken.kem) == (_signed(8), _kem(9))


async def test_a_device_keeps_so_many_keys_of_a_kind(stores: Stores) -> None:
    await stores.keys.put(ME, 1, _upload(one_time=[1, 2, 3], kem=[1]), most=2)
    await stores.keys.put(ME, 1, KeyUpload(kem=[_kem(5), _kem(6)]), most=2)
    assert await stores.keys.count(ME, 1) == KeyCount(one_time=2, kem=2)
    await stores.keys.take(ME, 1)
    await stores.keys.put(ME, 1, _upload(one_time=[3]), most=2)
    assert await stores.keys.count(ME, 1) == KeyCount(one_time=2, kem=1)


async def test_a_one_time_key_and_a_last_resort_may_share_an_id(stores: Stores) -> None:
    await stores.keys.put(ME, 1, _upload(one_time=[1, 2], kem=[1, 2]), most=100)
    assert await stores.keys.count(ME, 1) == KeyCount(one_time=2, kem=2)


async def test_devices_and_accounts_do_not_share_keys(stores: Stores) -> None:
    await stores.keys.put(ME, 1, _upload(one_time=[1]), most=100)
    assert await stores.keys.take(ME, 2) is None
    assert await stores.keys.take(blob("account", 2), 1) is None
    assert await stores.keys.count(ME, 2) == KeyCount(one_time=0, kem=0)


async def test_dropped_keys_are_gone(stores: Stores) -> None:
    for device in (1, 2):
        await stores.keys.put(ME, device, _upload(one_time=[1]), most=100)
    await stores.keys.drop(ME, 1)
    assert await stores.keys.take(ME, 1) is None
    assert await stores.keys.count(ME, 2) == KeyCount(one_time=1, kem=0)


_ids = st.lists(st.integers(0, 6), max_size=5)
_step = st.one_of(
    st.just(None),
    st.builds(
        lambda signed, last, one_time, kem: KeyUpload(
            signed=None if signed is None else _signed(signed),
            last_resort=None if last is None else _kem(last),
            one_time=[_one_time(id) for id in one_time],
            kem=[_kem(id) for id in kem],
        ),
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 3),
        _ids,
        _ids,
    ),
)


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(_step, max_size=12))
async def test_any_history_is_as_the_reference_says(
    stores: Stores, steps: list[KeyUpload | None]
) -> None:
    reference = MemoryKeys()
    await stores.keys.drop(ME, 1)
    for step in steps:
        assert await _do(stores.keys, step) == await _do(reference, step)


async def _do(keys: Keys, step: KeyUpload | None) -> object:
    if step is None:
        return await keys.take(ME, 1)
    await keys.put(ME, 1, step, most=4)
    return await keys.count(ME, 1)


def _upload(one_time: list[int] | None = None, kem: list[int] | None = None) -> KeyUpload:
    return KeyUpload(
        signed=_signed(1),
        last_resort=_kem(2),
        one_time=[_one_time(id) for id in one_time or ()],
        kem=[_kem(id) for id in kem or ()],
    )


def _signed(id: int) -> SignedKey:
    return SignedKey(id=id, key=blob("signed", id, 33), sig=blob("signature", id, 64))


def _one_time(id: int) -> OneTimeKey:
    return OneTimeKey(id=id, key=blob("one-time", id, 33))


def _kem(id: int) -> KemPreKey:
    return KemPreKey(id=id, key=blob("kem", id, 1569), sig=blob("signature", id, 64))
