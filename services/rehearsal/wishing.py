"""Wishing: what both sides state about one another before the timetable is made."""

from dataclasses import dataclass, field

from services.rehearsal.client import Client
from services.rehearsal.example import Example
from services.rehearsal.planning import PlannedStop, together
from services.rehearsal.registering import People, listed
from services.rehearsal.signing_in import SignIns

RECOMMENDATIONS = 20
MUST_MEET = 2
MEET = 6
LOCALS_WHO_WISH = 0.25
ACCEPTED_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Sides:
    """Who may meet at a stop: the confirmed of its meeting items, by side, in order of ref."""

    delegates: tuple[str, ...]
    locals: tuple[str, ...]


@dataclass
class Wishes:
    """How much was stated."""

    preferences: int = 0
    requests: int = 0
    accepted: int = 0
    unanswered: list[str] = field(default_factory=list)


async def sides(client: Client, stop: PlannedStop, people: People) -> Sides:
    """Read who may meet at a stop."""
    rows = [
        row
        for row in await listed(client, stop)
        if row["status"] == "confirmed" and row["item"] in stop.meeting_items
    ]

    def of(role: str) -> tuple[str, ...]:
        found = {row["participant_id"] for row in rows if row["role"] == role}
        return tuple(sorted(found, key=lambda person: people.refs.get(person, person)))

    return Sides(of("delegate"), of("local"))


async def recommended(client: Client, stop: PlannedStop, person: str, limit: int) -> list[str]:
    """List whom matching recommends to somebody, the best first."""
    answer = await client.get(
        "/api/v1/recommendations",
        converges=True,
        stop_id=stop.id,
        participant_id=person,
        limit=limit,
    )
    return [item["counterpart_id"] for item in answer["items"]]


async def delegates_wish(client: Client, stop: PlannedStop, among: Sides, wishes: Wishes) -> None:
    """Have the organiser state for each delegate the two whom it must meet."""

    async def one(delegate: str) -> None:
        for other in await recommended(client, stop, delegate, MUST_MEET):
            await _prefer(client, stop, (delegate, other), "must_meet")
            wishes.preferences += 1

    await together(one(delegate) for delegate in among.delegates)


@dataclass(frozen=True)
class Wishing:
    """Both sides of a stop, each with a session of its own."""

    stop: PlannedStop
    among: Sides
    signed_in: SignIns
    example: Example
    people: People
    wishes: Wishes

    async def all(self) -> None:
        """Have delegates state preferences and ask for a meeting; some local companies do too."""
        slug = self.stop.stop.slug
        await together(self._delegate(person) for person in self.among.delegates)
        some = self.example.share_of(self.among.locals, LOCALS_WHO_WISH, slug, "wishes")
        await together(self._local(person) for person in some)

    async def _delegate(self, person: str) -> None:
        client = await self.signed_in.of(person, "delegate")
        best = await recommended(client, self.stop, person, RECOMMENDATIONS)
        for place, other in enumerate(best[: MUST_MEET + MEET]):
            kind = "must_meet" if place < MUST_MEET else "meet"
            await _prefer(client, self.stop, (person, other), kind)
            self.wishes.preferences += 1
        if len(best) == RECOMMENDATIONS:
            await _prefer(client, self.stop, (person, best[-1]), "no_thanks")
            self.wishes.preferences += 1
        for other in best[MUST_MEET + MEET : MUST_MEET + MEET + 1]:
            await self._ask(client, person, other)

    async def _ask(self, client: Client, person: str, other: str) -> None:
        asked = await client.post(
            "/api/v1/requests",
            {
                "stop_id": self.stop.id,
                "participant_id": person,
                "counterpart_id": other,
                "is_recommended": True,
            },
            key=f"request {self.stop.id} {person} {other}",
            converges=True,
        )
        self.wishes.requests += 1
        dice = self.example.dice(self.stop.stop.slug, "request", self.people.refs[person])
        answer = "accept" if dice.random() < ACCEPTED_SHARE else "decline"
        answering = await self.signed_in.of(other, "local")
        await answering.decide(f"/api/v1/requests/{asked['id']}/{answer}")
        self.wishes.accepted += answer == "accept"

    async def _local(self, person: str) -> None:
        client = await self.signed_in.of(person, "local")
        for other in await recommended(client, self.stop, person, 1):
            await _prefer(client, self.stop, (person, other), "meet")
            self.wishes.preferences += 1


async def _prefer(client: Client, stop: PlannedStop, pair: tuple[str, str], kind: str) -> None:
    person, other = pair
    body = {
        "stop_id": stop.id,
        "participant_id": person,
        "counterpart_id": other,
        "kind": kind,
    }
    await client.put("/api/v1/preferences", body, converges=True)
