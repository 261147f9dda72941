"""Reviewing: a repair as staff sees it, before deciding and afterwards."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.matching.domain.repair.proposal import REASONS
from services.matching.domain.repair.record import Added, Couple, Happened, Record, Touched, Where
from services.matching.store import audit, meetings, repairs, sessions
from shared.postgres import Connection

View = dict[str, Any]
TRAIL = ("at", "actor_id", "actor_role", "action")


async def views(
    connection: Connection, stop_id: UUID, rows: Sequence[repairs.Row], *, in_full: bool
) -> list[View]:
    """Show repairs of one stop; `in_full`: also who does not want to meet, which few may know."""
    records = [Record.model_validate(row["proposal"]) for row in rows]
    people = {person for record in records for person in record.everybody()}
    points = {point for record in records for point in record.points()}
    points |= {UUID(row["happened"]["subject_id"]) for row in rows}
    shown = _Shown(
        await sessions.labels(connection, stop_id, points),
        await meetings.companies(connection, people),
        in_full=in_full,
    )
    trail: dict[UUID, list[View]] = {row["id"]: [] for row in rows}
    for entry in await audit.of_subjects(connection, list(trail)):
        trail[entry["subject_id"]].append({name: entry[name] for name in TRAIL})
    return [
        shown.repair(row, record) | {"trail": trail[row["id"]]}
        for row, record in zip(rows, records, strict=True)
    ]


def people_of(view: View) -> set[UUID]:
    """Give whom a repair names as a side of a meeting, or is about."""
    named = (*view["touched"], *view["left"], *view["additions"], *view["unfitted"])
    parties = [party for one in (*named, *view["offers"]) for party in one["parties"]]
    return {view["happened"]["subject_id"], *(party["participant_id"] for party in parties)}


class _Shown:
    """Shows what is kept by ids, with labels and companies."""

    def __init__(
        self, labels: Mapping[UUID, str], companies: Mapping[UUID, Any], *, in_full: bool
    ) -> None:
        self._labels = labels
        self._companies = companies
        self._in_full = in_full

    def repair(self, row: repairs.Row, record: Record) -> View:
        told = Happened.model_validate(row["happened"])
        names = (
            *("id", "stop_id", "state", "is_by_rule", "conflict"),
            *("proposed_at", "proposed_by", "decided_at", "decided_by"),
        )
        return {
            **{name: row[name] for name in names},
            "happened": self._happened(told),
            "touched": [self._touched(one) for one in record.touched],
            "left": [self._touched(one) for one in record.left],
            "additions": [self._added(one) for one in record.additions],
            "unfitted": [
                {"parties": self._parties(one), "reason": self._reason(one.reason)}
                for one in record.unfitted
            ],
            "offers": [
                {**self._added(one), "number": number, "is_taken": number in row["taken"]}
                for number, one in enumerate(record.offers, 1)
            ],
            "people": record.people,
            "warnings": [one.model_dump() for one in record.warnings],
            "drops_proven": record.drops_proven,
            "moves_proven": record.moves_proven,
            "is_nearest": record.is_nearest,
        }

    def _happened(self, told: Happened) -> View:
        shown = told.model_dump()
        shown["point"] = self._labels.get(told.subject_id)
        return shown

    def _touched(self, one: Touched) -> View:
        return {
            "meeting_id": one.meeting_id,
            "revision": one.revision,
            "parties": self._parties(one),
            "now": self._where(one.now),
            "to": self._where(one.to) if one.to else None,
            "reason": self._reason(one.reason) if one.reason else None,
        }

    def _added(self, one: Added) -> View:
        return {
            "session_id": one.session_id,
            "parties": self._parties(one),
            "to": self._where(one.to),
            "interpreter_needed": one.interpreter_needed,
        }

    def _where(self, where: Where) -> View:
        return where.model_dump() | {"point": self._labels.get(where.point_id)}

    def _parties(self, pair: Couple) -> list[View]:
        found = []
        for person in pair.people:
            row = self._companies.get(person)
            company = {k: row[k] if row else None for k in ("organization", "native_organization")}
            found.append({"participant_id": person, **company})
        return found

    def _reason(self, code: str) -> View:
        if code == "refused" and not self._in_full:
            code = "no_free_time"
        return {"code": code, **REASONS[code].model_dump()}
