import asyncio
import gc
import random
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from shared.log.records import Reader, Record

if TYPE_CHECKING:
    from tests.shared.conftest import Stage

TOPIC = "registration"


async def read_all(reader: Reader, count: int) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(60):
        while len(records) < count:
            records += await reader.poll()
    return records


async def test_each_key_keeps_its_order_and_has_every_event_once(stage: "Stage") -> None:
    keys = [uuid4() for _ in range(12)]
    async with stage.at_work():
        await asyncio.gather(*(stage.say(*[key] * 15) for key in keys))
        await stage.everything_took_effect()


async def test_a_consumer_that_comes_late_reads_from_the_beginning(stage: "Stage") -> None:
    async with stage.publishing():
        await stage.say(*[uuid4()] * 5)
        async with stage.consuming("a"):
            await stage.everything_took_effect()
        async with stage.consuming("late"):
            await stage.everything_took_effect("late")


async def test_consumers_of_other_names_have_their_own_place(stage: "Stage") -> None:
    async with stage.at_work("a", "b"):
        await stage.say(*[uuid4() for _ in range(10)])
        await stage.everything_took_effect("a")
        await stage.everything_took_effect("b")


async def test_an_event_that_is_delivered_again_has_one_effect(stage: "Stage") -> None:
    keys = [uuid4() for _ in range(5)]
    async with stage.at_work():
        await stage.say(*keys * 4)
        await stage.everything_took_effect()
    await stage.forget_cursors()
    await stage.say(*keys)
    handled = stage.seen
    async with stage.at_work():
        await stage.everything_took_effect()

    assert stage.seen == handled + len(keys)


async def test_a_record_that_comes_late_after_younger_ones_has_one_effect(stage: "Stage") -> None:
    early, other = uuid4(), uuid4()
    async with stage.publishing():
        await stage.say(early, other)
        async with stage.log.reader("peek", [TOPIC], stage.reader) as reader:
            records = await read_all(reader, 2)
        async with stage.consuming("a"):
            await stage.everything_took_effect()
            await stage.say(early)
            await stage.everything_took_effect()
            await stage.consumer("a").step(Once(records))
            await stage.say(early, other)
            await stage.everything_took_effect()


class Once:
    """A reader that hands out the same records at each poll."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    async def poll(self) -> list[Record]:
        return self._records

    async def commit(self) -> None:
        pass

    async def rewind(self) -> None:
        pass


async def test_two_readers_of_one_name_do_not_double_effects(stage: "Stage") -> None:
    keys = [uuid4() for _ in range(10)]
    async with stage.at_work("a", "a"):
        for _ in range(10):
            await stage.say(*keys)
        await stage.everything_took_effect()


async def test_the_second_reader_of_a_name_takes_over(stage: "Stage") -> None:
    keys = [uuid4() for _ in range(6)]
    async with stage.publishing(), stage.consuming("a"):
        async with stage.consuming("a"):
            await stage.say(*keys * 3)
            await stage.everything_took_effect()
        await stage.say(*keys * 3)
        await stage.everything_took_effect()


async def test_what_was_handed_out_and_not_committed_comes_again(stage: "Stage") -> None:
    async with stage.publishing():
        await stage.say(*[uuid4() for _ in range(6)])
        async with stage.log.reader("a", [TOPIC], stage.reader) as reader:
            first = await read_all(reader, 6)
            await reader.rewind()
            again = await read_all(reader, 6)
            await reader.commit()
            await stage.say(*stage.said)
            second = await read_all(reader, 6)
            await reader.rewind()
            second_again = await read_all(reader, 6)

    def names(records: list[Record]) -> set[bytes]:
        return {dict(record.headers)["ce_id"] for record in records}

    assert names(first) == names(again)
    assert len(names(first)) == 6
    assert names(second) == names(second_again)
    assert not names(first) & names(second)


async def test_a_committed_place_is_kept_for_the_next_reader(stage: "Stage") -> None:
    async with stage.publishing():
        await stage.say(*[uuid4() for _ in range(6)])
        async with stage.log.reader("a", [TOPIC], stage.reader) as reader:
            await read_all(reader, 6)
            await reader.commit()
        await stage.say(key := uuid4())
        async with stage.log.reader("a", [TOPIC], stage.reader) as reader:
            (record,) = await read_all(reader, 1)

    assert record.key == str(key).encode()


# A Kafka client that is cancelled while it connects leaves that connection to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_when_its_carriers_are_cancelled_at_random(
    stage: "Stage", seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secret: the moments of the cancellations
    keys = [uuid4() for _ in range(8)]

    async def speak() -> None:
        for _ in range(25):
            await stage.say(*keys)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(speak())
        async with stage.consuming("a", "a"):
            for _ in range(8):
                async with stage.publishing() as (sequencer, publisher):
                    await asyncio.sleep(chance.random() * 0.3)
                    chance.choice([sequencer, publisher]).cancel()
                    await asyncio.sleep(chance.random() * 0.1)
    async with stage.at_work("a"):
        await stage.everything_took_effect()
    # Here and now, where it is expected, and not at the end of all tests.
    gc.collect()
