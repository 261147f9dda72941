"""Registering: the rush, those who press twice, the late-comers, approvals and cancellations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.rehearsal.client import Client, Json
from services.rehearsal.example import Example
from services.rehearsal.files import Participant
from services.rehearsal.planning import Planned, PlannedStop, together

PAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A registration that was answered with an id."""

    id: str
    participant_id: str
    ref: str
    stop: str
    item: str
    status: str


@dataclass
class People:
    """Everybody who registered, and every acknowledged registration by its id."""

    registrations: dict[str, Acknowledged] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    """Participants by ref."""
    refs: dict[str, str] = field(default_factory=dict)
    """And back."""
    links: dict[str, str] = field(default_factory=dict)
    """Sign-in links by participant."""

    def note(self, answer: Json, ref: str, stop: str, item: str) -> Acknowledged:
        """Keep an acknowledgement."""
        person = answer["participant_id"]
        one = Acknowledged(answer["id"], person, ref, stop, item, answer["status"])
        if "sign_in_path" in answer:
            self.links[person] = answer["sign_in_path"]
        self.registrations.setdefault(one.id, one)
        self.ids[one.ref] = one.participant_id
        self.refs[one.participant_id] = one.ref
        return one

    def at(self, stop: str, ref: str | None = None) -> list[Acknowledged]:
        """List the registrations of a stop, or of one person there."""
        return [
            one
            for one in self.registrations.values()
            if one.stop == stop and ref in (None, one.ref)
        ]


@dataclass(frozen=True)
class Desk:
    """Registers people to a mission's items."""

    staff: Client
    planned: Planned
    people: People

    async def register(
        self, who: Participant, stop: PlannedStop, item: str, *, form: str = "form"
    ) -> Acknowledged:
        """Register somebody to an item; `form` tells one opening of the form from another."""
        partner_id = self.planned.partners[who.partner] if who.partner else None
        by_themselves = who.side == "local" and who.source == "self" and partner_id is None
        client = self.staff.acting_for(None) if by_themselves else self.staff
        answer = await client.post(
            f"/api/v1/programme-items/{stop.items[item]}/registrations",
            _body(who, who.source, partner_id),
            key=f"{self.planned.slug} {who.ref} {stop.stop.slug} {item} {form}",
        )
        return self.people.note(answer, who.ref, stop.stop.slug, item)

    async def walk_in(self, door: Client, who: Participant, stop: PlannedStop) -> Acknowledged:
        """Register somebody at the door to the first item of the day."""
        item = stop.stop.programme[0].slug
        answer = await door.post(
            f"/api/v1/programme-items/{stop.items[item]}/registrations",
            _body(who, "walk_in", None),
            key=f"{self.planned.slug} {who.ref} {stop.stop.slug} {item} door",
        )
        return self.people.note(answer, who.ref, stop.stop.slug, item)


def _body(who: Participant, source: str, partner_id: str | None) -> Json:
    return {
        "side": who.side,
        "source": source,
        "partner_id": partner_id,
        "consent": True,
        "organization": who.organization.model_dump(),
        "person": who.person.model_dump(),
        "listings": [listing.model_dump() for listing in who.listings],
    }


async def rush(desk: Desk, example: Example, twice: Mapping[str, frozenset[str]]) -> None:
    """Register all who come when it opens; `twice` press the button twice at a stop, by its slug.

    The rush fills the places exactly, so who comes first changes nothing. A person's own
    registrations follow one another.
    """
    stops = {stop.stop.slug: stop for stop in desk.planned.stops}

    async def one(who: Participant) -> None:
        pressed: set[str] = set()
        for slug, item in who.wanted:
            if who.ref in twice.get(slug, ()) and slug not in pressed:
                pressed.add(slug)
                await _pressed_twice(desk, who, stops[slug], item)
            else:
                await desk.register(who, stops[slug], item)

    await together(one(who) for who in example.participants if who.arrives == "rush")


async def _pressed_twice(desk: Desk, who: Participant, stop: PlannedStop, item: str) -> None:
    first, second = await together(desk.register(who, stop, item) for _ in range(2))
    again = await desk.register(who, stop, item, form="second form")
    if not first.id == second.id == again.id:
        raise DoubledError(f"{who.ref} is registered twice to {stop.stop.slug}/{item}.")


class DoubledError(Exception):
    """One person has two registrations to one item."""


async def latecomers(desk: Desk, example: Example) -> None:
    """Register all who come late, in their order: it is that of the waiting list."""

    async def at(stop: PlannedStop) -> None:
        for who in example.participants:
            if who.arrives == "late":
                for item in who.items.get(stop.stop.slug, ()):
                    await desk.register(who, stop, item)

    await together(at(stop) for stop in desk.planned.stops)


async def approve_all(client: Client, stop: PlannedStop) -> int:
    """Approve every registration of a stop that waits for it, and count them."""
    pending = [r for r in await listed(client, stop) if r["status"] == "pending_approval"]
    await together(client.decide(f"/api/v1/registrations/{row['id']}/approve") for row in pending)
    return len(pending)


async def cancel_all(desk: Desk, stop: PlannedStop, refs: Iterable[str]) -> int:
    """Cancel everything of some people at a stop, in order, and count who moved up."""
    before = {row["id"]: row["status"] for row in await listed(desk.staff, stop)}
    for ref in refs:
        for registration in desk.people.at(stop.stop.slug, ref):
            await desk.staff.decide(f"/api/v1/registrations/{registration.id}/cancel")
    after = await listed(desk.staff, stop)
    return sum(
        before.get(row["id"]) == "waitlisted" and row["status"] in ("confirmed", "pending_approval")
        for row in after
    )


async def listed(client: Client, stop: PlannedStop) -> list[dict[str, Any]]:
    """Read all registrations of a stop."""
    rows: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        path = f"/api/v1/stops/{stop.id}/registrations"
        page = await client.get(path, after=after, limit=PAGE_LENGTH)
        rows += page["items"]
        after = page["next"]
    return rows
