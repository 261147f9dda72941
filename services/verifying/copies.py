"""Copies: what one service knows of another's facts, compared with those facts.

A copy is late by what is on its way. So what differs is asked again, and counts only when it
differs in the same way each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.notify.store import meetings
from services.notify.store.live import Live
from services.verifying.questions import Finding, Violation
from shared.postgres import Connection

State = Mapping[str, str]
"""What there is, by what it is about."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Facts of one service, and how another has them: two queries for `subject` and `state`."""

    promise: str
    origin: str
    origin_query: str
    holder: str
    holder_query: str

    @property
    def where(self) -> str:
        """Both services."""
        return f"{self.origin} -> {self.holder}"


PLACES = Copy(
    promise="Matching knows who has a place, and who came",
    origin="registration",
    origin_query="""
        SELECT format('person %s, programme item %s', person_id, programme_item_id) AS subject,
            CASE WHEN checked_in_at IS NULL THEN 'has a place' ELSE 'has a place, and came' END
                AS state
        FROM registration WHERE status = 'confirmed'
    """,
    holder="matching",
    holder_query="""
        SELECT format('person %s, programme item %s', participant_id, programme_item_id) AS subject,
            CASE WHEN checked_in_at IS NULL THEN 'has a place' ELSE 'has a place, and came' END
                AS state
        FROM participation WHERE is_confirmed
    """,
)

MEETINGS = Copy(
    promise="Everybody is told of meetings as they are",
    origin="matching",
    origin_query="SELECT 'meeting ' || id AS subject, "
    "format('revision %s, %s', revision, state) AS state FROM meeting",
    holder="notify",
    holder_query="SELECT 'meeting ' || meeting_id AS subject, "
    "format('revision %s, %s', revision, state) AS state FROM live_meeting",
)

COPIES = (PLACES, MEETINGS)

LIVE_PROMISE = "Live pages show meetings as they are"
NOTHING = "nothing"


def differences(wanted: State, held: State) -> list[Violation]:
    """Say where what is held is not what is wanted."""
    pairs = [
        (subject, wanted.get(subject, NOTHING), held.get(subject, NOTHING))
        for subject in sorted({*wanted, *held})
    ]
    return [
        Violation(subject, f"is: {fact}; known is: {copy}")
        for subject, fact, copy in pairs
        if fact != copy
    ]


async def compare(copy: Copy, databases: Mapping[str, Connection]) -> Finding:
    """Compare a copy with what it is of. The holder is read first: it cannot be ahead then."""
    held = await _state(databases[copy.holder], copy.holder_query)
    wanted = await _state(databases[copy.origin], copy.origin_query)
    return Finding(copy.where, copy.promise, len(wanted), differences(wanted, held))


async def compare_live(notify: Connection, live: Live) -> Finding:
    """Compare Redis with notify's database. A stop without an epoch is filled when it is read."""
    stops = await notify.fetch("SELECT DISTINCT stop_id FROM live_meeting ORDER BY stop_id")
    held: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for stop in stops:
        epoch, revisions = await live.revisions(stop["stop_id"])
        if epoch:
            held |= _by_meeting(revisions)
            wanted |= _by_meeting(await meetings.revisions(notify, stop["stop_id"]))
    return Finding("notify -> Redis", LIVE_PROMISE, len(wanted), differences(wanted, held))


def _by_meeting(revisions: Mapping[UUID, int]) -> dict[str, str]:
    return {f"meeting {meeting}": f"revision {number}" for meeting, number in revisions.items()}


async def _state(connection: Connection, query: str) -> dict[str, str]:
    return {row["subject"]: row["state"] for row in await connection.fetch(query)}
