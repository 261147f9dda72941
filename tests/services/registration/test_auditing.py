import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from services.registration.domain.applications import Action
from services.registration.domain.places import Decision
from services.registration.pages.rendering import pages
from shared.auditing import Note, note, note_all

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines

COMMANDS = Path(__file__).parents[3] / "services" / "registration"
NOTING = ("note", "Note", "_note")
CODE = re.compile(r"[a-z_]+(\.[a-z_]+)+")
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
ENTRIES = (
    "SELECT action, actor_id, actor_role, subject_id, mission_id, stop_id, details "
    "FROM audit_entry ORDER BY at, id"
)


async def test_planning_leaves_a_trail_with_who_did_it(house: "House") -> None:
    entries = await house.rows(ENTRIES)

    assert [entry["action"] for entry in entries] == [
        "mission.added",
        "partner.added",
        "stop.added",
        "item.added",
        "item.added",
    ]
    assert {entry["actor_id"] for entry in entries} == {house.boss.subject}
    assert {entry["actor_role"] for entry in entries} == {"mission_staff"}
    assert {entry["mission_id"] for entry in entries} == {house.mission}
    assert [entry["subject_id"] for entry in entries] == [
        house.mission,
        house.partner,
        house.stop,
        *house.items.values(),
    ]


async def test_who_engages_staff_and_makes_links_is_noted_without_names(house: "House") -> None:
    body = {
        "role": "door_staff",
        "full_name": "Sample Door",
        "email": "door@example.com",
        "language": "en",
        "stop_ids": [str(house.stop)],
    }
    path = f"/missions/{house.mission}/staff"
    person = await house.made(path, body)
    link = {"role": "door_staff", "mission_id": str(house.mission), "subject": str(person)}
    assert (await house.post("/api/v1/sessions/links", link, house.boss)).status_code == 201
    screen = await house.send(f"/desk/stops/{house.stop}/screen", {}, house.boss)
    assert screen.status_code == 303

    engaged, made, for_screen = (await house.rows(ENTRIES))[-3:]

    assert (engaged["action"], engaged["subject_id"]) == ("staff.engaged", person)
    assert engaged["details"] == {
        "role": "door_staff",
        "stop_ids": [str(house.stop)],
        "partner_id": None,
    }
    assert (made["action"], made["subject_id"]) == ("link.made", person)
    assert (for_screen["stop_id"], for_screen["details"]) == (house.stop, {"role": "screen"})


async def test_a_request_sent_again_is_noted_once(house: "House", lines: "Lines") -> None:
    path = f"/api/v1/missions/{house.mission}/stops"
    before = len(await house.rows(ENTRIES))

    answers = [await house.post(path, lines.stop, house.boss, key="same") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(await house.rows(ENTRIES)) == before + 1


async def test_a_refused_request_leaves_no_trail(house: "House", lines: "Lines") -> None:
    before = len(await house.rows(ENTRIES))
    twin = lines.stop | {"slug": "guangzhou"}

    answer = await house.post(f"/api/v1/missions/{house.mission}/stops", twin, house.boss)

    assert answer.status_code == 409
    assert len(await house.rows(ENTRIES)) == before


async def test_what_is_rolled_back_leaves_no_trail(house: "House") -> None:
    before = len(await house.rows(ENTRIES))
    facts: dict[str, Any] = {"subject_id": uuid4(), "mission_id": house.mission, "now": NOW}

    async with house.database.reading() as connection:
        cut = connection.transaction()
        await cut.start()
        await note(connection, None, "link.made", **facts)
        await cut.rollback()

    assert len(await house.rows(ENTRIES)) == before


async def test_many_notes_keep_their_order(house: "House") -> None:
    subjects = [uuid4() for _ in range(200)]
    notes = [Note(None, "link.made", subject, house.mission) for subject in subjects]

    async with house.database.transaction() as connection:
        await note_all(connection, notes, now=NOW)
        await note_all(connection, [], now=NOW)

    entries = await house.rows(
        "SELECT subject_id, actor_id, actor_role FROM audit_entry WHERE at = $1 ORDER BY at, id",
        NOW,
    )
    assert [entry["subject_id"] for entry in entries] == subjects
    assert {(entry["actor_id"], entry["actor_role"]) for entry in entries} == {(None, None)}


@pytest.mark.parametrize(
    "details",
    [{"name": "Sample Ana"}, {"email": "ana@example.com"}, {"native": ["示例"]}, {"a": {"b": "é"}}],
)
async def test_details_that_may_be_about_a_person_are_refused(
    house: "House", details: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="ids, codes, numbers"):
        async with house.database.transaction() as connection:
            await note_all(
                connection, [Note(None, "a.b", uuid4(), house.mission, None, details)], now=NOW
            )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET action = 'nothing.done'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
    ],
)
async def test_nobody_changes_or_deletes_what_was_noted(house: "House", statement: str) -> None:
    before = await house.rows(ENTRIES)

    with pytest.raises(asyncpg.RestrictViolationError, match="only added to"):
        await house.rows(statement)

    assert await house.rows(ENTRIES) == before


async def test_retention_deletes_what_is_older_alone(house: "House") -> None:
    before = len(await house.rows(ENTRIES))
    old = Note(None, "link.made", uuid4(), house.mission)
    async with house.database.transaction() as connection:
        await note_all(connection, [old], now=NOW - timedelta(days=4_000))
        ended = await connection.fetchval(
            "SELECT end_audit_before($1)", NOW - timedelta(days=3_650)
        )
        assert ended == 1
        with pytest.raises(asyncpg.RestrictViolationError):
            # The permission ends with the call, not with the transaction.
            async with connection.transaction():
                await connection.execute("DELETE FROM audit_entry")

    assert len(await house.rows(ENTRIES)) == before


LISTS = frozenset(
    {"fields", "moved", "order", "parts", "pending_again", "retention", "roles", "scopes"}
)
"""Details of more than one value, which the page leaves out."""


def test_every_detail_that_is_shown_has_a_name_in_both_languages() -> None:
    named = {
        str(name.value)
        for file in COMMANDS.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.keyword) and call.arg == "details"
        for given in ast.walk(call.value)
        if isinstance(given, ast.Dict)
        for name in given.keys
        if isinstance(name, ast.Constant)
    }
    shown = {name for name in named if not name.endswith("_id")} - LISTS

    assert {"status", "decision", "version"} <= shown
    assert [name for name in shown if f"audit_detail_{name}" not in pages.words] == []


def test_everything_that_is_noted_has_a_name_in_both_languages() -> None:
    noted = {
        str(text.value)
        for file in COMMANDS.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in NOTING
        for text in [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(text, ast.Constant) and CODE.fullmatch(str(text.value))
    }
    noted |= {f"registration.{decision.value}" for decision in Decision}
    noted |= {f"application.{action.value}" for action in Action}

    assert {"mission.added", "bulk.started"} <= noted
    assert [code for code in noted if f"audit_{code.replace('.', '_')}" not in pages.words] == []
