"""Judging: a version's quality, with the proof of its solver and the names of companies."""

from dataclasses import dataclass
from uuid import UUID

from services.matching.commands import fitting, looking
from services.matching.domain.explaining import Names
from services.matching.domain.quality import Quality, Setting, judged
from services.matching.domain.unmet import Unmet
from services.matching.store import choosing, facts, meetings
from services.matching.store import versions as store
from shared.events.base import Bilingual
from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class Proof:
    """How much the version is worth, and what no version can exceed; None where nobody knows."""

    objective: int | None
    bound: int | None
    is_optimal: bool | None
    breaks_bound: int | None
    """How often somebody waits at least, with these meetings."""
    is_edited: bool
    """Whether it was changed by hand since: the value is of what the solver left."""

    @property
    def gap(self) -> float | None:
        """How far it may be from the best there is, as a share of that."""
        if self.objective is None or not self.bound:
            return None
        return (self.bound - self.objective) / self.bound


@dataclass(frozen=True, slots=True)
class Judgement:
    """A version's quality, its proof, and what everybody in it is called."""

    quality: Quality
    proof: Proof
    names: Names
    organizations: dict[UUID, Bilingual]


async def judge(connection: Connection, row: looking.Row) -> Judgement:
    """Judge a version by the wishes and quotas of now; raises `NotFound`."""
    stop_id = row["stop_id"]
    schedule = await looking.existing_schedule(connection, row["id"])
    entries = store.entries_of(row)
    current = await meetings.of_stop(connection, stop_id)
    ground = await fitting.ground_of(connection, stop_id, entries, current)
    people = await facts.profiles(connection, stop_id)
    unmet = [Unmet.model_validate(one) for one in schedule["unmet"]]
    setting = Setting(
        people={one.id: one.side for one in people},
        wishes=ground.wishes,
        elsewhere=ground.elsewhere,
        quotas=await fitting.limits(connection, stop_id, {one.id: one.side for one in people}),
        rooms=ground.rooms,
        helpers=[helper["id"] for helper in await facts.interpreters(connection, stop_id)],
        reasons={
            (one.participant_id, other): one.code
            for one in unmet
            if (other := one.counterpart_id or one.organization_id)
        },
        left_out=frozenset(frozenset(pair) for pair in store.pairs_of(row)),
    )
    quality = judged(entries, setting)
    known = fitting.involved(entries, current) | setting.people.keys()
    known |= {one.participant_id for one in quality.unmet}
    known |= {one.counterpart_id for one in quality.unmet if one.counterpart_id}
    wished = [one.organization_id for one in quality.unmet if one.organization_id]
    return Judgement(
        quality=quality,
        proof=Proof(
            objective=schedule["objective"],
            bound=schedule["bound"],
            is_optimal=schedule["is_optimal"],
            breaks_bound=schedule["breaks_bound"],
            is_edited=row["revision"] > 1,
        ),
        names=await fitting.names(connection, stop_id, known),
        organizations={
            found: Bilingual(en=one["organization"], zh=one["native_organization"] or "")
            for found, one in (await choosing.companies(connection, wished)).items()
        },
    )
