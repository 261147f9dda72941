import asyncio

import pytest

from shared.waiting import moment


async def test_a_cancellation_that_comes_as_the_event_is_set_is_not_lost() -> None:
    async def for_ever() -> None:
        while True:
            woken.clear()
            await moment(woken, 5)

    woken = asyncio.Event()
    loop = asyncio.create_task(for_ever())
    await asyncio.sleep(0)
    woken.set()
    await asyncio.sleep(0)
    loop.cancel()

    _, pending = await asyncio.wait([loop], timeout=2)
    assert not pending
    assert loop.cancelled()


@pytest.mark.parametrize("is_set", [True, False])
async def test_it_ends_with_the_event_or_with_the_time(*, is_set: bool) -> None:
    woken = asyncio.Event()
    if is_set:
        asyncio.get_running_loop().call_soon(woken.set)

    await moment(woken, 5 if is_set else 0.01)

    assert woken.is_set() is is_set
