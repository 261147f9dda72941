"""Mission reporting: what came of a mission, put together from meetings, wishes and the ledger."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.matching.commands import feedback, outcomes
from services.matching.commands.aside import aside
from services.matching.domain.feedback import Felt
from services.matching.domain.mission_report import (
    Met,
    MissionReport,
    StopReport,
    Wished,
    waves,
)
from services.matching.store import mission_report as store
from services.matching.store.facts import Row
from services.matching.store.outcomes import Wanted
from services.matching.store.outcomes import stops as stops_of
from shared.errors import NotFound
from shared.postgres import Connection

_NO_MEETING = Met(
    planned=0,
    held=0,
    no_show=0,
    unknown=0,
    cancelled=0,
    interpreted=0,
    hours=0,
    companies=0,
    contacts=0,
)
_NO_WISH = Wished(must_meet=0, must_meet_met=0, meet=0, meet_met=0)


async def report(connection: Connection, mission_id: UUID, now: datetime) -> MissionReport:
    """Put the report together as of now; raises `NotFound`."""
    mission = await store.mission(connection, mission_id)
    if mission is None:
        raise NotFound("There is no such mission.")
    stops = await stops_of(connection, mission_id)
    parts = outcomes.parts(connection, Wanted(mission_id))
    deals = [deal async for part in parts for deal in part]
    met = {stop: Met(**row) for stop, row in (await store.met(connection, mission_id)).items()}
    wished = {
        stop: Wished(**row) for stop, row in (await store.wished(connection, mission_id)).items()
    }
    felt = tuple(one for one in await feedback.summary(connection, mission_id) if one.answers)
    # Each deal is gone through some ten times.
    return await aside(_report, mission, stops, deals, (met, wished, felt), now)


def _report(
    mission: Row,
    stops: Sequence[Row],
    deals: Sequence[outcomes.Found],
    told: tuple[Mapping[UUID | None, Met], Mapping[UUID | None, Wished], tuple[Felt, ...]],
    now: datetime,
) -> MissionReport:
    met, wished, felt = told
    counted = outcomes.counted(
        [(one.outcome["stop_id"], one.standing) for one in deals], [stop["id"] for stop in stops]
    )
    return MissionReport(
        mission_id=mission["id"],
        title=mission["title"],
        met=met[None],
        wished=wished[None],
        deals=counted.whole,
        stops=tuple(
            StopReport(
                stop_id=stop["id"],
                city=stop["city"],
                held_on=stop["held_on"],
                met=met.get(stop["id"], _NO_MEETING),
                wished=wished.get(stop["id"], _NO_WISH),
                deals=counted.by_stop[stop["id"]],
            )
            for stop in stops
        ),
        waves=waves(
            [(one["held_on"], one["timezone"]) for one in stops],
            [one.statements for one in deals],
            now,
        ),
        felt=felt,
    )
