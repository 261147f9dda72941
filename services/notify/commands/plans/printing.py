"""Printing: plans become sheets of A4, each in the language of the person it is for."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.notify.commands.plans.reading import Plans
from services.notify.domain.day_plans import FINISHED
from services.notify.domain.order import Meeting
from services.notify.store.facts import Facts
from shared.access import Principal
from shared.auditing import note
from shared.contacts import Contact
from shared.errors import Conflict, NotFound
from shared.events.base import Language
from shared.pdfs import Binder
from shared.postgres import Database
from shared.printing import CJK_FONT, PRESS, families, qr, typeset_apart
from shared.web.pages import bilingual, day, local, zone_name
from shared.web.words import LANGUAGES, load

HERE = Path(__file__).parent
TEMPLATE = HERE / "plan.typ"
PEOPLE_MAX = 500
"""On so many sheets of one PDF; of more, part by part."""
CHUNK_SIZE = 25
"""So many sheets are set at once: about 170 MB in a process of their own."""
MEDIA_TYPE = "application/pdf"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sheets:
    """A PDF as it is made: its beginning is."""

    name: str
    chunks: AsyncIterator[bytes]

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers of its answer."""
        return {
            "Content-Disposition": f'inline; filename="{self.name}"',
            "Cache-Control": "private, no-store",
        }


def parts_of(plans: Plans) -> int:
    """Say in how many parts all sheets are printed."""
    return -(-len(plans.people) // PEOPLE_MAX)


async def printed(
    database: Database,
    origin: str,
    who: Principal,
    plans: Plans,
    asked: tuple[int | None, datetime],
) -> Sheets:
    """Set sheets, and note that it was done; `asked` is the part, from 1, and the time.

    Raises `NotFound` where nobody gets one, `Conflict` where the font is missing or nobody said
    which part of more than `PEOPLE_MAX`, `Busy` where much is printed.
    """
    part, now = asked
    if not plans.people:
        raise NotFound("There is nobody here to print a plan for.")
    if part is None and parts_of(plans) > 1:
        raise Conflict(
            f"These are more than {PEOPLE_MAX} sheets: print them part by part (?part=1).",
            code="too_many_sheets",
        )
    begin = ((part or 1) - 1) * PEOPLE_MAX
    people = plans.people[begin : begin + PEOPLE_MAX]
    if not people:
        raise NotFound("There is no such part.")
    if CJK_FONT not in families():
        raise Conflict(
            f"Plans need the font {CJK_FONT}, and it is not installed where this service runs.",
            code="font_missing",
        )
    made = _made(origin, plans, people, now)
    # Whatever refuses to print does so before an answer has begun.
    first = await anext(made)
    await _note(database, who, plans, people, now)
    name = f"plans-{plans.stop['slug']}-{plans.version.number}-{plans.version.change}.pdf"
    return Sheets(name, _after(first, made))


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _made(
    origin: str, plans: Plans, people: Sequence[Contact], now: datetime
) -> AsyncIterator[bytes]:
    binder = Binder(f"{words()['document']['en']} {plans.stop['slug']}")
    common = await asyncio.to_thread(_common, origin, plans, now)
    before = binder.begin()
    for begin in range(0, len(people), CHUNK_SIZE):
        work = partial(_set, common, plans, people[begin : begin + CHUNK_SIZE])
        pdf = await PRESS.printed(work, is_begun=begin > 0)
        yield before + binder.add(pdf)
        before = b""
    yield binder.end()


def _set(common: Json, plans: Plans, people: Sequence[Contact]) -> bytes:
    return typeset_apart(TEMPLATE, common | {"sheets": [sheet(plans, one) for one in people]})


async def _note(
    database: Database, who: Principal, plans: Plans, people: Sequence[Contact], now: datetime
) -> None:
    """Note who took plans out, and how many, or whose it was."""
    stop = plans.stop
    async with database.transaction() as connection:
        await note(
            connection,
            who,
            "day_plans.printed",
            subject_id=people[0].person_id if len(people) == 1 else stop["id"],
            mission_id=stop["mission_id"],
            stop_id=stop["id"],
            details={
                "people": len(people),
                "schedule": plans.version.number,
                "change": plans.version.change,
            },
            now=now,
        )


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Read the words of the sheets."""
    return load([HERE / "words.toml"])


def _common(origin: str, plans: Plans, now: datetime) -> Json:
    """Give what all sheets say, in each language."""
    page = f"{origin}/day"
    return {
        "title": words()["document"]["en"],
        "address": page.partition("://")[2],
        "code": qr(f"{page}?stop={plans.stop['id']}"),
        "stop": {language: _stop(plans, language) for language in LANGUAGES},
        "words": {language: _words(plans, language, now) for language in LANGUAGES},
    }


def _words(plans: Plans, language: str, now: datetime) -> Json:
    said = {key: texts[language] for key, texts in words().items()}
    version, zone = plans.version, plans.stop["timezone"]
    key = "version" if version.number else "version_none"
    return said | {
        "version": said[key].format(number=version.number, change=version.change),
        "state": said["state"].format(
            at=_moment(version.at, zone, language), printed=_moment(now, zone, language)
        ),
    }


def _stop(plans: Plans, language: str) -> Json:
    stop, mission = plans.stop, plans.mission
    first = min((one["starts_at"] for day in plans.days.values() for one in day), default=None)
    moment = datetime.fromisoformat(first) if first else plans.version.at
    zone = zone_name(moment, stop["timezone"], language)
    return {
        "title": bilingual(stop["title"], language),
        "city": bilingual(stop["city"], language),
        "venue": bilingual(stop["venue"], language),
        "date": day(stop["held_on"], language),
        "zone": words()["zone"][language].format(zone=zone),
        "rehearsal": words()["rehearsal"][language]
        if mission is not None and mission["is_rehearsal"]
        else "",
    }


def sheet(plans: Plans, one: Contact) -> Json:
    """Give what one person's sheet says."""
    language = one.language
    name, other_name = _pair(one.name, one.native_name, language)
    company, other_company = _pair(one.organization, one.native_organization, language)
    return {
        "language": language,
        "name": name,
        "other_name": other_name,
        "company": company,
        "other_company": other_company,
        "interprets": one.role == "interpreter",
        "rows": [
            _row(meeting, one, plans.stop, plans.contacts)
            for meeting in plans.days.get(one.person_id, ())
        ],
    }


def _row(meeting: Meeting, one: Contact, stop: Facts, contacts: Mapping[UUID, Contact]) -> Json:
    said, language, zone = words(), one.language, stop["timezone"]
    starts, ends = (datetime.fromisoformat(meeting[name]) for name in ("starts_at", "ends_at"))
    late, is_over = meeting["delay_minutes"], meeting["state"] in FINISHED
    on: date = starts.astimezone(ZoneInfo(zone)).date()
    begins = starts + timedelta(minutes=late)
    note = said["late"][language].format(minutes=late) if late else ""
    return {
        "date": "" if on == stop["held_on"] else day(on, language),
        "time": f"{local(begins, zone)}–{local(ends, zone)}",
        "note": said["over"][language] if is_over else note,
        "is_over": is_over,
        "point": meeting["point"],
        "parties": [
            _party(party, contacts, language)
            for party in meeting["parties"]
            if party["participant_id"] != str(one.person_id)
        ],
        "interpreter": _interpreter(meeting["interpreter_id"], contacts, language),
    }


def _party(party: Json, contacts: Mapping[UUID, Contact], language: Language) -> Json:
    company, other = _pair(party["organization"], party["native_organization"], language)
    person = _named(party["participant_id"], contacts, language)
    return {"company": company, "other_company": other, "person": person}


def _interpreter(
    person_id: str | None, contacts: Mapping[UUID, Contact], language: Language
) -> str:
    if person_id is None:
        return words()["not_interpreted"][language]
    return _named(person_id, contacts, language) or words()["interpreted"][language]


def _named(person_id: str, contacts: Mapping[UUID, Contact], language: Language) -> str:
    """Name somebody to others, who agreed to it."""
    one = contacts.get(UUID(person_id))
    return one.name_in(language) if one is not None and one.may_cross else ""


def _pair(name: str, native: str | None, language: Language) -> tuple[str, str]:
    """Give a name as readers of a language write it, and the other one if it is another."""
    first, second = (native or name, name) if language == "zh" else (name, native or name)
    return first, second if second != first else ""


def _moment(moment: datetime, zone: str, language: str) -> str:
    """Write a moment to the second, as the stop's clock shows it."""
    there = moment.astimezone(ZoneInfo(zone))
    return f"{day(there.date(), language)} {there:%H:%M:%S}"
