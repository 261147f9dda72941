from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from services.rehearsal import report
from services.rehearsal.rehearsing import Options, rehearse
from services.verifying.asking import verify
from services.verifying.report import broken
from shared.events import EVENTS


def check(found: dict[str, Any]) -> None:
    """Check that all that was expected arrived, and that nobody was in two places."""
    (stop,) = found["stops"]
    assert stop["clashes"] == 0
    for name in ("waitlisted", "held", "missed", "moved"):
        assert stop[name] > 0, name
    assert found["updates"]["received"] == found["updates"]["expected"] > 0


async def test_any_part_may_be_killed_while_a_mission_runs_and_nothing_is_lost(
    house: Any, one_stop: Path, tmp_path: Path, killing: Callable[[str], None]
) -> None:
    """Three processes and a broker; each part dies once, and starts again."""
    options = Options(out=tmp_path / "out", tell=killing)

    outcome = await rehearse(one_stop, house.url, house.staff_token(), options)

    assert outcome.failures == []
    check(report.data(outcome))
    assert broken(await verify(house.sources)) == []
    assert await types_in(house.kafka_servers) <= {event.TYPE for event in EVENTS}


async def types_in(servers: str) -> set[str]:
    """Read both topics to their ends as a stranger would, by the headers alone."""
    topics = ("tradewind.registration", "tradewind.matching")
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    found: set[str] = set()
    try:
        while batches := await consumer.getmany(timeout_ms=2_000):
            for message in (one for batch in batches.values() for one in batch):
                headers = dict(message.headers)
                assert headers["ce_specversion"] == b"1.0"
                assert headers["ce_subject"] == message.key
                found.add(headers["ce_type"].decode())
    finally:
        await consumer.stop()
    assert len(found) > 8
    return found
