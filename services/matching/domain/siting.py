"""Siting: ways between venues, booths, orders of meetings, and rests of interpreters."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from services.matching.domain.ground import Ground, Misfit, Site
from services.matching.domain.problem import Span
from services.matching.domain.runs import too_long
from services.matching.domain.versions import Entry
from services.matching.domain.ways import Trips, Visit


def misplaced(changed: Sequence[Entry], whole: Sequence[Entry], ground: Ground) -> Iterator[Misfit]:
    """Find what the rules of a stop's places do not allow, of the meetings that are changed."""
    by_resource = _by_resource(whole)
    by_pair = {entry.people: entry for entry in whole}
    for entry in changed:
        owner = ground.site.owners.get(entry.point_id)
        if owner and owner not in map(ground.barred.company_of.get, entry.people):
            yield Misfit(entry, "not_owner", entry.point_id)
        yield from _too_far(entry, by_resource, ground.site)
        yield from _out_of_order(entry, by_pair, ground)
        helper = entry.interpreter_id
        if helper and too_long(map(_span, by_resource[helper]), ground.site.rest):
            yield Misfit(entry, "no_rest", helper)


def too_far(changed: Sequence[Entry], whole: Sequence[Entry], site: Site) -> Iterator[Misfit]:
    """Find who has no time for the way from or to a meeting that is changed."""
    by_resource = _by_resource(whole)
    for entry in changed:
        yield from _too_far(entry, by_resource, site)


def trips(entries: Iterable[Entry], site: Site) -> Trips:
    """Say where everybody is by these meetings; of a stop without ways that is nobody's matter."""
    visits: dict[UUID, list[Visit]] = {}
    for entry in entries if site.ways else ():
        visit = Visit(entry.starts_at, entry.ends_at, site.venue(entry))
        for resource in entry.resources:
            visits.setdefault(resource, []).append(visit)
    return Trips(site.ways, visits)


def _by_resource(entries: Iterable[Entry]) -> dict[UUID, list[Entry]]:
    found: dict[UUID, list[Entry]] = {}
    for entry in entries:
        for resource in entry.resources:
            found.setdefault(resource, []).append(entry)
    return found


def _too_far(
    entry: Entry, by_resource: Mapping[UUID, Iterable[Entry]], site: Site
) -> Iterator[Misfit]:
    """Find who has no time for the way between two meetings; what overlaps is taken anyway."""
    if not site.ways:
        return
    for resource in filter(None, (*entry.people, entry.interpreter_id)):
        for other in by_resource[resource]:
            pause = max(other.starts_at - entry.ends_at, entry.starts_at - other.ends_at)
            is_apart = other.ends_at <= entry.starts_at or entry.ends_at <= other.starts_at
            if other is not entry and is_apart and pause < site.way(entry, other):
                yield Misfit(entry, "too_far", resource, other)


def _out_of_order(
    entry: Entry, by_pair: Mapping[tuple[UUID, UUID], Entry], ground: Ground
) -> Iterator[Misfit]:
    for one, after in ground.site.precedences:
        first, second = by_pair.get(one), by_pair.get(after)
        if first and second and entry in (first, second) and first.ends_at > second.starts_at:
            yield Misfit(entry, "out_of_order", None, second if entry is first else first)


def _span(entry: Entry) -> Span:
    return Span(starts_at=entry.starts_at, ends_at=entry.ends_at)
