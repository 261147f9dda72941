"""Reviewing: scores that are given before the others' are seen, and the ranking they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from services.registration.commands.applications import calls
from services.registration.commands.applications.applying import locked
from services.registration.commands.applications.calls import Call
from services.registration.domain.applications import REVIEWABLE, Status
from services.registration.domain.reviews import (
    Scores,
    Verdict,
    check_complete,
    check_stands,
    may_see,
    verdict,
    weighted_mean,
)
from services.registration.store import applications
from services.registration.store import reviews as store
from shared.access import Principal
from shared.errors import Conflict
from shared.postgres import Connection, Database

Row = asyncpg.Record
Scored = Sequence[tuple[UUID, int, str]]


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's scores; an abstention has none."""

    reviewer_id: UUID
    reviewer: str | None
    is_abstention: bool
    given_at: datetime
    revised_at: datetime | None
    mean: float | None
    scores: Mapping[UUID, Row]


@dataclass(frozen=True, slots=True)
class Board:
    """What one member of staff may see of an application's reviews."""

    mine: Review | None
    is_open: bool
    """Whether the others' reviews are shown: after one's own, or when none is taken any more."""
    number: int
    """How many have scored."""
    reviews: Sequence[Review] = ()
    verdict: Verdict = field(default_factory=lambda: Verdict(None, None, {}))


@dataclass(frozen=True, slots=True)
class Ranked:
    """An application in the list, with what the reader may know of its scores."""

    row: Row
    number: int
    is_open: bool
    has_reviewed: bool
    verdict: Verdict
    rank: int | None = None


async def review(
    database: Database, application_id: UUID, who: Principal, scored: Scored, now: datetime
) -> None:
    """Score every criterion; a second time revises, and the first scores are kept.

    Raises `NotFound`, `Invalid`, and `Conflict` when no review is taken or one has abstained.
    """
    async with database.transaction() as connection:
        call = await _reviewable(connection, application_id)
        check_complete([criterion_id for criterion_id, _, _ in scored], call.weights)
        before = await store.review(connection, application_id, who.subject)
        if before is not None:
            check_stands(was_abstention=before["is_abstention"])
        await store.put(connection, application_id, who.subject, now, is_abstention=False)
        await store.put_scores(connection, application_id, who.subject, scored)


async def abstain(database: Database, application_id: UUID, who: Principal, now: datetime) -> None:
    """Note that somebody does not score an application, and so may see what others gave."""
    async with database.transaction() as connection:
        await _reviewable(connection, application_id)
        before = await store.review(connection, application_id, who.subject)
        if before is not None and not before["is_abstention"]:
            raise Conflict("You have scored this application.", code="reviewed")
        if before is None:
            await store.put(connection, application_id, who.subject, now, is_abstention=True)


async def _reviewable(connection: Connection, application_id: UUID) -> Call:
    row = await locked(connection, application_id)
    if Status(row["status"]) not in REVIEWABLE:
        raise Conflict("No review of this application is taken now.", code="illegal_state")
    return await calls.existing(connection, row["mission_id"])


async def board(connection: Connection, application: Row, call: Call, who: Principal) -> Board:
    """Give what `who` may see of an application's reviews."""
    found = _reviews(await store.of_application(connection, application["id"]), call.weights)
    mine = next((one for one in found if one.reviewer_id == who.subject), None)
    number = sum(not one.is_abstention for one in found)
    is_open = may_see(
        has_reviewed=mine is not None, is_reviewable=Status(application["status"]) in REVIEWABLE
    )
    if not is_open:
        return Board(mine, is_open, number)
    given = [_numbers(one) for one in found if not one.is_abstention]
    return Board(mine, is_open, number, found, verdict(given, call.weights))


async def ranking(
    connection: Connection, call: Call, who: Principal, status: Status | None = None
) -> Sequence[Ranked]:
    """List a mission's applications, best first; those whose scores are hidden follow in order."""
    mission_id = call.mission["id"]
    given: dict[UUID, dict[UUID, dict[UUID, int]]] = {}
    mine: set[UUID] = set()
    for score in await store.of_mission(connection, mission_id):
        if score["reviewer_id"] == who.subject:
            mine.add(score["application_id"])
        if not score["is_abstention"]:
            of = given.setdefault(score["application_id"], {})
            of.setdefault(score["reviewer_id"], {})[score["criterion_id"]] = score["score"]
    found = [
        _ranked(row, list(given.get(row["id"], {}).values()), row["id"] in mine, call)
        for row in await applications.of_mission(connection, mission_id)
        if status is None or row["status"] == status
    ]
    found.sort(key=lambda one: -(one.verdict.mean or 0))
    return [
        Ranked(
            one.row,
            one.number,
            one.is_open,
            one.has_reviewed,
            one.verdict,
            place if one.verdict.mean is not None else None,
        )
        for place, one in enumerate(found, start=1)
    ]


def _ranked(row: Row, given: Sequence[Scores], has_reviewed: bool, call: Call) -> Ranked:
    is_reviewable = Status(row["status"]) in REVIEWABLE
    is_open = may_see(has_reviewed=has_reviewed, is_reviewable=is_reviewable)
    shown = verdict(given, call.weights) if is_open else Verdict(None, None, {})
    return Ranked(row, len(given), is_open, has_reviewed, shown)


def _reviews(rows: Sequence[Row], weights: Mapping[UUID, int]) -> list[Review]:
    by_reviewer: dict[UUID, list[Row]] = {}
    for row in rows:
        by_reviewer.setdefault(row["reviewer_id"], []).append(row)
    return [_review(of, weights) for of in by_reviewer.values()]


def _review(rows: Sequence[Row], weights: Mapping[UUID, int]) -> Review:
    first = rows[0]
    scores = {row["criterion_id"]: row for row in rows if row["criterion_id"]}
    numbers = {criterion: row["score"] for criterion, row in scores.items()}
    return Review(
        first["reviewer_id"],
        first["reviewer"],
        first["is_abstention"],
        first["given_at"],
        first["revised_at"],
        weighted_mean(numbers, weights) if numbers else None,
        scores,
    )


def _numbers(review: Review) -> dict[UUID, int]:
    return {criterion: row["score"] for criterion, row in review.scores.items()}
