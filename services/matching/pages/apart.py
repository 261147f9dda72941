"""Who is kept apart: exclusions and vetoes with their reasons, and wishes that cannot be met."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.matching.commands import looking
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.resources import Held, Resources
from services.matching.store import barring as store
from services.matching.store import choosing, conflicts, facts
from services.matching.wish_bodies import MESSAGE_LENGTH_MAX
from shared.access import Principal, Scope, may, require
from shared.http import Caller
from shared.web.pages import language_of, on_day

HITS_MAX = 30

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Pair:
    """Whom a form is about: one of the delegation, one local, and the words to find the latter."""

    one: UUID | None = None
    other: UUID | None = None
    q: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the page says of what was sent: a word's key, the reason typed, meetings that stand."""

    wrong: str = ""
    reason: str = ""
    standing: int = 0
    saved: str = ""


@router.get("/stops/{stop_id}/matching/apart")
async def apart(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    one: UUID | None = None,
    other: UUID | None = None,
    q: Annotated[str, Query(max_length=100)] = "",
    saved: Annotated[str, Query(max_length=20)] = "",
    standing: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Response:
    """Show who is kept apart and why, to a host its own vetoes alone."""
    stop = await stop_of(held, who, stop_id)
    told = Told(saved=saved, standing=standing)
    return await page(request, held, who, stop, Pair(one, other, q.strip()), told)


async def stop_of(held: Resources, who: Principal, stop_id: UUID) -> facts.Row:
    """Give a stop to who may read what is kept apart there; raises `NotFound`, `Forbidden`."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "veto.read", Scope(stop["mission_id"], stop_id, partner_id=who.partner_id))
    return stop


def host_of(who: Principal, stop: facts.Row) -> UUID | None:
    """Give the partner for which somebody speaks as a host of the stop."""
    return who.partner_id if who.partner_id in stop["hosts"] else None


async def page(
    request: Request, held: Resources, who: Principal, stop: facts.Row, pair: Pair, told: Told
) -> Response:
    """Render the page, after something was sent with what is told of it."""
    scope = Scope(stop["mission_id"], stop["id"])
    sees_all = may(who, "exclusion.write", scope)
    is_host = may(who, "veto.write", Scope(*_where(stop), partner_id=host_of(who, stop)))
    async with held.database.reading() as connection:
        partner = None if sees_all else who.partner_id
        exclusions = await store.exclusions_of(connection, stop["mission_id"]) if sees_all else []
        listed = {
            "exclusions": [row for row in exclusions if row["stop_id"] in (None, stop["id"])],
            "vetoes": await store.vetoes_of(connection, stop["id"], partner),
            "conflicts": await conflicts.of_stop(connection, *_where(stop)) if sees_all else [],
        }
        people = {
            id_
            for row in [*listed["exclusions"], *listed["vetoes"]]
            for id_ in (row["one_id"], row["other_id"])
        }
        people |= {id_ for row in listed["conflicts"] for id_ in row[:2]}
        known = await choosing.profiles_of(connection, [*people, *filter(None, [pair.other])])
        companies = await choosing.companies(connection, people - known.keys())
        delegates = await choosing.people_at(connection, stop["id"], "delegation")
        locals_ = (
            await choosing.people_at(connection, stop["id"], "local", pair.q, HITS_MAX)
            if pair.q
            else []
        )
    partners: Mapping[UUID, UUID | None] = {
        **{one.id: one.partner_id for one in known.values()},
        **{row["id"]: row["partner_id"] for row in [*delegates, *locals_]},
    }
    name = await names(held, who, scope, partners)
    language = language_of(request)
    return pages.render(
        request,
        "apart.html",
        status=422 if told.wrong else 200,
        **company_words(request),
        **listed,
        stop=stop,
        pair=pair,
        told=told,
        parties={**companies, **known},
        delegates=delegates,
        locals=locals_,
        sees_all=sees_all,
        is_host=is_host,
        message_length_max=MESSAGE_LENGTH_MAX,
        name=lambda one: name(one, language),
        moment=lambda at: on_day(at, stop["timezone"], language),
    )


def _where(stop: facts.Row) -> tuple[UUID, UUID]:
    return stop["mission_id"], stop["id"]
