"""What is kept of a repair: what happened, and what is proposed, by ids and revisions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.repair.day import Absence, Disturbance, Pair
from services.matching.domain.repair.proposal import Addition, Proposal
from shared.events.base import Bilingual, Facts

AwayKind = Literal["late", "leaves_early", "unavailable", "overrun"]
"""Why somebody is away is not asked: nobody's health is kept."""
Kind = Literal["late", "leaves_early", "unavailable", "point_lost", "overrun", "placement"]


class Away(Facts):
    """A person, an interpreter or a point cannot be used for a time; half-open."""

    resource_id: UUID
    starts_at: datetime
    ends_at: datetime
    kind: AwayKind


class Lost(Facts):
    """A point is out of use from a time on."""

    point_id: UUID
    closed_from: datetime


class Couple(Facts):
    """Two who are to meet."""

    delegate_id: UUID
    local_id: UUID

    @property
    def people(self) -> tuple[UUID, UUID]:
        """The two."""
        return self.delegate_id, self.local_id


class Happened(Facts):
    """What disturbed the day."""

    kind: Kind
    subject_id: UUID
    """The person, the interpreter, the point or the meeting that it is about."""
    absences: tuple[Away, ...] = ()
    closings: tuple[Lost, ...] = ()
    wanted: tuple[Couple, ...] = ()

    def everybody(self) -> Iterator[UUID]:
        """Give everybody and everything that it names."""
        yield self.subject_id
        yield from (one.resource_id for one in self.absences)
        for pair in self.wanted:
            yield from pair.people

    def disturbance(self, sessions: Mapping[UUID, frozenset[UUID]]) -> Disturbance:
        """Say it as the search wants it; `sessions`: where each person has a place."""
        return Disturbance(
            tuple(Absence(a.resource_id, a.starts_at, a.ends_at) for a in self.absences),
            tuple((one.point_id, one.closed_from) for one in self.closings),
            tuple(
                Pair(
                    one.delegate_id,
                    one.local_id,
                    sessions.get(one.delegate_id, frozenset())
                    & sessions.get(one.local_id, frozenset()),
                )
                for one in self.wanted
            ),
        )


class Where(Facts):
    """When and where a meeting is, and who interprets."""

    starts_at: datetime
    ends_at: datetime
    point_id: UUID
    interpreter_id: UUID | None = None

    @classmethod
    def of(cls, spot: Spot) -> "Where":
        """Write a spot down."""
        return cls(
            starts_at=spot.starts_at,
            ends_at=spot.ends_at,
            point_id=spot.point_id,
            interpreter_id=spot.interpreter_id,
        )

    @property
    def spot(self) -> Spot:
        """Give it as meetings have it."""
        return Spot(self.starts_at, self.ends_at, self.point_id, self.interpreter_id)


class Touched(Couple):
    """A meeting that goes elsewhere, or nowhere, decided on its revision."""

    meeting_id: UUID
    revision: int
    now: Where
    to: Where | None = None
    """None: it is dropped, or left for staff to decide."""
    reason: str = ""


class Added(Couple):
    """A new meeting."""

    session_id: UUID
    to: Where
    interpreter_needed: bool


class Unfitted(Couple):
    """Two for whom no place was found."""

    reason: str


class Record(Facts):
    """A proposal as it is kept."""

    touched: tuple[Touched, ...]
    left: tuple[Touched, ...]
    """What is disturbed and may not be touched."""
    additions: tuple[Added, ...]
    unfitted: tuple[Unfitted, ...]
    offers: tuple[Added, ...]
    people: tuple[UUID, ...]
    drops_proven: bool
    moves_proven: bool
    is_nearest: bool
    warnings: tuple[Bilingual, ...] = ()
    """What it would do against rules that its search does not know."""

    @classmethod
    def of(cls, proposal: Proposal) -> "Record":
        """Write a proposal down; moved and dropped meetings are in order of their time."""
        moves = [_touched(one.meeting, to=one.to) for one in proposal.moves]
        drops = [_touched(one.meeting, reason=one.code) for one in proposal.drops]
        return cls(
            touched=tuple(sorted([*moves, *drops], key=lambda t: (t.now.starts_at, t.meeting_id))),
            left=tuple(_touched(one.meeting, reason=one.code) for one in proposal.left),
            additions=tuple(map(_added, proposal.additions)),
            unfitted=tuple(
                Unfitted(delegate_id=pair.delegate_id, local_id=pair.local_id, reason=code)
                for pair, code in proposal.unfitted
            ),
            offers=tuple(map(_added, proposal.offers)),
            people=tuple(sorted(proposal.people)),
            drops_proven=proposal.drops_proven,
            moves_proven=proposal.moves_proven,
            is_nearest=proposal.is_nearest,
        )

    @property
    def moves(self) -> Sequence[Touched]:
        """List the meetings that go elsewhere."""
        return [one for one in self.touched if one.to is not None]

    @property
    def drops(self) -> Sequence[Touched]:
        """List the meetings that are cancelled."""
        return [one for one in self.touched if one.to is None]

    def is_light(self, meetings_max: int) -> bool:
        """Say whether it gives nothing up, leaves nothing open and moves no more than so many."""
        is_whole = not (self.drops or self.left or self.unfitted or self.warnings)
        return is_whole and len(self.touched) <= meetings_max

    def everybody(self) -> Iterator[UUID]:
        """Give every person and interpreter that it names, some more than once."""
        pairs: Sequence[Couple] = (
            *self.touched,
            *self.left,
            *self.additions,
            *self.unfitted,
            *self.offers,
        )
        for one in pairs:
            yield from one.people
        for spot in self._spots():
            if spot.interpreter_id:
                yield spot.interpreter_id

    def points(self) -> Iterator[UUID]:
        """Give every point that it names, some more than once."""
        for spot in self._spots():
            yield spot.point_id

    def _spots(self) -> Iterator[Where]:
        for touched in (*self.touched, *self.left):
            yield touched.now
            if touched.to:
                yield touched.to
        for added in (*self.additions, *self.offers):
            yield added.to


def _touched(meeting: Meeting, *, to: Spot | None = None, reason: str = "") -> Touched:
    return Touched(
        meeting_id=meeting.id,
        revision=meeting.revision,
        delegate_id=meeting.delegate_id,
        local_id=meeting.local_id,
        now=Where.of(meeting.spot),
        to=Where.of(to) if to else None,
        reason=reason,
    )


def _added(one: Addition) -> Added:
    return Added(
        delegate_id=one.pair.delegate_id,
        local_id=one.pair.local_id,
        session_id=one.session_id,
        to=Where.of(one.spot),
        interpreter_needed=one.interpreter_needed,
    )
