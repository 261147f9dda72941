"""The report at the end: a table for people, and the same as data for programs."""

from collections.abc import Sequence
from typing import Any

from services.rehearsal.outcome import Outcome, StopOutcome
from services.rehearsal.updates import percentile

COLUMNS = (
    "registered",
    "waitlisted",
    "checked_in",
    "scheduled",
    "held",
    "missed",
    "moved",
    "clashes",
)


def data(outcome: Outcome) -> dict[str, Any]:
    """Give the figures as they are printed by `--json`."""
    updates = outcome.updates
    return {
        "stops": [{"city": stop.city.en, **_numbers(stop)} for stop in outcome.stops],
        "updates": {
            "expected": updates.expected,
            "received": updates.received,
            "p50_ms": _rounded(percentile(updates.live_ms, 0.5)),
            "p99_ms": _rounded(percentile(updates.live_ms, 0.99)),
        },
        "seconds": round(outcome.seconds, 1),
    }


def text(outcome: Outcome) -> str:
    """Give the table of stops, the live updates, and every failure."""
    found = data(outcome)
    rows = [[stop["city"], *(str(stop[name]) for name in COLUMNS)] for stop in found["stops"]]
    totals = [str(sum(stop[name] for stop in found["stops"])) for name in COLUMNS]
    head = ["stop", *(name.replace("_", " ") for name in COLUMNS)]
    updates = found["updates"]
    lines = [
        *_table([head, *rows, ["all", *totals]]),
        "",
        f"live updates: {updates['expected']} expected, {updates['received']} received "
        f"({outcome.updates.by_snapshot} of them by a snapshot), "
        f"p50 {_milliseconds(updates['p50_ms'])}, p99 {_milliseconds(updates['p99_ms'])}",
        f"{found['seconds']} s",
        *outcome.remarks,
        *(f"FAILED: {failure}" for failure in outcome.failures),
    ]
    return "\n".join(lines)


def _numbers(stop: StopOutcome) -> dict[str, int]:
    return {
        "registered": stop.registered,
        "waitlisted": stop.waitlisted,
        "checked_in": stop.checked_in,
        "scheduled": stop.scheduled,
        "held": stop.count("completed"),
        "missed": stop.count("no_show"),
        "moved": stop.moved,
        "clashes": stop.clashes,
    }


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        first, *others = zip(row, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(cell.rjust(w) for cell, w in others)])

    return [line(rows[0]), "  ".join("-" * width for width in widths), *map(line, rows[1:])]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _milliseconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value} ms"
