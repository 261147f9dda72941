"""The report: each promise, whether it is kept, and what breaks it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.verifying.questions import Finding

SHOWN_MAX = 20


def data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Give everything, for programs."""
    return [{**asdict(one), "is_kept": one.is_kept} for one in findings]


def text(findings: Sequence[Finding]) -> str:
    """Give a line for each promise, and under a broken one what breaks it, the first of it."""
    width = max(len(one.where) for one in findings)
    lines = [line for one in findings for line in _lines(one, width)]
    return "\n".join([*lines, "", verified(findings)])


def verified(findings: Sequence[Finding]) -> str:
    """Say in one line how it stands."""
    wrong = sum(not one.is_kept for one in findings)
    return f"{len(findings)} promises verified in the databases, {wrong or 'none'} broken."


def broken(findings: Sequence[Finding]) -> list[str]:
    """Give a line for each thing that breaks a promise."""
    return [
        f"{one.where}: {one.promise}: {wrong.subject}: {wrong.detail}"
        for one in findings
        for wrong in one.violations
    ]


def _lines(finding: Finding, width: int) -> list[str]:
    mark = "kept  " if finding.is_kept else "BROKEN"
    head = f"{mark}  {finding.where:{width}}  {finding.promise} ({finding.counted:,} looked at)"
    shown = finding.violations[:SHOWN_MAX]
    more = len(finding.violations) - len(shown)
    return [
        head,
        *(f"          {one.subject}: {one.detail}" for one in shown),
        *([f"          and {more:,} more"] if more else []),
    ]
