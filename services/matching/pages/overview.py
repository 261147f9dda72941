"""The overview of a stop for staff: who wishes, asks and meets how much, and who is forgotten."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.matching.commands import looking
from services.matching.domain import overview as domain
from services.matching.domain.overview import OF_OTHERS, Attention
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.resources import Held
from services.matching.store import overview as store
from services.matching.store import quotas
from shared.access import Principal, Scope, may, require
from shared.errors import Forbidden
from shared.events.base import Side
from shared.http import Caller, Now
from shared.web.pages import language_of

PAGE_LENGTH = 50
PAGES_MAX = 1_000

router = APIRouter(include_in_schema=False)


@router.get("/stops/{stop_id}/matching")
async def overview(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    q: Annotated[str, Query(max_length=100)] = "",
    side: Side | None = None,
    only: Attention | None = None,
    page: Annotated[int, Query(ge=1, le=PAGES_MAX)] = 1,
) -> Response:
    """List the participants of a stop, for a partner its own; in pages."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        scope = Scope(stop["mission_id"], stop_id, (), who.partner_id)
        require(who, "preference.write", scope)
        sees_all = _sees_all(who, only)
        partner_id = None if sees_all else who.partner_id
        everybody = domain.lines(
            map(dict, await store.of_stop(connection, stop_id, partner_id, now)),
            await quotas.sides(connection, stop_id),
            await quotas.parts(connection, stop_id),
        )
    found = domain.narrowed(everybody, q, side, only)
    shown = found[(page - 1) * PAGE_LENGTH : page * PAGE_LENGTH]
    name = await names(held, who, scope, {one.id: one.partner_id for one in shown})
    language = language_of(request)
    given = {"q": q, "side": side, "only": only, "page": page if page > 1 else None}
    return pages.render(
        request,
        "overview.html",
        **company_words(request),
        stop=stop,
        shown=shown,
        found=len(found),
        sides={one: sum(line.side == one for line in everybody) for one in ("delegation", "local")},
        counts={
            code: count
            for code, count in domain.counted(everybody).items()
            if sees_all or code not in OF_OTHERS
        },
        asked=given,
        link=lambda **changes: urlencode({k: v for k, v in (given | changes).items() if v}),
        has_more=len(found) > page * PAGE_LENGTH,
        name=lambda person: name(person, language),
        sees_all=sees_all,
        may_limit=may(who, "quota.write", scope),
        may_bar=may(who, "veto.read", scope),
        sees_board=may(who, "board.read", scope),
    )


def _sees_all(who: Principal, only: Attention | None) -> bool:
    """Say whether somebody sees what the other side wishes; raises `Forbidden` to ask for it."""
    if who.role != "mission_staff" and only in OF_OTHERS:
        raise Forbidden("What others wish is known to mission staff alone.")
    return who.role == "mission_staff"
