"""Loading an example as a real mission: everything but the days themselves."""

from dataclasses import dataclass

from services.rehearsal.client import Client
from services.rehearsal.example import Example
from services.rehearsal.planning import PlannedStop, find_mission, plan, together
from services.rehearsal.registering import Desk, People, approve_all, latecomers, rush
from services.rehearsal.scheduling import is_published, known, propose, publish
from services.rehearsal.wishing import Wishes, delegates_wish, sides


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an example became."""

    mission_id: str
    slug: str
    is_new: bool
    """False when all of it was there already."""
    registrations: int = 0
    meetings: int = 0


async def load(client: Client, example: Example) -> Loaded:
    """Load an example as mission staff, or complete what an earlier call began."""
    slug = example.plan.mission.slug
    if (mission_id := await _complete(client, slug)) is not None:
        return Loaded(mission_id, slug, is_new=False)
    planned = await plan(client, example, slug, is_rehearsal=False)
    desk = Desk(client, planned, People())
    await rush(desk, example, {})
    await latecomers(desk, example)
    meetings = await together(_stop(client, stop, desk) for stop in planned.stops)
    registrations = len(desk.people.registrations)
    return Loaded(planned.id, slug, True, registrations, sum(meetings))


async def _stop(client: Client, stop: PlannedStop, desk: Desk) -> int:
    await approve_all(client, stop)
    if not stop.stop.sessions or await is_published(client, stop.id):
        return 0
    among = await sides(client, stop, desk.people)
    await known(client, stop, among)
    await delegates_wish(client, stop, among, Wishes())
    published = await publish(client, stop, await propose(client, stop))
    return int(published["meetings"])


async def _complete(client: Client, slug: str) -> str | None:
    """Find the mission if every stop that has meetings has a schedule: that comes last."""
    # Nobody signed in sees no rehearsals, however many there are.
    mission_id = await find_mission(client.acting_for(None), slug)
    if mission_id is None:
        return None
    mission = await client.get(f"/api/v1/missions/{mission_id}")
    stops = [
        stop["id"]
        for stop in mission["stops"]
        if any(item["kind"] == "matchmaking" for item in stop["programme"])
    ]
    published = await together(is_published(client, stop_id) for stop_id in stops)
    return mission_id if published and all(published) else None
