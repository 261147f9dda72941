"""Finding people and companies by what somebody typed: characters, pinyin, initials, parts."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.registration.domain.names import sounds
from shared.postgres import Connection, columns

Row = asyncpg.Record

LIMIT = 50
PART_LENGTH_MIN = 3

# The expressions of the two indexes. Of those whom one letter finds in a big mission, only a
# thousand are put in order.
_PEOPLE = "array_to_tsvector(string_to_array(person.search, ' '))"
_COMPANIES = "array_to_tsvector(string_to_array(organization.search, ' '))"

_ALIASES = (
    "ARRAY(SELECT unnest(ARRAY[gone.name, gone.native_name]) FROM organization AS gone "
    "WHERE gone.merged_into = organization.id ORDER BY 1) AS aliases"
)
_NAMES = (
    "SELECT person.id, person.full_name, person.native_name, person.latin_name, "  # noqa: S608
    "organization.name AS organization, organization.native_name AS native_organization, "
    f"{_ALIASES} FROM person "
)


async def people(
    connection: Connection,
    mission_id: UUID,
    terms: Sequence[str],
    *,
    stop_id: UUID | None = None,
    partner_id: UUID | None = None,
) -> Sequence[Row]:
    """Find people of a mission, or of one stop or one partner's there, by terms of a query.

    Those who have the very words come first; at most `LIMIT`.
    """
    return await _found(
        connection,
        "SELECT * FROM (SELECT person.id, person.role, person.full_name, person.native_name, "
        "person.latin_name, person.organization_id, organization.name AS organization, "
        "organization.native_name AS native_organization FROM person "
        "LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE person.mission_id = $2 AND {matches} "
        "AND ($3::uuid IS NULL AND $4::uuid IS NULL OR EXISTS (SELECT FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "WHERE r.person_id = person.id AND ($3::uuid IS NULL OR item.stop_id = $3) "
        "AND ($4::uuid IS NULL OR r.partner_id = $4))) LIMIT 1000) AS found "
        'ORDER BY full_name COLLATE "C", id LIMIT 50',
        "person",
        terms,
        (mission_id, stop_id, partner_id),
    )


async def registrations(
    connection: Connection,
    stop_id: UUID,
    terms: Sequence[str],
    *,
    status: str | None = None,
    partner_id: UUID | None = None,
) -> Sequence[Row]:
    """Find registrations of a stop by terms of a query about the person; at most `LIMIT`.

    `status` and `partner_id` narrow them to one state and to one partner's.
    """
    return await _found(
        connection,
        "SELECT * FROM (SELECT r.id, r.status, r.checked_in_at, r.person_id, person.full_name, "
        "person.native_name, person.latin_name, organization.name AS organization, "
        "organization.native_name AS native_organization, item.title, item.starts_at "
        "FROM person JOIN registration AS r ON r.person_id = person.id "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE item.stop_id = $2 AND {matches} AND ($3::text IS NULL OR r.status = $3) "
        "AND ($4::uuid IS NULL OR r.partner_id = $4) LIMIT 1000) AS found "
        'ORDER BY full_name COLLATE "C", starts_at, id LIMIT 50',
        "person",
        terms,
        (stop_id, status, partner_id),
    )


async def companies(
    connection: Connection, mission_id: UUID, terms: Sequence[str]
) -> Sequence[Row]:
    """Find the companies of a mission by terms of a query, with how many people each has."""
    return await _found(
        connection,
        "SELECT found.*, (SELECT count(*) FROM person "
        "WHERE person.organization_id = found.id) AS people FROM (SELECT organization.id, "
        "organization.name, organization.native_name, organization.country, "
        "organization.registration_number, organization.sectors, organization.size "
        "FROM organization WHERE organization.mission_id = $2 "
        "AND organization.merged_into IS NULL AND {matches} LIMIT 1000) AS found "
        'ORDER BY name COLLATE "C", id LIMIT 50',
        "organization",
        terms,
        (mission_id,),
    )


async def _found(
    connection: Connection,
    query: str,
    table: str,
    terms: Sequence[str],
    narrow: tuple[object, ...],
) -> Sequence[Row]:
    """Ask for the very words, then for words that begin so; when there are none, less strictly.

    By sound, 張 finds 张. A part within a word is looked for without an index, as the last resort.
    """
    if not terms:
        return []
    words = _PEOPLE if table == "person" else _COMPANIES
    # Its second half is what the index leaves out.
    by_word = query.format(matches=f"{words} @@ $1::tsquery AND {table}.search <> ''")
    rows: dict[UUID, Row] = {}
    for wanted in dict.fromkeys((tuple(terms), tuple(sounds(terms)))):
        for form in ("'{}'", "'{}':*"):
            # Terms are letters, digits and characters: nothing in them needs quoting.
            asked = " & ".join(form.format(term) for term in wanted)
            for row in await connection.fetch(by_word, asked, *narrow):
                rows.setdefault(row["id"], row)
            if len(rows) >= LIMIT:
                break
        if rows:
            return list(rows.values())[:LIMIT]
    if min(map(len, terms)) < PART_LENGTH_MIN:
        return []
    parts = query.format(matches=f"{table}.search LIKE ALL ($1::text[])")
    return await connection.fetch(parts, [f"%{term}%" for term in terms], *narrow)


async def people_without(connection: Connection, limit: int) -> Sequence[Row]:
    """Read people who have no search text yet, each locked, with the names of their companies.

    `aliases`: what companies were called that were merged into theirs.
    """
    return await connection.fetch(
        _NAMES + "LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE person.search = '' LIMIT $1 FOR NO KEY UPDATE OF person SKIP LOCKED",
        limit,
    )


async def people_of(connection: Connection, organization_ids: Sequence[UUID]) -> Sequence[Row]:
    """Read the people of companies, each locked, in order, as `people_without`."""
    return await connection.fetch(
        _NAMES + "JOIN organization ON organization.id = person.organization_id "
        "WHERE person.organization_id = ANY($1) AND person.erased_at IS NULL "
        "ORDER BY person.id FOR NO KEY UPDATE OF person",
        list(organization_ids),
    )


async def put_people(connection: Connection, texts: Sequence[tuple[UUID, str]]) -> None:
    """Write the search texts of people."""
    await connection.execute(
        "UPDATE person SET search = given.search "
        "FROM unnest($1::uuid[], $2::text[]) AS given (id, search) WHERE person.id = given.id",
        *columns(texts, 2),
    )


async def companies_without(connection: Connection, limit: int) -> Sequence[Row]:
    """Read companies that have no search text yet, each locked, with aliases as people have."""
    return await connection.fetch(
        f"SELECT id, name, native_name, {_ALIASES} FROM organization WHERE search = '' "  # noqa: S608
        "LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
        limit,
    )


async def companies_of(connection: Connection, ids: Sequence[UUID]) -> Sequence[Row]:
    """Read companies as `companies_without`."""
    return await connection.fetch(
        f"SELECT id, name, native_name, {_ALIASES} FROM organization WHERE id = ANY($1)",  # noqa: S608
        list(ids),
    )


async def put_companies(connection: Connection, texts: Sequence[tuple[UUID, str, str]]) -> None:
    """Write the search texts of companies and what sets each apart."""
    await connection.execute(
        "UPDATE organization SET search = given.search, core = given.core "
        "FROM unnest($1::uuid[], $2::text[], $3::text[]) AS given (id, search, core) "
        "WHERE organization.id = given.id",
        *columns(texts, 3),
    )
