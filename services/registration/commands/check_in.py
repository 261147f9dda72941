"""Check-in at the door: a batch of scans in one transaction, and the badges that are scanned."""

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain import badges
from services.registration.domain.scans import (
    Holding,
    Outcome,
    Reason,
    Shown,
    Verdict,
    judge,
)
from services.registration.store import check_in as store
from shared.access import Principal
from shared.auditing import note
from shared.errors import NotFound
from shared.events.registration import ParticipantCheckedIn
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.log import outbox
from shared.postgres import Connection, Database

Row = asyncpg.Record

BATCH = 200
BATCHES_MAX = 50


@dataclass(frozen=True, slots=True)
class Scan:
    """What was shown to a phone, and when by our clock: a badge, or a person found by name."""

    nonce: UUID
    code: str | None
    person_id: UUID | None
    item_id: UUID | None
    at: datetime

    @property
    def asked(self) -> bytes:
        """Tell this question from another one that comes with the same nonce."""
        return hashlib.sha256(f"{self.code}\n{self.person_id}\n{self.item_id}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Door:
    """Where scans come from: a stop, and who scans. A partner sees the people it brought."""

    mission_id: UUID
    stop_id: UUID
    scanned_by: UUID
    partner_id: UUID | None


async def check_in(
    database: Database, door: Door, scans: Sequence[Scan], now: datetime
) -> list[dict[str, Any]]:
    """Answer scans in the order given. A nonce that was answered before gets the same answer.

    That has no effect a second time, also where the check-in was taken back meanwhile; and a scan
    of before that, which comes late with a nonce that is new, is refused (`take_back`).
    """

    async def effect(connection: Connection) -> Answer:
        batch = _Batch(door, now)
        await batch.read(connection, scans)
        # As they happened, whatever the order in which a phone sends them.
        for scan in sorted(scans, key=lambda scan: scan.at):
            batch.take(scan)
        await batch.write(connection)
        return Answer({"items": await batch.answers(connection, scans)}, 200)

    items: list[dict[str, Any]] = (await once(database, None, effect)).content["items"]
    return items


class _Batch:
    """The scans of one request: what is on file about them, and what becomes of it."""

    def __init__(self, door: Door, now: datetime) -> None:
        self._door = door
        self._now = now
        self._kept: dict[UUID, Mapping[str, Any] | Row] = {}
        self._new: list[dict[str, Any]] = []
        self._badges: Mapping[str, Row] = {}
        self._people: Mapping[UUID, Row] = {}
        self._mine: dict[UUID, list[Holding]] = {}
        self._of_others: set[UUID] = set()
        self._registrations: dict[UUID, Row] = {}
        self._arrivals: dict[UUID, datetime] = {}
        self._accepted: dict[UUID, datetime] = {}

    async def read(self, connection: Connection, scans: Sequence[Scan]) -> None:
        """Lock and read what the scans are about."""
        codes = [code for scan in scans if (code := badges.read(scan.code or ""))]
        self._badges = await store.badges_by_code(connection, self._door.mission_id, codes)
        named = {scan.person_id for scan in scans if scan.person_id}
        ids = sorted(named | {row["person_id"] for row in self._badges.values()})
        await store.lock_items(connection, self._door.stop_id, ids)
        self._people = await store.lock_people(connection, self._door.mission_id, ids)
        # Once locked: what was read before may have changed, and a twin of this request be done.
        nonces = [scan.nonce for scan in scans]
        self._kept = {**await store.scans(connection, self._door.stop_id, nonces)}
        for row in await store.registrations(connection, self._door.stop_id, ids):
            if self._door.partner_id in (None, row["partner_id"]):
                self._registrations[row["id"]] = row
                self._mine.setdefault(row["person_id"], []).append(_holding(row))
            else:
                self._of_others.add(row["person_id"])

    def take(self, scan: Scan) -> None:
        """Decide about one scan."""
        if scan.nonce in self._kept:
            return
        shown = self._shown(scan)
        verdict = judge(shown, scan.item_id, scan.at)
        holding = verdict.holding
        if holding is not None and verdict.checked_in_at is not None:
            self._arrive(shown, holding, verdict)
        fact = {
            "nonce": scan.nonce,
            "asked": scan.asked,
            "person_id": shown.person_id,
            "badge_id": shown.badge_id,
            "registration_id": holding.registration_id if holding else None,
            "scanned_by": self._door.scanned_by,
            "scanned_at": scan.at,
            "received_at": self._now,
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "checked_in_at": verdict.checked_in_at,
        }
        self._kept[scan.nonce] = fact
        self._new.append(fact)

    def _shown(self, scan: Scan) -> Shown:
        badge = self._badges.get(badges.read(scan.code or "") or "")
        person_id: UUID | None = badge["person_id"] if badge else scan.person_id
        if person_id is None or person_id not in self._people:
            return Shown(None)
        return Shown(
            person_id=person_id,
            badge_id=badge["id"] if badge else None,
            is_revoked=badge is not None and badge["revoked_at"] is not None,
            is_erased=self._people[person_id]["erased_at"] is not None,
            holdings=self._mine.get(person_id, ()),
            is_somebody_elses=person_id in self._of_others,
        )

    def _arrive(self, shown: Shown, holding: Holding, verdict: Verdict) -> None:
        assert shown.person_id is not None
        assert verdict.checked_in_at is not None
        if verdict.outcome is Outcome.ACCEPTED:
            self._accepted[holding.registration_id] = verdict.checked_in_at
        if verdict.checked_in_at != holding.checked_in_at:
            self._arrivals[holding.registration_id] = verdict.checked_in_at
        self._mine[shown.person_id] = [
            replace(one, checked_in_at=verdict.checked_in_at)
            if one.registration_id == holding.registration_id
            else one
            for one in self._mine[shown.person_id]
        ]

    async def write(self, connection: Connection) -> None:
        """Keep the scans, note the arrivals, and announce each first one."""
        if not self._new:
            return
        await store.add_scans(connection, self._door.stop_id, self._new)
        if self._arrivals:
            await store.arrive(connection, self._arrivals)
        if self._accepted:
            await self._tell(connection)

    async def _tell(self, connection: Connection) -> None:
        arrived = [self._registrations[one] for one in self._accepted]
        counts = Counter(row["person_id"] for row in arrived)
        versions = await store.next_versions(connection, counts)
        # Somebody may arrive at two items in one batch.
        versions = {person: versions[person] - counts[person] for person in counts}
        events: list[tuple[ParticipantCheckedIn, int]] = []
        for row in arrived:
            versions[row["person_id"]] += 1
            event = self._event(row, self._accepted[row["id"]])
            events.append((event, versions[row["person_id"]]))
        await outbox.append_all(connection, events, now=self._now)

    def _event(self, row: Row, at: datetime) -> ParticipantCheckedIn:
        return ParticipantCheckedIn(
            participant_id=row["person_id"],
            registration_id=row["id"],
            mission_id=self._door.mission_id,
            stop_id=self._door.stop_id,
            programme_item_id=row["programme_item_id"],
            item_kind=row["item_kind"],
            side="delegation" if row["role"] == "delegate" else "local",
            partner_id=row["person_partner_id"],
            checked_in_at=at,
        )

    async def answers(self, connection: Connection, scans: Sequence[Scan]) -> list[dict[str, Any]]:
        """Say what became of each scan, with the name of those the scanner may see."""
        ids = [
            person["id"]
            for person in self._people.values()
            if self._mine.get(person["id"]) and person["erased_at"] is None
        ]
        names = await store.names_of(connection, ids) if ids else {}
        return [self._answer(scan, names) for scan in scans]

    def _answer(self, scan: Scan, names: Mapping[UUID, Row]) -> dict[str, Any]:
        fact = self._kept[scan.nonce]
        if fact["asked"] != scan.asked:
            return _said(scan.nonce, Outcome.REFUSED, Reason.NONCE_REUSED)
        registration = self._registrations.get(fact["registration_id"])
        name = names.get(fact["person_id"])
        return _said(
            scan.nonce,
            fact["outcome"],
            fact["reason"],
            checked_in_at=fact["checked_in_at"],
            registration_id=fact["registration_id"],
            programme_item_id=registration["programme_item_id"] if registration else None,
            participant=dict(name) if name else None,
        )


def _said(nonce: UUID, outcome: str, reason: str | None, **more: object) -> dict[str, Any]:
    facts = ("checked_in_at", "registration_id", "programme_item_id", "participant")
    return {
        "nonce": nonce,
        "outcome": outcome,
        "reason": reason,
        **{name: more.get(name) for name in facts},
    }


def _holding(row: Row) -> Holding:
    return Holding(
        registration_id=row["id"],
        programme_item_id=row["programme_item_id"],
        status=row["status"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        checked_in_at=row["checked_in_at"],
        check_in_undone_at=row["check_in_undone_at"],
    )


async def issue_badges(
    database: Database,
    stop_id: UUID,
    now: datetime,
    person_id: UUID | None = None,
    batches_max: int = BATCHES_MAX,
) -> None:
    """Give a badge to whoever is registered at a stop, or to this one of them, and has none."""
    for _ in range(batches_max):
        async with database.reading() as connection:
            ids = await store.without_badge(connection, stop_id, person_id, BATCH)
        if ids:
            # The digests of many take a second that others need not wait for.
            made = await asyncio.to_thread(_badges, ids)
            async with database.transaction() as connection:
                await store.add_badges(connection, made, now)
        if len(ids) < BATCH:
            return


async def replace_badge(
    database: Database, who: Principal, place: Row, person_id: UUID, key: Key | None, now: datetime
) -> Answer:
    """Revoke a badge that was lost and issue another; answers with its id.

    Raises `NotFound` when there is none to replace.
    """
    made = await asyncio.to_thread(_badge, person_id)

    async def effect(connection: Connection) -> Answer:
        await store.lock_people(connection, place["mission_id"], [person_id])
        if not await store.revoke_badge(connection, person_id, now):
            raise NotFound("This person has no badge.")
        await store.add_badges(connection, [made], now)
        await note(
            connection,
            who,
            "badge.replace",
            subject_id=person_id,
            mission_id=place["mission_id"],
            stop_id=place["id"],
            now=now,
        )
        return Answer({"id": str(made["id"])})

    return await once(database, key, effect)


def _badges(person_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return [_badge(person_id) for person_id in person_ids]


def _badge(person_id: UUID) -> dict[str, Any]:
    code = badges.new_code(secrets.choice)
    return {
        "id": new_id(),
        "person_id": person_id,
        "code": code,
        "digest": badges.digest(code),
    }
