"""The mission report: what came of a mission, from its meetings and from the ledger."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.matching.domain.feedback import Felt
from services.matching.domain.outcomes import Statement, Totals, standing, totals
from shared.events.base import Bilingual, Facts
from shared.waves import WAVES, ending


class Wished(Facts):
    """How many must-meets and wishes were stated, and how many of them were met at a table."""

    must_meet: int
    must_meet_met: int
    meet: int
    meet_met: int


class Met(Facts):
    """What became of the meetings of one stop, or of all."""

    planned: int
    """All but those that were cancelled."""
    held: int
    no_show: int
    unknown: int
    """Neither begun nor missed, as far as anybody noted."""
    cancelled: int
    interpreted: int
    """Of those that were held."""
    hours: float
    """At the tables, where it was noted when a meeting began and ended; else as planned."""
    companies: int
    """Of both sides, with a meeting that was held."""
    contacts: int
    """Pairs of companies that met, each once."""


class StopReport(Facts):
    """One stop."""

    stop_id: UUID
    city: Bilingual
    held_on: date
    met: Met
    wished: Wished
    deals: Totals


class Wave(Facts):
    """The ledger as it stood at the end of a day, `days` after the last stop."""

    days: int
    on: date
    deals: Totals


class MissionReport(Facts):
    """Everything, each deal and meeting once; values per currency, never converted."""

    mission_id: UUID
    title: Bilingual
    met: Met
    wished: Wished
    deals: Totals
    stops: tuple[StopReport, ...]
    waves: tuple[Wave, ...]
    """Those that have come; the last one is not over while its day is today."""
    felt: tuple[Felt, ...]


def waves(
    stops: Sequence[tuple[date, str]],
    deals: Sequence[Sequence[Statement]],
    now: datetime,
) -> tuple[Wave, ...]:
    """Say how the ledger stood at each wave that has come; `stops` are days with their zones."""
    if not stops:
        return ()
    last, timezone = max(stops, key=lambda stop: ending(*stop))
    zone = ZoneInfo(timezone)
    days = [(days, last + timedelta(days=days)) for days in WAVES]
    return tuple(
        Wave(days=number, on=on, deals=totals_at(deals, datetime.combine(on, time.max, zone)))
        for number, on in days
        if on <= now.astimezone(zone).date()
    )


def totals_at(deals: Iterable[Sequence[Statement]], moment: datetime) -> Totals:
    """Count deals by what had been said of them until a moment."""
    known = ([one for one in said if one.at <= moment] for said in deals)
    return totals(standing(said) for said in known if said)
