"""Questions: what one database is asked, each by a query whose rows are what is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class Question:
    """A promise that one database can be asked about.

    `broken` gives a row for each thing that breaks it, with `subject` and `detail`; `counted` gives
    how many were looked at.
    """

    promise: str
    broken: str
    counted: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is not as promised: what it is about, and how it differs."""

    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a promise in one database, or between two."""

    where: str
    promise: str
    counted: int
    violations: Sequence[Violation]

    @property
    def is_kept(self) -> bool:
        """Whether nothing breaks it."""
        return not self.violations


async def ask(connection: Connection, where: str, questions: Iterable[Question]) -> list[Finding]:
    """Ask a database everything, as it is at one moment."""
    findings = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for question in questions:
            rows = await connection.fetch(question.broken)
            violations = [Violation(row["subject"], row["detail"]) for row in rows]
            counted = await connection.fetchval(question.counted)
            findings.append(Finding(where, question.promise, counted, violations))
    return findings
