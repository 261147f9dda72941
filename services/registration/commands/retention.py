"""Retention: a loop that removes what was kept for as long as it may be, and what it shows."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.registration.commands.missions import existing_mission
from services.registration.commands.privacy import erase, finish
from services.registration.domain import retention as domain
from services.registration.domain.retention import BY_CODE, RULES, Rule
from services.registration.store import consents, privacy
from services.registration.store import retention as store
from services.registration.store.imports import lists
from shared.http import now
from shared.postgres import Database
from shared.sweeping import forget_requests

LOOK_SECONDS = 600
LISTS_MAX = 5

_REMOVED_BY_ROW = ("answers", "files", "scans", "consents")

log = structlog.get_logger()


class Sweeper:
    """Carries the rules out. Any number may run: what is gone is gone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            await self.sweep(now())
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self, at: datetime) -> dict[str, int]:
        """Remove all that is due, in bounded batches, and count it by rule."""
        removed = dict.fromkeys(BY_CODE, 0)
        async with self._database.reading() as connection:
            missions = await store.ended_missions(connection)
        for mission in missions:
            for code, count in (await self._sweep_mission(mission, at)).items():
                removed[code] += count
        await self._finish_erasing(at)
        removed["imports"] = await self._imports(at)
        removed["idempotency"] = await self._requests(at)
        removed["audit"] = await self._audit(at)
        await self._count_exports(at)
        if any(removed.values()):
            log.info("kept no longer", **{k: v for k, v in removed.items() if v})
        return removed

    async def _sweep_mission(self, mission: asyncpg.Record, at: datetime) -> dict[str, int]:
        done = {}
        for rule in RULES:
            if not rule.is_for_a_mission:
                continue
            days = domain.days_of(rule, mission["retention"])
            if rule.since == "row":
                count = await self._drafts(mission["id"], at - timedelta(days=days))
            elif rule.due(mission["ends_on"], days) > at:
                continue
            elif rule.code in _REMOVED_BY_ROW:
                count = await self._rows(mission["id"], rule)
            else:
                count = await self._people(mission["id"], at)
            done[rule.code] = count
            async with self._database.transaction() as connection:
                await store.note_run(connection, mission["id"], rule.code, count, at)
        return done

    async def _rows(self, mission_id: UUID, rule: Rule) -> int:
        total = 0
        while True:
            async with self._database.transaction() as connection:
                count = await store.remove(connection, mission_id, rule.code)
            total += count
            if count < store.BATCH_SIZE_MAX:
                return total

    async def _drafts(self, mission_id: UUID, before: datetime) -> int:
        total = 0
        while True:
            async with self._database.transaction() as connection:
                count = await store.remove_drafts(connection, mission_id, before)
            total += count
            if count < store.BATCH_SIZE_MAX:
                return total

    async def _people(self, mission_id: UUID, at: datetime) -> int:
        total = 0
        while True:
            async with self._database.reading() as connection:
                due = await store.due_people(connection, mission_id)
            for person_id in due:
                await erase(self._database, person_id, None, at)
            total += len(due)
            if len(due) < store.BATCH_SIZE_MAX:
                return total

    async def _finish_erasing(self, at: datetime) -> None:
        async with self._database.reading() as connection:
            left = await privacy.unfinished(connection, at, store.BATCH_SIZE_MAX)
        for person_id in left:
            await finish(self._database, person_id, at)

    async def _requests(self, at: datetime) -> int:
        before = at - timedelta(days=BY_CODE["idempotency"].days)
        return await forget_requests(self._database, before)

    async def _imports(self, at: datetime) -> int:
        before, total = at - timedelta(days=BY_CODE["imports"].days), 0
        while True:
            async with self._database.transaction() as connection:
                count = await lists.empty_old(connection, before, LISTS_MAX)
            total += count
            if count < LISTS_MAX:
                return total

    async def _audit(self, at: datetime) -> int:
        async with self._database.transaction() as connection:
            return await store.end_audit(connection, at - timedelta(days=BY_CODE["audit"].days))

    async def _count_exports(self, at: datetime) -> None:
        async with self._database.transaction() as connection:
            await privacy.count_exports(connection, consents.MAY_CROSS, at)
            counted = await privacy.exports_by_year(connection)
        for row in counted[:1]:
            if domain.is_alarming(row["people"]):
                log.error(
                    "data of many people crossed the border this year",
                    year=row["year"],
                    people=row["people"],
                )


async def shown(database: Database, mission_id: UUID) -> list[dict[str, Any]]:
    """Show what a mission keeps until when; raises `NotFound`."""
    async with database.reading() as connection:
        mission = await existing_mission(connection, mission_id)
        setting = await consents.setting(connection, mission_id)
        runs = await store.runs(connection, mission_id)
        found = []
        for rule in RULES:
            days = domain.days_of(rule, setting["retention"])
            run = runs.get(rule.code)
            kept = None
            if rule.is_for_a_mission:
                kept = (
                    await store.drafts(connection, mission_id)
                    if rule.since == "row"
                    else await store.left(connection, mission_id, rule.code)
                )
            found.append(
                {
                    "code": rule.code,
                    "title": rule.title.model_dump(),
                    "held_by": rule.holder,
                    "days": days,
                    "is_usual": days == rule.days,
                    "may_be_set": rule.is_for_a_mission,
                    "since": rule.since,
                    "due_at": rule.due(mission["ends_on"], days)
                    if rule.since == "mission"
                    else None,
                    "kept": kept,
                    "swept_at": run["swept_at"] if run else None,
                    "removed": run["rows"] if run else 0,
                }
            )
    return found


async def exports(database: Database) -> list[dict[str, Any]]:
    """Show how many people's data crossed the border, by year."""
    async with database.reading() as connection:
        rows = await privacy.exports_by_year(connection)
    return [
        {
            "year": row["year"],
            "people": row["people"],
            "alarm_at": domain.EXPORTS_ALARM,
            "is_alarming": domain.is_alarming(row["people"]),
        }
        for row in rows
    ]
