"""Mails in a mission's own words: versions, of which the last one counts, and trials."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.notify.domain.templates import Template, TemplateName, Texts
from shared.events.base import Language
from shared.postgres import Connection

Own = Mapping[tuple[UUID, TemplateName], Texts]
"""By mission and name."""


async def own(connection: Connection, missions: Collection[UUID]) -> Own:
    """Read what missions say in words of their own."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (mission_id, name) mission_id, name, texts FROM mail_template "
        "WHERE mission_id = ANY($1::uuid[]) ORDER BY mission_id, name, version DESC",
        list(missions),
    )
    return {
        (row["mission_id"], row["name"]): _texts(row["texts"])
        for row in rows
        if row["texts"] is not None
    }


async def versions(
    connection: Connection, mission_id: UUID, name: TemplateName, limit: int
) -> list[asyncpg.Record]:
    """List versions, the last one first: number, whether it has words of its own, who and when."""
    return await connection.fetch(
        "SELECT version, texts IS NOT NULL AS is_own, written_by, written_at FROM mail_template "
        "WHERE mission_id = $1 AND name = $2 ORDER BY version DESC LIMIT $3",
        mission_id,
        name,
        limit,
    )


async def changed(connection: Connection, mission_id: UUID) -> Mapping[str, asyncpg.Record]:
    """Give the last version of each template that was ever changed, by name."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (name) name, version, texts IS NOT NULL AS is_own, written_at "
        "FROM mail_template WHERE mission_id = $1 ORDER BY name, version DESC",
        mission_id,
    )
    return {row["name"]: row for row in rows}


async def read(
    connection: Connection, mission_id: UUID, name: TemplateName, version: int
) -> Texts | None:
    """Read the words of a version; None: it has none of its own, or is not there."""
    texts = await connection.fetchval(
        "SELECT texts FROM mail_template WHERE mission_id = $1 AND name = $2 AND version = $3",
        mission_id,
        name,
        version,
    )
    return None if texts is None else _texts(texts)


async def put(
    connection: Connection,
    place: tuple[UUID, TemplateName, int],
    texts: Texts | None,
    by: tuple[UUID, datetime],
) -> bool:
    """Add a version to a mission's template; False: the one before it is not the last one."""
    added = await connection.fetchval(
        "INSERT INTO mail_template (mission_id, name, version, texts, written_by, written_at) "
        "SELECT $1, $2, $3::integer, $4, $5, $6 WHERE $3 = 1 + (SELECT coalesce(max(version), 0) "
        "FROM mail_template WHERE mission_id = $1 AND name = $2) "
        "ON CONFLICT DO NOTHING RETURNING true",
        *place,
        texts and {language: _plain(one) for language, one in texts.items()},
        *by,
    )
    return bool(added)


async def put_trial(
    connection: Connection,
    notification_id: UUID,
    name: TemplateName,
    tried: tuple[Language, Template],
) -> None:
    """Keep what somebody tries out, for the message that is queued under a notification's id."""
    language, template = tried
    await connection.execute(
        "INSERT INTO mail_trial (message, name, language, subject, body) "
        "SELECT id, $2, $3, $4, $5 FROM message WHERE notification_id = $1",
        notification_id,
        name,
        language,
        template.subject,
        template.body,
    )


async def trials(
    connection: Connection, messages: Collection[int]
) -> dict[int, tuple[TemplateName, Language, Template]]:
    """Read what is tried out, by message."""
    rows = await connection.fetch(
        "SELECT message, name, language, subject, body FROM mail_trial WHERE message = ANY($1)",
        list(messages),
    )
    return {
        row["message"]: (row["name"], row["language"], Template(row["subject"], row["body"]))
        for row in rows
    }


def _texts(stored: Mapping[Language, Any]) -> Texts:
    return {language: Template(**texts) for language, texts in stored.items()}


def _plain(template: Template) -> dict[str, str]:
    return {"subject": template.subject, "body": template.body}
