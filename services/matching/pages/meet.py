"""Whom to meet: what is recommended to a participant, wished and asked, also on behalf of one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from services.matching.acting import require_for
from services.matching.asking import Asked, AskedFor
from services.matching.commands import choosing
from services.matching.domain.choosing import Choice, Chosen, matches
from services.matching.domain.scoring import Profile
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.resources import Held, Resources
from services.matching.store import choosing as store
from services.matching.store import conflicts, facts
from services.matching.wish_bodies import MESSAGE_LENGTH_MAX
from shared.access import Principal, Scope, may
from shared.errors import NotFound
from shared.http import Caller, Now
from shared.postgres import Connection
from shared.web.pages import language_of, on_day

PAGE_LENGTH = 20
CODE_LENGTH_MAX = 40

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was not taken, to whom it was, and what is wrong with it as a word's key."""

    counterpart_id: UUID
    message: str
    why: str


@router.get("/meet")
async def mine(held: Held, who: Caller, now: Now, request: Request) -> Response:
    """Go to one's own page at the next stop, or say that there is none."""
    if who.role not in ("delegate", "local"):
        return RedirectResponse("/home", 303)
    async with held.database.reading() as connection:
        stops = await store.stops_of(connection, who.subject)
    to_come = [s for s in stops if s["held_on"] >= now.astimezone(ZoneInfo(s["timezone"])).date()]
    stop = next(iter(to_come or stops[-1:]), None)
    if stop is None:
        return pages.render(request, "no_meet.html")
    return RedirectResponse(f"/stops/{stop['id']}/meet/{who.subject}", 303)


@dataclass(frozen=True, slots=True)
class View:
    """One person's choosing at a stop, as `who` may see it."""

    held: Resources
    who: Principal
    stop: facts.Row
    person_id: UUID
    now: datetime

    async def page(
        self,
        request: Request,
        asked: Asked,
        *,
        done: UUID | None = None,
        refused: str = "",
        wrong: Refused | None = None,
    ) -> Response:
        """Render the page; with a message that was `wrong`, as the answer to sending it."""
        async with self.held.database.reading() as connection:
            chosen = await self._chosen(connection)
            sectors = await facts.sectors(connection, self.stop["mission_id"])
            shown, has_more = await self._shown(connection, chosen, asked, wrong)
            ruled_out = await self._conflicts(connection)
            named = {self.person_id, *chosen.counterparts, *filter(None, [done])}
            named |= {person for row in ruled_out for person in row[:2]}
            known = await store.profiles_of(connection, named)
            context = {
                "stops": await store.stops_of(connection, self.person_id),
                "wanted": await store.companies(
                    connection, [one["organization_id"] for one in chosen.companies]
                ),
                "conflicts": ruled_out,
                "has_more": has_more,
                "sectors": sectors,
                "shown": shown,
                "others": {one: chosen.choice(profile) for one, profile in known.items()},
                "done": known.get(done) if done else None,
                "refused": f"meet_refused_{refused}" if refused else "",
            }
        people = [one.profile for one in shown] + list(known.values())
        context |= await self._common(request, chosen, asked, people)
        return pages.render(
            request, "meet.html", status=422 if wrong else 200, **context, wrong=wrong
        )

    async def card(self, request: Request, asked: Asked, counterpart_id: UUID) -> Response:
        """Render one card; raises `NotFound` for who is not on the other side here."""
        async with self.held.database.reading() as connection:
            chosen = await self._chosen(connection)
            choice = await self._one(connection, chosen, counterpart_id)
            sectors = await facts.sectors(connection, self.stop["mission_id"])
        context = await self._common(request, chosen, asked, [choice.profile])
        return pages.render(
            request, "meet_card.html", **context, one=choice, sectors=sectors, wrong=None
        )

    @property
    def base(self) -> str:
        """Give the path of this page."""
        return f"/stops/{self.stop['id']}/meet/{self.person_id}"

    @property
    def _host(self) -> UUID | None:
        partner_id = self.who.partner_id
        return partner_id if partner_id in self.stop["hosts"] else None

    async def _chosen(self, connection: Connection) -> Chosen:
        return await choosing.chosen(connection, self.stop["id"], self.person_id, self.now)

    async def _shown(
        self, connection: Connection, chosen: Chosen, asked: Asked, wrong: Refused | None
    ) -> tuple[list[Choice], bool]:
        """Give the recommendations of a page, and whether there are more."""
        if wrong:
            return [await self._one(connection, chosen, wrong.counterpart_id)], False
        if asked.show != "recommended":
            return [], False
        sectors = await facts.sectors(connection, self.stop["mission_id"])
        before = (asked.page - 1) * PAGE_LENGTH
        found = await self.held.recommender.recommend(
            connection,
            self.stop,
            self.person_id,
            before + PAGE_LENGTH + 1,
            lambda one: matches(one, asked.q, asked.sector, sectors),
        )
        found_here = found[before:][:PAGE_LENGTH]
        companies = await store.companies_of(
            connection, self.stop["id"], [profile.id for _, profile in found_here]
        )
        shown = [
            chosen.choice(profile, one, companies.get(profile.id)) for one, profile in found_here
        ]
        return shown, len(found) > before + PAGE_LENGTH

    async def _conflicts(self, connection: Connection) -> Sequence[facts.Row]:
        """Give this person's wishes that cannot be met, to whom may know why."""
        mission_id, stop_id = self.stop["mission_id"], self.stop["id"]
        if not may(self.who, "exclusion.write", Scope(mission_id, stop_id)):
            return []
        return await conflicts.of_stop(connection, mission_id, stop_id, self.person_id)

    async def _one(self, connection: Connection, chosen: Chosen, counterpart_id: UUID) -> Choice:
        found = await self.held.recommender.recommend(
            connection, self.stop, self.person_id, 1, lambda one: one.id == counterpart_id
        )
        for recommendation, profile in found:
            companies = await store.companies_of(connection, self.stop["id"], [profile.id])
            return chosen.choice(profile, recommendation, companies.get(profile.id))
        known = await store.profiles_of(connection, [counterpart_id])
        if counterpart_id not in known or counterpart_id not in chosen.counterparts:
            raise NotFound("There is nobody of this id on the other side here.")
        return chosen.choice(known[counterpart_id])

    async def _common(
        self, request: Request, chosen: Chosen, asked: Asked, people: Iterable[Profile]
    ) -> dict[str, Any]:
        scope = Scope(self.stop["mission_id"], self.stop["id"])
        partners = {one.id: one.partner_id for one in people}
        name = await names(self.held, self.who, scope, partners, chosen.in_touch)
        language = language_of(request)
        return {
            **company_words(request),
            "stop": self.stop,
            "me": self.person_id,
            "is_own": self.who.subject == self.person_id,
            "chosen": chosen,
            "asked": asked,
            "name": lambda person: name(person, language),
            "moment": lambda at: on_day(at, self.stop["timezone"], language),
            "key": lambda: uuid4().hex,
            "base": self.base,
            "message_length_max": MESSAGE_LENGTH_MAX,
            "may_bar": may(self.who, "exclusion.write", scope)
            or may(self.who, "veto.write", replace(scope, partner_id=self._host)),
        }


async def _view(stop_id: UUID, participant_id: UUID, held: Held, who: Caller, now: Now) -> View:
    stop = await require_for(held, who, "preference.write", stop_id, participant_id)
    return View(held, who, stop, participant_id, now)


Allowed = Annotated[View, Depends(_view)]
"""One person's choosing, for that person and who may act for him or her; others are refused."""


@router.get("/stops/{stop_id}/meet/{participant_id}")
async def meet(
    request: Request,
    view: Allowed,
    asked: AskedFor,
    done: UUID | None = None,
    refused: Annotated[str, Query(max_length=CODE_LENGTH_MAX)] = "",
) -> Response:
    """Show a part of the page: recommendations, wishes, or requests."""
    return await view.page(request, asked, done=done, refused=refused)


@router.get("/stops/{stop_id}/meet/{participant_id}/cards/{counterpart_id}")
async def card(request: Request, view: Allowed, asked: AskedFor, counterpart_id: UUID) -> Response:
    """Show one counterpart's card alone; the page asks for it after something was stated."""
    return await view.card(request, asked, counterpart_id)
