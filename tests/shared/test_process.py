import asyncio

from shared.process import cancel, cancelling


async def loses_one_cancellation() -> None:
    for _ in range(2):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(60)


async def test_a_loop_that_loses_its_cancellation_ends_all_the_same() -> None:
    task = asyncio.create_task(loses_one_cancellation())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await cancel([task])
    assert task.done()


async def test_what_ran_beside_a_block_has_ended_after_it() -> None:
    ended = False

    async def loop() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(60)
        finally:
            ended = True

    async with cancelling(loop()):
        await asyncio.sleep(0)
    assert ended
