"""Announcing: what staff writes to many people of a stop, and to whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.events.base import Bilingual, Side

NOBODY = UUID(int=0)
"""Stands in a meeting for somebody who was erased."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """Some words in both languages, for everybody of a stop, a side of it or a company."""

    id: UUID
    mission_id: UUID
    stop_id: UUID
    subject: Bilingual
    body: Bilingual
    side: Side | None = None
    organization: str | None = None
    """A part of its name, in either script."""


def audience(meetings: Iterable[Mapping[str, Any]], one: Announcement) -> set[UUID]:
    """Say who hears an announcement: everybody with a meeting, whom it is for.

    Interpreters are of no side and no company: they hear what is for all.
    """
    found = set()
    for meeting in meetings:
        found |= {
            UUID(party["participant_id"]) for party in meeting["parties"] if _is_for(party, one)
        }
        if meeting["interpreter_id"] and one.side is None and one.organization is None:
            found.add(UUID(meeting["interpreter_id"]))
    return found - {NOBODY}


def _is_for(party: Mapping[str, Any], one: Announcement) -> bool:
    if one.side is not None and party["side"] != one.side:
        return False
    if one.organization is None:
        return True
    names = (party["organization"], party["native_organization"] or "")
    return any(one.organization.casefold() in name.casefold() for name in names)
