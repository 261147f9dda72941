"""The report: every check has its line, whatever becomes of it."""

import asyncio
from collections.abc import Sequence

from shared.doctor import report
from shared.doctor.examining import Check, examined
from shared.doctor.findings import Finding, ok, warning, wrong


async def fine() -> Sequence[Finding]:
    return [ok("fine", "as it must be")]


async def fails() -> Sequence[Finding]:
    raise RuntimeError("a broken check of somebody@mission.example\n" * 2)


async def cut_off() -> Sequence[Finding]:
    raise asyncio.CancelledError


async def never() -> Sequence[Finding]:
    await asyncio.sleep(60)
    return []


async def test_a_check_that_raises_or_never_ends_is_a_finding_among_the_others() -> None:
    checks = [
        Check("broken", fails, "Mend it."),
        Check("cut off", cut_off, "Ask again."),
        Check("slow", never, "Wait.", seconds_max=0.05),
        Check("fine", fine, ""),
    ]

    found = await examined(checks)

    assert [(one.about, one.level, one.advice) for one in found] == [
        ("broken", "wrong", "Mend it."),
        ("cut off", "wrong", "Ask again."),
        ("slow", "wrong", "Wait."),
        ("fine", "ok", ""),
    ]
    assert "somebody" not in found[0].seen
    assert "\n" not in found[0].seen


def test_a_table_says_what_is_not_ok_and_ends_with_a_sum() -> None:
    found = [
        ok("PostgreSQL", "18.6"),
        wrong("Redis: full memory", "allkeys-lru", "It drops meetings."),
        warning("font", "none", "Install one."),
    ]

    lines = report.text("notify", found).splitlines()

    assert lines == [
        "ok       PostgreSQL          18.6",
        "wrong    Redis: full memory  allkeys-lru",
        "         It drops meetings.",
        "warning  font                none",
        "         Install one.",
        "",
        "notify: 1 wrong, 1 warning, 1 ok. Wrong: Redis: full memory.",
    ]
    assert not report.is_well(found)
    assert report.is_well(found[2:])


def test_programs_get_the_same() -> None:
    found = [wrong("Redis", "does not answer", "Start it.")]

    assert report.data("notify", found) == {
        "service": "notify",
        "is_well": False,
        "findings": [
            {
                "about": "Redis",
                "level": "wrong",
                "seen": "does not answer",
                "advice": "Start it.",
            }
        ],
    }
