"""The ledger of live updates."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from services.rehearsal.updates import Updates, percentile

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def live(revision: int, meeting: str = "m1") -> dict[str, Any]:
    return {"meeting_id": meeting, "revision": revision, "occurred_at": NOW.isoformat()}


def listening() -> Updates:
    updates = Updates()
    updates.listen("p1", "s1")
    return updates


AT = (NOW + timedelta(milliseconds=40)).timestamp()


def test_an_update_counts_whether_it_comes_before_or_after_the_answer() -> None:
    updates = listening()

    updates.change("p1", live(1), AT)
    updates.expect(["p1"], "s1", "m1", 1)
    updates.expect(["p1"], "s1", "m1", 2)
    assert (updates.expected, updates.received) == (2, 1)
    updates.change("p1", live(2), AT)

    assert (updates.expected, updates.received, updates.missing) == (2, 2, 0)
    assert [round(delay) for delay in updates.live_ms] == [40, 40]


def test_a_later_revision_stands_for_all_before_it() -> None:
    updates = listening()
    for revision in (1, 2, 3):
        updates.expect(["p1"], "s1", "m1", revision)

    updates.change("p1", live(2), AT)

    assert updates.received == 2
    assert updates.samples() == ["person p1: meeting m1 at revision 3"]


def test_an_earlier_revision_and_another_meeting_stand_for_nothing() -> None:
    updates = listening()
    updates.expect(["p1"], "s1", "m1", 2)

    updates.change("p1", live(1), AT)
    updates.change("p1", live(9, "m2"), AT)
    updates.change("p2", live(9), AT)

    assert updates.missing == 1


def test_what_came_twice_is_measured_once() -> None:
    updates = listening()

    updates.change("p1", live(1), AT)
    updates.change("p1", live(1), AT + 9)

    assert len(updates.live_ms) == 1


def test_a_snapshot_counts_and_is_kept_apart() -> None:
    updates = listening()
    updates.expect(["p1"], "s1", "m1", 2)

    updates.snapshot("p1", [live(3)], AT)

    assert (updates.received, updates.by_snapshot) == (1, 1)
    assert updates.live_ms == []
    assert len(updates.snapshot_ms) == 1


def test_somebody_released_sees_it_by_what_a_snapshot_lacks() -> None:
    updates = listening()
    updates.expect_release("p1", "s1", "m1", 2)
    updates.snapshot("p1", [live(1)], AT)
    assert updates.missing == 1

    updates.snapshot("p1", [live(7, "m2")], AT)

    assert updates.missing == 0


def test_a_snapshot_that_lacks_a_meeting_proves_nothing_to_its_own_people() -> None:
    updates = listening()
    updates.expect(["p1"], "s1", "m1", 2)

    updates.snapshot("p1", [], AT)

    assert updates.missing == 1


def test_who_does_not_listen_is_not_expected_to_hear() -> None:
    updates = listening()
    updates.leave("p1", "s1")

    updates.expect(["p1", "p2"], "s1", "m1", 1)

    assert updates.expected == 0


async def test_the_wait_ends_when_nothing_more_comes() -> None:
    updates = listening()
    updates.expect(["p1"], "s1", "m1", 1)
    updates.expect(["p1"], "s1", "m2", 1)
    asyncio.get_running_loop().call_later(0.2, updates.change, "p1", live(1), AT)
    began = time.monotonic()

    async with asyncio.timeout(60):
        await updates.arrive(0.3)

    assert updates.missing == 1
    assert time.monotonic() - began >= 0.5


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(range(1, 101)), 0.99) == 99
