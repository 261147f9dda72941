"""The rows of partners' lists: read, checked, chosen, and what became of each."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection, columns

Row = asyncpg.Record

ADDED = ("import_id", "row", "cells", "marks")
SHOWN = (
    "row, cells, fields, kind, findings, differences, ours, is_chosen, status, code, pointer, "
    "registration_id"
)
CHECKED = 9
SETTLED = 6


async def add(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows as they were read: list, number, cells, marks."""
    await connection.copy_records_to_table("import_row", columns=ADDED, records=rows)


async def unchecked(
    connection: Connection, import_id: UUID, after: int, limit: int
) -> Sequence[Row]:
    """List the next rows that are to be checked."""
    return await connection.fetch(
        "SELECT row, cells, marks FROM import_row WHERE import_id = $1 AND row > $2 "
        "ORDER BY row LIMIT $3",
        import_id,
        after,
        limit,
    )


async def write_checked(
    connection: Connection,
    import_id: UUID,
    rows: Sequence[tuple[Any, ...]],
    chosen: Sequence[str],
) -> None:
    """Write what checking found, and choose the rows of some kinds.

    A row: number, fields, ref, address, kind, findings, differences, ours, (registration, person).
    Findings come as JSON in a text: a list among others would be taken for an array's dimension.
    """
    flat = [(*row[:-1], *row[-1]) for row in rows]
    await connection.execute(
        "UPDATE import_row AS r SET fields = given.fields, ref = given.ref, "
        "address = given.address, kind = given.kind, findings = given.findings::jsonb, "
        "differences = given.differences, ours = given.ours, is_chosen = given.kind = ANY($12), "
        "code = NULL, "
        "pointer = NULL, status = CASE given.kind WHEN 'invalid' THEN 'invalid' "
        "WHEN 'known' THEN 'already_registered' END, "
        "registration_id = given.registration_id, person_id = given.person_id "
        "FROM unnest($2::integer[], $3::jsonb[], $4::text[], $5::text[], $6::text[], $7::text[], "
        "$8::jsonb[], $9::jsonb[], $10::uuid[], $11::uuid[]) AS given (row, fields, ref, address, "
        "kind, findings, differences, ours, registration_id, person_id) "
        "WHERE r.import_id = $1 AND r.row = given.row",
        import_id,
        *columns(flat, CHECKED + 1),
        list(chosen),
    )


async def earlier(
    connection: Connection,
    import_id: UUID,
    before: int,
    refs: Sequence[str],
    addresses: Sequence[str],
) -> tuple[dict[str, int], dict[str, int]]:
    """Find the rows before a chunk that have one of its references, or one of its addresses."""
    found = []
    for name, values in (("ref", refs), ("address", addresses)):
        rows = await connection.fetch(
            f"SELECT {name} AS value, min(row) AS row FROM import_row "  # noqa: S608
            f"WHERE import_id = $1 AND {name} = ANY($2) AND row < $3 GROUP BY 1",
            import_id,
            list(values),
            before,
        )
        found.append({row["value"]: row["row"] for row in rows})
    return found[0], found[1]


async def forget_gone(connection: Connection, import_id: UUID) -> None:
    """Take out the rows behind the end, which an earlier check has added."""
    await connection.execute(
        "DELETE FROM import_row WHERE import_id = $1 AND kind = 'gone'", import_id
    )


async def add_gone(connection: Connection, import_id: UUID, *, are_chosen: bool) -> None:
    """Add a row for all who were in the last list, stand here still, and are in it no more."""
    await connection.execute(
        "INSERT INTO import_row (import_id, row, cells, marks, fields, ref, kind, ours, "
        "registration_id, person_id, is_chosen) "
        "SELECT list.id, (SELECT coalesce(max(row), 0) FROM import_row WHERE import_id = list.id) "
        "+ row_number() OVER (ORDER BY hosted.ref), '{}', '{}', hosted.fields, hosted.ref, 'gone', "
        "jsonb_build_object('status', r.status), hosted.registration_id, hosted.person_id, $2 "
        "FROM import_list AS list JOIN hosted_row AS hosted ON hosted.partner_id = list.partner_id "
        "AND hosted.programme_item_id = list.programme_item_id "
        "JOIN registration AS r ON r.id = hosted.registration_id "
        "WHERE list.id = $1 AND r.status NOT IN ('cancelled', 'rejected', 'offer_expired') "
        "AND NOT EXISTS (SELECT FROM import_row AS mine WHERE mine.import_id = list.id "
        "AND mine.ref = hosted.ref)",
        import_id,
        are_chosen,
    )


async def choose(
    connection: Connection, import_id: UUID, kinds: Sequence[str], numbers: Sequence[int] | None
) -> int:
    """Choose rows to be applied: those of some kinds, of these numbers alone if there are any."""
    status = await connection.execute(
        "UPDATE import_row SET is_chosen = true WHERE import_id = $1 AND status IS NULL "
        "AND kind = ANY($2) AND ($3::integer[] IS NULL OR row = ANY($3))",
        import_id,
        list(kinds),
        None if numbers is None else list(numbers),
    )
    return int(status.rpartition(" ")[2])


async def open_rows(connection: Connection, import_id: UUID, limit: int) -> Sequence[Row]:
    """List and lock the next chosen rows that nothing became of yet."""
    return await connection.fetch(
        "SELECT row, fields, ref, kind, differences, ours, registration_id, person_id "
        "FROM import_row WHERE import_id = $1 AND is_chosen AND status IS NULL "
        "ORDER BY row LIMIT $2 FOR UPDATE",
        import_id,
        limit,
    )


async def settle(connection: Connection, import_id: UUID, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write what became of rows: number, status, code, pointer, registration, person."""
    await connection.execute(
        "UPDATE import_row AS r SET status = given.status, code = given.code, "
        "pointer = given.pointer, "
        "registration_id = coalesce(given.registration_id, r.registration_id), "
        "person_id = coalesce(given.person_id, r.person_id) "
        "FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[]) "
        "AS given (row, status, code, pointer, registration_id, person_id) "
        "WHERE r.import_id = $1 AND r.row = given.row",
        import_id,
        *columns(rows, SETTLED),
    )


async def counts(connection: Connection, import_id: UUID) -> Mapping[str, Mapping[str, int]]:
    """Count rows by kind and by status; those that are open by kind, and of them the chosen."""
    rows = await connection.fetch(
        "SELECT kind, status, is_chosen, count(*) AS number FROM import_row "
        "WHERE import_id = $1 GROUP BY 1, 2, 3",
        import_id,
    )
    found: dict[str, dict[str, int]] = {"kinds": {}, "statuses": {}, "open": {}, "chosen": {}}
    for row in rows:
        number = row["number"]
        kind, status = row["kind"] or "unchecked", row["status"]
        found["kinds"][kind] = found["kinds"].get(kind, 0) + number
        if status:
            found["statuses"][status] = found["statuses"].get(status, 0) + number
        else:
            found["open"][kind] = found["open"].get(kind, 0) + number
            if row["is_chosen"]:
                found["chosen"][kind] = found["chosen"].get(kind, 0) + number
    return found


async def page(  # noqa: PLR0913  # what a page is of
    connection: Connection,
    import_id: UUID,
    *,
    after: int,
    limit: int,
    kind: str | None = None,
    status: str | None = None,
    with_findings: bool = False,
) -> Sequence[Row]:
    """List rows by number: all, or those of a kind or status, or with something found."""
    return await connection.fetch(
        f"SELECT {SHOWN} FROM import_row WHERE import_id = $1 AND row > $2 "  # noqa: S608
        "AND ($4::text IS NULL OR kind = $4) AND ($5::text IS NULL OR status = $5) "
        "AND (NOT $6 OR findings <> '[]') ORDER BY row LIMIT $3",
        import_id,
        after,
        limit,
        kind,
        status,
        with_findings,
    )


async def unknown_values(
    connection: Connection, import_id: UUID, code: str, limit: int
) -> Sequence[Row]:
    """List the values that nobody knows, those of most rows first."""
    return await connection.fetch(
        "SELECT finding ->> 'value' AS value, count(*) AS number FROM import_row, "
        "jsonb_array_elements(findings) AS finding WHERE import_id = $1 "
        "AND findings <> '[]' AND finding ->> 'code' = $2 "
        "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $3",
        import_id,
        code,
        limit,
    )


async def samples(connection: Connection, import_id: UUID, limit: int) -> Sequence[Sequence[str]]:
    """Read the cells of the first rows."""
    rows = await connection.fetch(
        "SELECT cells FROM import_row WHERE import_id = $1 ORDER BY row LIMIT $2",
        import_id,
        limit,
    )
    return [row["cells"] for row in rows]
