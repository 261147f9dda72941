"""The report: a table for people, JSON for programs; secrets in neither."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from textwrap import wrap
from typing import Any

from shared.doctor.findings import Finding, Level

WIDTH = 100
INDENT = " " * 9
LEVELS: tuple[Level, ...] = ("ok", "warning", "wrong")
HIDDEN = "***"
SECRET_LENGTH_MIN = 4
"""A shorter one is no secret, and would be struck out of every other word."""


def is_well(findings: Sequence[Finding]) -> bool:
    """Say whether nothing is wrong."""
    return all(finding.level != "wrong" for finding in findings)


def without(secrets: Collection[str], finding: Finding) -> Finding:
    """Strike secrets out of what was seen: servers may repeat what they were told."""
    seen = finding.seen
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_LENGTH_MIN:
            seen = seen.replace(secret, HIDDEN)
    return replace(finding, seen=seen)


def data(service: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Give everything, for programs."""
    return {
        "service": service,
        "is_well": is_well(findings),
        "findings": [asdict(finding) for finding in findings],
    }


def text(service: str, findings: Sequence[Finding]) -> str:
    """Give a line for each finding, what to do under each that is not ok, and a sum."""
    width = max(len(finding.about) for finding in findings)
    lines = [line for finding in findings for line in _lines(finding, width)]
    return "\n".join([*lines, "", _sum(service, findings)])


def _lines(finding: Finding, width: int) -> list[str]:
    head = f"{finding.level:{len(INDENT)}}{finding.about:{width}}  {finding.seen}"
    # Not at hyphens: what is to be typed stays whole.
    advice = wrap(finding.advice, WIDTH - len(INDENT), break_on_hyphens=False)
    return [head, *(INDENT + line for line in advice)]


def _sum(service: str, findings: Sequence[Finding]) -> str:
    counts = {
        level: sum(finding.level == level for finding in findings) for level in reversed(LEVELS)
    }
    parts = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    bad = "; ".join(dict.fromkeys(one.about for one in findings if one.level == "wrong"))
    return f"{service}: {parts}." + (f" Wrong: {bad}." if bad else "")
