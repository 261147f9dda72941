"""References between the files of an example: the first that leads nowhere is told."""

from collections.abc import Iterator

from services.rehearsal.files import Participant, Plan, Stop, StopTroubles, Troubles

MISSION_FILE = "mission.yaml"
PARTICIPANTS_FILE = "participants.jsonl"
TROUBLES_FILE = "rehearsal.yaml"


def faults(plan: Plan, participants: tuple[Participant, ...], troubles: Troubles) -> Iterator[str]:
    """Name file and field of every reference that leads nowhere, one sentence each."""
    partners = {partner.ref for partner in plan.partners}
    yield from _mission_faults(plan, partners)
    for place, stop in enumerate(plan.stops):
        yield from _stop_faults(stop, f"{MISSION_FILE}: stops.{place}", partners)
    yield from _staff_faults(plan, partners)
    yield from _participant_faults(plan, participants, partners)
    refs = {one.ref for one in participants}
    stops = {stop.slug: stop for stop in plan.stops}
    for slug, trouble in troubles.stops.items():
        where = f"{TROUBLES_FILE}: stops.{slug}"
        if slug in stops:
            yield from _trouble_faults(stops[slug], where, trouble, refs)
        else:
            yield f"{where}: no such stop."


def _mission_faults(plan: Plan, partners: set[str]) -> Iterator[str]:
    if plan.mission.organizer not in partners:
        yield f"{MISSION_FILE}: mission.organizer: no partner {plan.mission.organizer}."
    for sector in plan.mission.sectors:
        if sector not in plan.sectors:
            yield f"{MISSION_FILE}: mission.sectors: the sector {sector} has no name."


def _stop_faults(stop: Stop, where: str, partners: set[str]) -> Iterator[str]:
    items = {item.slug for item in stop.programme if item.kind == "matchmaking"}
    for role in stop.roles:
        if role.partner not in partners:
            yield f"{where}.roles: no partner {role.partner}."
    for session in stop.sessions:
        if session.item not in items:
            yield f"{where}.sessions: no matchmaking item {session.item}."


def _staff_faults(plan: Plan, partners: set[str]) -> Iterator[str]:
    stops = {stop.slug for stop in plan.stops}
    for place, staff in enumerate(plan.staff):
        if staff.partner is not None and staff.partner not in partners:
            yield f"{MISSION_FILE}: staff.{place}.partner: no partner {staff.partner}."
        for slug in staff.stops:
            if slug not in stops:
                yield f"{MISSION_FILE}: staff.{place}.stops: no stop {slug}."


def _participant_faults(
    plan: Plan, participants: tuple[Participant, ...], partners: set[str]
) -> Iterator[str]:
    items = {(stop.slug, item.slug) for stop in plan.stops for item in stop.programme}
    refs: set[str] = set()
    for number, one in enumerate(participants, 1):
        where = f"{PARTICIPANTS_FILE}, line {number}"
        if one.ref in refs:
            yield f"{where}: ref: {one.ref} is there twice."
        refs.add(one.ref)
        if one.partner is not None and one.partner not in partners:
            yield f"{where}: partner: no partner {one.partner}."
        for stop, item in one.wanted:
            if (stop, item) not in items:
                yield f"{where}: items.{stop}: no item {item} at this stop."


def _trouble_faults(
    stop: Stop, where: str, troubles: StopTroubles, refs: set[str]
) -> Iterator[str]:
    late = troubles.late_bus.delegates if troubles.late_bus else ()
    for field, named in (("cancellations", troubles.cancellations), ("late_bus.delegates", late)):
        for ref in named:
            if ref not in refs:
                yield f"{where}.{field}: no participant {ref}."
    lost = troubles.lost_table
    if lost is None:
        return
    if lost.label not in {point.label for point in stop.points}:
        yield f"{where}.lost_table.label: no point {lost.label}."
    if lost.from_slot > max((session.slots for session in stop.sessions), default=0):
        yield f"{where}.lost_table.from_slot: there is no such slot."
