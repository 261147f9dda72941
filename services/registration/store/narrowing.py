"""Writing the conditions and the order of a list in SQL."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.registration.domain.listing import Filter, Sort

# What a query does not use of them, the planner leaves out: both joins are by a primary key.
PERSON = "LEFT JOIN person ON person.id = r.person_id"
ORGANIZATION = "LEFT JOIN organization ON organization.id = person.organization_id"
NAME = 'lower(coalesce(person.latin_name, person.full_name)) COLLATE "C"'
COMPANY = 'lower(organization.name) COLLATE "C"'
# Nobody without a company registers; should there be one, he or she is last.
COMPANY_OR_LAST = 'coalesce(lower(organization.name), chr(1114111)) COLLATE "C"'

KEYS: Mapping[Sort, tuple[str, ...]] = {
    Sort.NEWEST: ("r.registered_at", "r.id"),
    Sort.OLDEST: ("r.registered_at", "r.id"),
    Sort.NAME: (NAME, "person.id", "r.id"),
    Sort.ORGANIZATION: (COMPANY_OR_LAST, f"coalesce(organization.id, '{UUID(int=0)}')", "r.id"),
}


class Arguments(list[object]):
    """What a query is asked with."""

    def add(self, value: object) -> str:
        """Add a value and give its place in the query."""
        self.append(value)
        return f"${len(self)}"


def joined(wanted: Filter) -> str:
    """Join so that the index over what people are found by can lead.

    The planner cannot tell by itself that a search leaves out those who are nobody.
    """
    person = PERSON.removeprefix("LEFT ") if wanted.terms else PERSON
    return f"registration AS r {person} {ORGANIZATION}"


def where(wanted: Filter, items: Sequence[UUID], arguments: Arguments) -> str:
    """Write only the conditions there are: the planner knows nothing of `$1 IS NULL OR`."""
    parts = [f"r.programme_item_id = ANY({arguments.add(list(items))}::uuid[])"]
    if wanted.statuses:
        statuses = [str(status) for status in wanted.statuses]
        parts.append(f"r.status = ANY({arguments.add(statuses)}::text[])")
    values: Mapping[str, Any] = {
        "r.partner_id =": wanted.partner_id,
        "r.source =": wanted.source,
        "r.registered_at >=": wanted.since,
        "organization.country =": wanted.country,
    }
    parts += [f"{test} {arguments.add(value)}" for test, value in values.items() if value]
    if wanted.sector:
        parts.append(f"{arguments.add(wanted.sector)} = ANY(organization.sectors)")
    if wanted.side:
        role = "delegate" if wanted.side == "delegation" else "local"
        # Not as an argument, so that the index of the few delegates is found.
        parts.append(f"person.role = '{role}'")
    if wanted.is_checked_in is not None:
        parts.append(f"r.checked_in_at IS {'NOT ' if wanted.is_checked_in else ''}NULL")
    if wanted.terms:
        # Terms are letters, digits and characters: nothing in them needs quoting.
        terms = arguments.add(" & ".join(f"'{term}':*" for term in wanted.terms))
        parts.append(
            f"array_to_tsvector(string_to_array(person.search, ' ')) @@ {terms}::text::tsquery "
            "AND person.search <> ''"
        )
    return " AND ".join(parts)


def selected(
    wanted: Filter,
    items: Sequence[UUID],
    among: Sequence[UUID] | None,
    arguments: Arguments,
) -> str:
    """Write the conditions of a list, or of a selection of it."""
    narrowed = where(wanted, items, arguments)
    if among is None:
        return narrowed
    return f"{narrowed} AND r.id = ANY({arguments.add(list(among))}::uuid[])"


def order(keys: Sequence[str], *, is_descending: bool) -> str:
    """Write an order."""
    return ", ".join(f"{key} {'DESC' if is_descending else 'ASC'}" for key in keys)
