"""What can never succeed is parked with its reason, and nothing else waits for it."""

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from shared.log.consumer import ATTEMPTS_MAX, Outage
from shared.log.kafka import KafkaLog
from shared.log.records import Record

if TYPE_CHECKING:
    from tests.shared.conftest import Stage

TOPIC = "registration"
PARKED_BEFORE = "An earlier event of the same key is parked."
NOTHING = b"{}"

MALFORMED = {
    "no JSON": (b"\xff\x00{", "The payload is not a registration.sign_in.requested.v1: 1 faults"),
    "no value": (b"", "The payload is not a registration.sign_in.requested.v1: 1 faults"),
    "another payload": (
        json.dumps({"person_id": "nobody"}).encode(),
        "The payload is not a registration.sign_in.requested.v1: 2 faults, first ('person_id',).",
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_a_malformed_event_parks_its_key_and_other_keys_go_on(
    stage: "Stage", what: str
) -> None:
    value, reason = MALFORMED[what]
    poisoned = uuid4()
    await stage.plant(stage.record(poisoned, value))
    async with stage.at_work():
        await stage.parked(1)
        await stage.say(poisoned, *[uuid4() for _ in range(5)])
        del stage.said[poisoned]
        await stage.everything_took_effect()
        parked = await stage.parked(2)

    assert [key for key, _ in parked] == [poisoned, poisoned]
    assert parked[0][1].startswith(reason)
    assert parked[1][1] == PARKED_BEFORE


async def test_a_handler_that_raises_for_good_parks_its_key(stage: "Stage") -> None:
    broken = uuid4()
    stage.failures[broken] = ValueError("no such \0 stop \ud800")
    async with stage.at_work():
        await stage.say(broken, uuid4(), broken, uuid4())
        del stage.said[broken]
        await stage.everything_took_effect()
        parked = await stage.parked(2)

    assert parked == [
        (broken, "ValueError: no such \N{REPLACEMENT CHARACTER} stop ?"),
        (broken, PARKED_BEFORE),
    ]
    # A batch in which something fails is taken again one by one: three may be seen once more.
    assert ATTEMPTS_MAX + 2 <= stage.seen <= ATTEMPTS_MAX + 2 + 3


async def test_a_handler_that_recovers_within_its_attempts_parks_nothing(stage: "Stage") -> None:
    shaky = uuid4()
    stage.failures[shaky] = ValueError("not yet")

    async def recover() -> bool:
        if stage.seen < ATTEMPTS_MAX - 1:
            return False
        stage.failures.clear()
        return True

    async with stage.at_work():
        await stage.say(shaky)
        await stage.until(recover)
        await stage.everything_took_effect()

    assert await stage.parked(0) == []


async def test_the_events_of_a_released_key_go_on(stage: "Stage") -> None:
    key = uuid4()
    stage.failures[key] = ValueError("wrong")
    async with stage.at_work():
        await stage.say(key, key)
        await stage.parked(2)
        stage.failures.clear()
        async with stage.reader.transaction() as connection:
            await connection.execute("UPDATE dead_letter SET released_at = now()")
        await stage.say(key)
        await stage.until(lambda: has(stage, key))

    assert await stage.effects() == {key: [3]}


async def has(stage: "Stage", key: UUID) -> bool:
    return key in await stage.effects()


async def test_a_parked_event_that_is_delivered_again_is_parked_once(stage: "Stage") -> None:
    key = uuid4()
    await stage.plant(stage.record(uuid4(), b"?"))
    stage.failures[key] = ValueError("wrong")
    async with stage.at_work():
        await stage.say(key, key)
        await stage.parked(3)
    await stage.forget_cursors()
    async with stage.at_work():
        await stage.say(other := uuid4())
        await stage.until(lambda: has(stage, other))

    assert len(await stage.parked(3)) == 3


async def test_types_it_does_not_know_are_passed_over(stage: "Stage") -> None:
    await stage.plant(
        stage.record(key := uuid4(), NOTHING, type_="registration.tomorrow.happened.v1"),
        type_="registration.tomorrow.happened.v1",
    )
    async with stage.at_work():
        await stage.say(key)
        await stage.everything_took_effect()

    assert await stage.parked(0) == []


async def test_what_a_handler_needs_and_is_away_is_waited_for(stage: "Stage") -> None:
    waiting = uuid4()
    stage.failures[waiting] = Outage("the cache is away")

    async def was_tried_often() -> bool:
        return stage.seen > ATTEMPTS_MAX

    async with stage.at_work():
        await stage.say(*[uuid4() for _ in range(5)], waiting, waiting, uuid4())
        await stage.until(was_tried_often)
        stage.failures.clear()
        await stage.everything_took_effect()

    assert await stage.parked(0) == []


async def test_a_key_parked_by_another_member_meanwhile_stays_parked(stage: "Stage") -> None:
    other, key = uuid4(), uuid4()
    stage.failures[key] = ValueError("wrong")
    stage.waits[other] = asyncio.Event()
    records = await peeked(stage, other, key)

    async def one_by_one() -> None:
        for record in records:
            await stage.consumer("a").step(Given([record]))

    slow = asyncio.create_task(one_by_one())
    await stage.until(lambda: has_begun(stage))
    await stage.consumer("a").step(Given(records[1:2]))
    stage.failures.clear()
    stage.waits[other].set()
    await slow

    assert await stage.effects() == {other: [1]}
    assert [reason for _, reason in await stage.parked(2)] == ["ValueError: wrong", PARKED_BEFORE]


async def test_a_member_waits_for_the_batch_of_another_that_overlaps(stage: "Stage") -> None:
    other, key = uuid4(), uuid4()
    stage.waits[other] = asyncio.Event()
    records = await peeked(stage, other, key)

    slow = asyncio.create_task(stage.consumer("a").step(Given(records)))
    await stage.until(lambda: has_begun(stage))
    second = asyncio.create_task(stage.consumer("a").step(Given(records[1:])))
    done, _ = await asyncio.wait([second], timeout=0.3)
    stage.waits[other].set()
    await asyncio.gather(slow, second)

    assert not done
    assert await stage.effects() == {other: [1], key: [1, 2]}


async def peeked(stage: "Stage", other: UUID, key: UUID) -> list[Record]:
    """Publish one record of `other` and two of `key`, and give them in that order."""
    async with stage.publishing():
        await stage.say(other, key, key)
        async with stage.log.reader("peek", [TOPIC], stage.reader) as reader:
            found: list[Record] = []
            while len(found) < 3:
                found += await reader.poll()
    # The order of keys may be any.
    return sorted(found, key=lambda record: record.key != str(other).encode())


async def has_begun(stage: "Stage") -> bool:
    return stage.seen > 0


class Given:
    """A reader of records that were polled before."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    async def poll(self) -> list[Record]:
        return self._records

    async def commit(self) -> None:
        pass

    async def rewind(self) -> None:
        pass


UNREADABLE = {
    "no headers": ((), "The header ce_id is missing."),
    "a wrong id": ((("ce_id", b"\xff\x00"),), "A CloudEvents header is wrong: badly formed"),
    "a header without a value": ((("ce_id", None),), "A CloudEvents header is wrong: badly formed"),
}


@pytest.mark.parametrize("kind", ["kafka"], indirect=True)
@pytest.mark.parametrize("what", UNREADABLE)
async def test_a_record_that_is_not_one_of_ours_is_parked_without_a_key(
    stage: "Stage", what: str
) -> None:
    assert isinstance(stage.log, KafkaLog)
    headers, reason = UNREADABLE[what]
    key = uuid4()
    stranger = Record(TOPIC, str(key).encode(), headers, b"hello")  # type: ignore[arg-type]  # wrong on purpose
    await stage.plant(stranger)
    await stage.plant(stranger)
    async with stage.at_work():
        await stage.say(key)
        await stage.everything_took_effect()

    ((parked_key, found),) = await stage.parked(1)
    assert parked_key is None
    assert found.startswith(reason)
