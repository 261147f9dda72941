"""Applying: what changed there is done here, a few registrations in one transaction.

What is known of each is written in the transaction of its effect, so whatever is read twice, or
again after a crash, is found done.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.connectors.reading import Reading
from services.registration.commands.deciding import check_in_within, decide_within
from services.registration.commands.drafting import Entry, Submission
from services.registration.commands.editing import edit_within
from services.registration.commands.editing_facts import Editor
from services.registration.commands.seating import seat_all
from services.registration.domain.connecting import Link, Ours, Plan, Push, Step, plan
from services.registration.domain.editing import Edit
from services.registration.domain.places import Decision, Status
from services.registration.store import connector_links as store
from services.registration.store import places
from shared.access import Principal
from shared.errors import Conflict, Refusal
from shared.idempotency import Key
from shared.ids import new_id
from shared.postgres import Connection

Row = asyncpg.Record


class Applier:
    """Applies readings of one connector within a transaction."""

    def __init__(self, connection: Connection, connector: Row, now: datetime) -> None:
        self._connection = connection
        self._id: UUID = connector["id"]
        self._partner_id: UUID = connector["partner_id"]
        self._tells_ends = Push.CANCEL in connector["pushes"]
        self._now = now
        self._who = Principal(
            "partner_system",
            connector["id"],
            connector["mission_id"],
            (connector["stop_id"],),
            connector["partner_id"],
        )

    async def apply(self, readings: Sequence[Reading]) -> int:
        """Do what is to be done, and say about how many there was anything."""
        # Items are locked before people, and all of them at once.
        await places.locked_items(self._connection, {one.item_id for one in readings})
        known = await store.links(self._connection, self._id, [one.record.id for one in readings])
        changed = [one for one in readings if _is_news(one, known.get(one.record.id))]
        for reading in changed:
            await self._one(reading, known.get(reading.record.id))
        return len(changed)

    async def _one(self, reading: Reading, link: Row | None) -> None:
        planned = _planned(reading, link, tells_ends=self._tells_ends)
        registration_id = link["registration_id"] if link else None
        refusal: Refusal | None = None
        try:
            # A refusal leaves nothing of its own behind, and all the rest as it was.
            async with self._connection.transaction():
                for step in planned.steps:
                    registration_id = await self._step(step, reading, registration_id)
        except Refusal as refused:
            refusal = refused
            registration_id = link["registration_id"] if link else None
        if registration_id is None and refusal is None and link is None:
            # It ended there before anybody here heard of it.
            return
        await self._keep(reading, registration_id, planned, refusal)

    async def _step(self, step: Step, reading: Reading, registration_id: UUID | None) -> UUID:
        if step == "register":
            return await self._register(reading, registration_id)
        assert registration_id is not None
        if step == "cancel":
            await decide_within(
                self._connection, registration_id, Decision.CANCEL, self._who, self._now
            )
        elif step == "edit":
            await self._edit(reading, registration_id)
        else:
            await check_in_within(self._connection, registration_id, self._who, self._now)
        return registration_id

    async def _register(self, reading: Reading, before: UUID | None) -> UUID:
        if reading.sign_up is None:
            assert reading.refusal is not None
            raise reading.refusal
        # The link commits with it: no later request has to find this key.
        key = Key(f"connector {self._id}", str(new_id()), b"")
        entry = Entry(reading.item_id, reading.sign_up)
        (answer,) = await seat_all(self._connection, [Submission((entry,), key, self._now)])
        if isinstance(answer, Refusal):
            raise answer
        registration_id = UUID(answer.content["id"])
        ours = await store.registration(self._connection, registration_id)
        if ours["partner_id"] != self._partner_id:
            raise _not_theirs()
        if registration_id != before and await store.is_linked(
            self._connection, self._id, registration_id
        ):
            raise Conflict("Somebody there stands for this person already.", code="same_person")
        return registration_id

    async def _edit(self, reading: Reading, registration_id: UUID) -> None:
        sign_up = reading.sign_up
        if sign_up is None:
            assert reading.refusal is not None
            raise reading.refusal
        change = Edit(
            organization=sign_up.organization,
            person=sign_up.person,
            answers=sign_up.answers or None,
        )
        ours = await store.registration(self._connection, registration_id)
        if {ours["partner_id"], ours["person_partner_id"]} != {self._partner_id}:
            raise _not_theirs()
        await edit_within(
            self._connection,
            registration_id,
            change,
            ours["revision"],
            Editor(self._who, approves=False),
            self._now,
        )

    async def _keep(
        self,
        reading: Reading,
        registration_id: UUID | None,
        planned: Plan,
        refusal: Refusal | None,
    ) -> None:
        record = reading.record
        conflict = refusal.code if refusal else planned.conflict
        facts: dict[str, Any] = {"facts": None, "revision": None}
        if conflict is None and registration_id and {"register", "edit"} & {*planned.steps}:
            ours = await store.registration(self._connection, registration_id)
            facts = {"facts": reading.facts, "revision": ours["revision"]}
        await store.put_link(
            self._connection,
            {
                "connector_id": self._id,
                "remote_id": record.id,
                "handle": dict(record.handle),
                "registration_id": registration_id,
                "seen": record.seen,
                "facts_there": reading.facts,
                **facts,
                "has_ended": record.has_ended,
                "has_arrived": record.arrived_at is not None,
                "conflict": conflict,
                "conflict_fields": [one.pointer for one in refusal.faults] if refusal else [],
                "conflict_at": self._now if conflict else None,
            },
        )


def _not_theirs() -> Conflict:
    """Who knows an address has no say about the person whom somebody else brought."""
    return Conflict("This person came here in another way.", code="brought_by_others")


def _is_news(reading: Reading, link: Row | None) -> bool:
    return link is None or link["is_due"] or link["seen"] != reading.record.seen


def _planned(reading: Reading, link: Row | None, *, tells_ends: bool) -> Plan:
    if link is None or link["registration_id"] is None:
        return plan(reading.record, reading.facts, None, None)
    if link["is_erased"]:
        # Who asked to be forgotten here is not brought back from there.
        return Plan(conflict=None if reading.record.has_ended else "erased")
    known = Link(
        link["facts"],
        link["revision"],
        link["has_ended"],
        link["takes_theirs"],
        link["has_arrived"],
    )
    ours = Ours(
        Status(link["status"]),
        link["our_revision"],
        link["checked_in_at"] is not None,
        link["check_in_undone_at"],
    )
    planned = plan(reading.record, reading.facts, known, ours)
    if planned.conflict == "ended_here" and tells_ends:
        # It is told there in a moment.
        return Plan()
    if planned.conflict is None and link["programme_item_id"] != reading.item_id:
        return Plan(conflict="other_item")
    return planned
