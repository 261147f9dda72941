"""The quality report of a version: one page that explains it to the head of a mission."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.matching.commands import judging
from services.matching.commands.judging import Judgement
from services.matching.domain.quality import Quality, Unfulfilled
from services.matching.domain.unmet import said
from services.matching.pages.rendering import pages
from services.matching.pages.versions import require_version
from services.matching.resources import Held
from shared.http import Caller, Now
from shared.web.pages import language_of

NAMED_MAX = 8
"""How many unmet must-meets, or people who are worst off, the page names."""

router = APIRouter(include_in_schema=False)


@router.get("/stops/{stop_id}/board/schedules/{schedule_id}/quality")
async def quality(
    stop_id: UUID, schedule_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Show how good a version is, on the screen and on one sheet of A4."""
    stop, row = await require_version(held, who, stop_id, schedule_id)
    async with held.database.reading() as connection:
        found = await judging.judge(connection, row)
    language = language_of(request)
    return pages.render(
        request,
        "quality.html",
        stop=stop,
        version=row,
        found=found.quality,
        proof=found.proof,
        now=now,
        today=now.astimezone(ZoneInfo(stop["timezone"])).date(),
        verdict=verdict(found.quality),
        musts=[
            unmet_line(found, one, language)
            for one in found.quality.unmet
            if one.kind == "must_meet"
        ][:NAMED_MAX],
        other_reasons=reasons(found.quality, language),
        company=lambda person: found.names.of(person).in_(language),
        named_max=NAMED_MAX,
        percent=percent,
    )


def verdict(quality: Quality) -> str:
    """Choose the sentence that the page begins with: the first of these that is so."""
    musts = next(one for one in quality.wishes if one.kind == "must_meet")
    if not quality.meetings:
        return "quality_verdict_empty"
    if musts.met < musts.stated:
        return "quality_verdict_musts"
    if quality.guaranteed.short:
        return "quality_verdict_minima"
    if quality.exceeded:
        return "quality_verdict_exceeded"
    if any(side.without for side in quality.sides):
        return "quality_verdict_without"
    return "quality_verdict_good"


def unmet_line(found: Judgement, one: Unfulfilled, language: str) -> Mapping[str, Any]:
    """Name who wishes to meet whom, and say why it is not so."""
    if one.counterpart_id:
        wished = found.names.of(one.counterpart_id)
    else:
        assert one.organization_id is not None
        wished = found.organizations.get(one.organization_id) or found.names.of(one.organization_id)
    return {
        "who": found.names.of(one.participant_id).in_(language),
        "wished": wished.in_(language),
        "reason": said(one.code).in_(language),
    }


def reasons(quality: Quality, language: str) -> list[tuple[str, int]]:
    """Count why wishes that are no must-meets are unmet, the most frequent reason first."""
    counts = Counter(one.code for one in quality.unmet if one.kind != "must_meet")
    return [(said(code).in_(language), count) for code, count in counts.most_common()]


def percent(part: float, whole: float = 1) -> str:
    """Write a share; a part is never shown as all, nor as nothing."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if part < whole and share > 99.9:  # noqa: PLR2004  # what would be rounded to all
        return "99.9 %"
    return f"{share:.0f} %" if share >= 1 or not part else f"{share:.1f} %"
