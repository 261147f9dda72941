"""Planning: the mission of an example, put into an installation as the organiser would.

Everything is sent with a key made of the example's own refs, so that a repetition after a crash
finds what is there and adds what is not.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services.rehearsal.client import Client, Json, Refused
from services.rehearsal.example import Example
from services.rehearsal.files import Person, Plan, Stop

T = TypeVar("T")

KEPT_LONG = ("answers", "files", "scans", "contact_details", "consents")
KEPT_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """A stop as the installation knows it."""

    stop: Stop
    id: str
    items: Mapping[str, str]
    door_staff: tuple[str, ...]
    """Ids of those who work at the door."""
    interpreters: tuple[str, ...]

    @property
    def meeting_items(self) -> frozenset[str]:
        """Slugs of the items that have meetings."""
        return frozenset(session.item for session in self.stop.sessions)


@dataclass(frozen=True, slots=True)
class Planned:
    """A mission as the installation knows it; stops are in the order of their days."""

    id: str
    slug: str
    partners: Mapping[str, str]
    stops: tuple[PlannedStop, ...]
    links: Mapping[str, str]
    """Sign-in links of staff and interpreters by id, as far as they were answered."""


@contextmanager
def alone() -> Iterator[None]:
    """Raise what failed first in a group of tasks: it says why, what followed from it does not."""
    try:
        yield
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all at once and give the results in order; the first failure ends the others."""
    with alone():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]


async def plan(client: Client, example: Example, slug: str, *, is_rehearsal: bool) -> Planned:
    """Create a mission with partners, stops, programme, sessions and staff, or complete it."""
    mission_id = await _mission(client, example.plan, slug, is_rehearsal=is_rehearsal)
    known = await client.get(f"/api/v1/missions/{mission_id}")
    partners = await _partners(client, example.plan, mission_id, known)
    days = sorted(example.plan.stops, key=lambda stop: stop.date)
    ids = await together(_stop(client, stop, mission_id, partners, known) for stop in days)
    stop_ids = {stop.slug: stop_id for stop, stop_id in zip(days, ids, strict=True)}
    staff = _Staff(client, mission_id)
    await together(
        staff.engage(
            one.person,
            role=one.role,
            stop_ids=[stop_ids[slug] for slug in one.stops],
            partner_id=partners[one.partner] if one.partner else None,
        )
        for one in example.plan.staff
    )
    stops = await together(_planned(client, staff, stop, stop_ids, example.plan) for stop in days)
    return Planned(mission_id, slug, partners, tuple(stops), staff.links)


async def _mission(client: Client, plan: Plan, slug: str, *, is_rehearsal: bool) -> str:
    mission = plan.mission
    organizer = next(p for p in plan.partners if p.ref == mission.organizer)
    body = {
        "slug": slug,
        "title": mission.title.model_dump(),
        "summary": mission.summary.model_dump(),
        "organizer": organizer.name.model_dump(),
        "starts_on": mission.starts.isoformat(),
        "ends_on": mission.ends.isoformat(),
        "home_country": mission.home_country,
        "host_country": mission.host_country,
        "sectors": {code: plan.sectors[code].model_dump() for code in mission.sectors},
        "is_rehearsal": is_rehearsal,
    }
    try:
        made = await client.post("/api/v1/missions", body, key=f"{slug} mission")
    except Refused as refusal:
        found = await find_mission(client, slug) if refusal.code == "slug_taken" else None
        if found is None:
            raise
        return found
    # An example's days may be long past: its people would be forgotten within minutes.
    days = dict.fromkeys(KEPT_LONG, KEPT_DAYS)
    await client.put(f"/api/v1/missions/{made['id']}/retention", {"retention": days})
    return str(made["id"])


async def find_mission(client: Client, slug: str) -> str | None:
    """Find a mission by its slug; None when there is none that this person may see."""
    found = (await client.get("/api/v1/missions", slug=slug))["items"]
    return str(found[0]["id"]) if found else None


async def _partners(client: Client, plan: Plan, mission_id: str, known: Json) -> dict[str, str]:
    ids = {
        role["name"]["en"]: str(role["partner_id"])
        for stop in known["stops"]
        for role in stop["roles"]
    }

    async def add(name: str, body: Json) -> str:
        if name in ids:
            return ids[name]
        path = f"/api/v1/missions/{mission_id}/partners"
        return str((await client.post(path, body, key=f"partner {name}"))["id"])

    added = await together(
        add(p.name.en, {"name": p.name.model_dump(), "kind": p.kind}) for p in plan.partners
    )
    return dict(zip((p.ref for p in plan.partners), added, strict=True))


async def _stop(
    client: Client, stop: Stop, mission_id: str, partners: Mapping[str, str], known: Json
) -> str:
    for one in known["stops"]:
        if one["slug"] == stop.slug:
            return str(one["id"])
    body = {
        "slug": stop.slug,
        "city": stop.city.model_dump(),
        "title": stop.title.model_dump(),
        "venue": stop.venue.model_dump() if stop.venue else None,
        "timezone": stop.timezone,
        "date": stop.date.isoformat(),
        "roles": [{"partner_id": partners[r.partner], "role": r.role} for r in stop.roles],
    }
    path = f"/api/v1/missions/{mission_id}/stops"
    return str((await client.post(path, body, key=f"stop {stop.slug}"))["id"])


async def _planned(
    client: Client, staff: "_Staff", stop: Stop, stop_ids: Mapping[str, str], plan: Plan
) -> PlannedStop:
    stop_id = stop_ids[stop.slug]
    items = await _items(client, stop, stop_id, staff.mission_id)
    for session in stop.sessions:
        body = {
            "programme_item_id": items[session.item],
            "slug": session.slug,
            "starts_at": stop.moment(session.starts).isoformat(),
            "slot_minutes": session.slot_minutes,
            "slots": session.slots,
            "breaks": [one.model_dump() for one in session.breaks],
            "points": [point.model_dump() for point in stop.points],
        }
        # One path for all missions: the key must name the stop.
        key = f"session {stop_id} {session.slug}"
        try:
            await client.post("/api/v1/meeting-sessions", body, key=key, converges=True)
        except Refused as refusal:
            if refusal.code != "slug_taken":
                raise
    interpreters = await together(
        staff.engage(
            one.person, role="interpreter", stop_ids=[stop_id], languages=list(one.languages)
        )
        for one in stop.interpreters
    )
    doors = [s for s in plan.staff if s.role == "door_staff" and stop.slug in s.stops]
    door_staff = tuple(staff.ids[one.person.email] for one in doors)
    return PlannedStop(stop, stop_id, items, door_staff, tuple(interpreters))


async def _items(client: Client, stop: Stop, stop_id: str, mission_id: str) -> dict[str, str]:
    known = await client.get(f"/api/v1/missions/{mission_id}")
    programme = next(one["programme"] for one in known["stops"] if one["id"] == stop_id)
    ids = {item["slug"]: str(item["id"]) for item in programme}
    for item in stop.programme:
        if item.slug in ids:
            continue
        body = {
            "slug": item.slug,
            "kind": item.kind,
            "title": item.title.model_dump(),
            "starts_at": stop.moment(item.starts).isoformat(),
            "ends_at": stop.moment(item.ends).isoformat(),
            "capacity": item.capacity,
            "requires_approval": item.requires_approval,
        }
        path = f"/api/v1/stops/{stop_id}/programme-items"
        ids[item.slug] = str((await client.post(path, body, key=f"item {item.slug}"))["id"])
    return ids


@dataclass(frozen=True, slots=True)
class _Staff:
    """Who is engaged: ids by address, and sign-in links by id."""

    client: Client
    mission_id: str
    ids: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    async def engage(self, person: Person, **facts: object) -> str:
        """Engage somebody, or find who was engaged before, and give the id."""
        path = f"/api/v1/missions/{self.mission_id}/staff"
        body = {**person.model_dump(), **facts}
        try:
            engaged = await self.client.post(path, body, key=f"staff {person.email}")
        except Refused as refusal:
            if refusal.code != "email_in_use":
                raise
            known = (await self.client.get(path))["items"]
            engaged = next(one for one in known if one["full_name"] == person.full_name)
        self.ids[person.email] = str(engaged["id"])
        if "sign_in_path" in engaged:
            self.links[self.ids[person.email]] = engaged["sign_in_path"]
        return self.ids[person.email]
