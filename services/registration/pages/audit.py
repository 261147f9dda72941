"""Who did what: the trail of a mission, and of one registration on its own page."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, model_validator

from services.registration.commands.missions import existing_mission
from services.registration.domain.bulk import OUTCOMES, allows, is_there
from services.registration.domain.names import displayed
from services.registration.domain.places import IS_OVER, Decision, Status
from services.registration.domain.questions import Question
from services.registration.domain.taking_back import MISTAKES
from services.registration.pages.lists import BADGES
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import COUNTRIES, pages
from services.registration.resources import Held
from services.registration.seeing import hosts_of
from services.registration.store import audit as store
from services.registration.store import missions, people
from shared.access import Action, Principal, Scope, may, require
from shared.errors import Forbidden, NotFound
from shared.http import Caller, Day
from shared.postgres import Connection
from shared.web.pages import bilingual, language_of, local

PAGE_LENGTH = 50
TRAIL_LENGTH_MAX = 200
PUBLIC = "public"
DECIDING: Mapping[Decision, Action] = {Decision.CANCEL: "registration.cancel"}
"""What the desk needs for a decision where it is not the right to decide."""

KINDS = ("list", "audit_role", "list_do", "mistake")
"""Of which words a detail's value may be one,"""
OF_DETAIL = {"status": ("application",), "code": ("certification",), "mode": ("waiting_mode",)}
"""and of which before these, by its name."""

router = APIRouter(include_in_schema=False)


class Asked(BaseModel):
    """What of the trail somebody wants to see; `day` is by the clock of the first stop."""

    mission_id: UUID | None = None
    actor: UUID | Literal["public"] | None = None
    action: str = Field(default="", max_length=80)
    subject_id: UUID | None = None
    day: Day | None = None
    before: UUID | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_gaps(cls, given: Any) -> Any:
        """Take what a form leaves empty as not asked."""
        return {k: v for k, v in given.items() if v} if isinstance(given, dict) else given


@router.get("/desk/audit")
async def audit(
    asked: Annotated[Asked, Query()], request: Request, held: Held, who: Caller
) -> Response:
    """Show who did what in a mission."""
    async with held.database.reading() as connection:
        mission, choices = await _mission(connection, who, asked.mission_id)
        require(who, "audit.read", Scope(mission["id"]))
        stops = await missions.stops_of(connection, mission["id"])
        zone = stops[0]["timezone"] if stops else "UTC"
        entries = await store.page(
            connection, _wanted(asked, mission["id"], zone), before=asked.before, limit=PAGE_LENGTH
        )
        actions = await store.actions(connection, mission["id"])
        staff = await people.staff_of(connection, mission["id"])
    return pages.render(
        request,
        "audit.html",
        asked=asked,
        mission=mission,
        missions=choices,
        entries=entries,
        actions=actions,
        staff=staff,
        zone=zone,
        public=PUBLIC,
        older=entries[-1]["id"] if len(entries) == PAGE_LENGTH else None,
        now=entries[0]["at"] if entries else datetime.now(ZoneInfo(zone)),
        **_words(request),
    )


@router.get("/desk/registrations/{registration_id}")
async def registration(
    registration_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    refused: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show a registration: facts, answers, state, and what happened to it."""
    async with held.database.reading() as connection:
        found = await store.registration(connection, registration_id)
        if found is None or who.seen_partner not in (None, found["partner_id"]):
            raise NotFound("There is no such registration.")
        if who.seen_partner not in (None, found["person_partner_id"]):
            # A partner may register whose address it knows: that opens nobody's facts to it.
            raise Forbidden("Another brought this person here: the list shows the state alone.")
        hosts = await hosts_of(connection, who, found["stop_id"])
        scope = Scope(found["mission_id"], found["stop_id"], (), found["partner_id"], hosts)
        require(who, "people.read", scope)
        mission = await existing_mission(connection, found["mission_id"])
        wanted = store.Wanted(found["mission_id"], subject_id=registration_id)
        entries = (
            await store.page(connection, wanted, limit=TRAIL_LENGTH_MAX)
            if may(who, "audit.read", scope)
            else []
        )
    status = Status(found["status"])
    asked = await held.forms.of_stop(held.database, found["stop_id"])
    return pages.render(
        request,
        "audit_registration.html",
        r=found,
        mission=mission,
        entries=entries,
        zone=found["timezone"],
        decisions=[
            decision.value
            for decision in OUTCOMES
            if may(who, DECIDING.get(decision, "registration.decide"), scope)
            and allows(status, decision)
            and not is_there(status, decision)
        ]
        + (
            [Decision.REINSTATE.value]
            if status in IS_OVER
            and not found["erased_at"]
            and may(who, "registration.decide", scope)
            else []
        ),
        refused=refused,
        mistakes=MISTAKES,
        can_take_back=may(who, "check_in", scope),
        can_see_privacy=who.role == "mission_staff" and may(who, "privacy.export", scope),
        **_answers(asked.questions, language_of(request)),
        **_words(request),
    )


def _answers(questions: Sequence[Question], language: str) -> dict[str, Any]:
    """Give what writes a question and its answer in words; what is asked no more has its code."""
    known = {question.code: question for question in questions}

    def question(code: str) -> str:
        return bilingual(known[code].label, language) if code in known else code

    def answered(code: str, answer: Any) -> str:
        choices = known[code].choices if code in known else ()
        words = {one["code"]: bilingual(one["label"], language) for one in choices}
        match answer:
            case bool():
                return "✓" if answer else "–"
            case list():
                return ("、" if language == "zh" else ", ").join(
                    words.get(x, str(x)) for x in answer
                )
            case _:
                return words.get(answer, str(answer))

    return {"question": question, "answered": answered}


async def _mission(
    connection: Connection, who: Principal, mission_id: UUID | None
) -> tuple[asyncpg.Record, list[asyncpg.Record]]:
    """Find the mission asked for, or the one that is nearest; who sees many may choose."""
    wanted = who.mission_id or mission_id
    found = await existing_mission(connection, wanted) if wanted else None
    if who.mission_id and found:
        return found, [found]
    choices = list(await missions.missions(connection, with_rehearsals=True))
    if not choices:
        raise NotFound("There is no mission yet.")
    return found or choices[0], choices


def _wanted(asked: Asked, mission_id: UUID, zone: str) -> store.Wanted:
    start = datetime.combine(asked.day, time(), ZoneInfo(zone)) if asked.day else None
    return store.Wanted(
        mission_id,
        actor_id=asked.actor if isinstance(asked.actor, UUID) else None,
        is_public=asked.actor == PUBLIC,
        action=asked.action or None,
        subject_id=asked.subject_id,
        since=start,
        until=start + timedelta(days=1) if start else None,
    )


def _words(request: Request) -> dict[str, Any]:
    language = language_of(request)

    def text(key: str) -> str:
        """Give a word; a sentence with something to fill in, by chance of that name, is none."""
        found = pages.words[key][language] if key in pages.words else ""
        return "" if "{" in found else found

    return {
        "moment": on_day(request),
        "badges": BADGES,
        "countries": COUNTRIES[language],
        "name": lambda row: _name(row, language),
        "actor": lambda row: _actor(row, language, text),
        "subject": lambda row: _subject(row, language),
        "done": lambda action: text(f"audit_{action.replace('.', '_')}") or action,
        "detail": lambda name, value, zone: _detail(name, _at_place(name, value, zone), text),
    }


def _name(row: asyncpg.Record, language: str, prefix: str = "") -> str:
    return displayed(
        row[f"{prefix}full_name"],
        row[f"{prefix}native_name"],
        row[f"{prefix}latin_name"],
        "zh" if language == "zh" else "en",
    )


def _actor(row: asyncpg.Record, language: str, text: Callable[[str], str]) -> str:
    if row["actor_id"] is None:
        return text("audit_public")
    if row["known_actor"]:
        return _name(row, language, "actor_")
    return text("audit_operator" if row["actor_role"] == "mission_staff" else "audit_somebody")


def _subject(row: asyncpg.Record, language: str) -> str:
    """Name what an entry is about, as far as it is on file."""
    parts = [_name(row, language)] if row["full_name"] else []
    parts += [bilingual(row[name], language) for name in ("partner", "title") if row[name]]
    if row["organization"]:
        native = row["native_organization"] if language == "zh" else None
        parts.append(native or row["organization"])
    if row["city"]:
        parts.append(bilingual(row["city"], language))
    return " · ".join(parts)


def _at_place(name: str, value: object, zone: str) -> object:
    """Write a time as the clock at the place shows it."""
    if name != "checked_in_at" or not isinstance(value, str):
        return value
    return local(datetime.fromisoformat(value), zone)


def _detail(name: str, value: object, text: Callable[[str], str]) -> str:
    """Write one detail: states, roles and decisions in words, the rest as it is; nothing of ids."""
    if name.endswith("_id"):
        return ""
    if isinstance(value, str):
        kinds = (*OF_DETAIL.get(name, ()), *KINDS)
        value = next((found for kind in kinds if (found := text(f"{kind}_{value}"))), value)
    named = text(f"audit_detail_{name}") or name.replace("_", " ")
    return named if value is True else f"{named}: {value}"
