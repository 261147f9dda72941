"""Days to be disturbed: planted schedules in which nobody is twice, and what happens to them.

Two kinds of events, both made here: at a *fair* everybody may meet everybody and some are much in
demand; on a *mission* a small delegation has nearly every slot taken and many locals have a few.
Every idle slot of a person is one at which he or she is not there, with a chance of 8 %.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.options import Point
from services.matching.domain.repair.day import Absence, Day, Disturbance, Pair, Place

Kind = Literal["late", "overrun", "table_lost", "interpreter_ill"]
KINDS: Sequence[Kind] = ("late", "overrun", "table_lost", "interpreter_ill")
SLOTS = 20
SLOT = timedelta(minutes=25)
START = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)
AWAY_SHARE = 0.08
SPEAKS_BOTH_SHARE = 0.7
"""Locals who need no interpreter."""
WAITING = 100
SESSION, STOP = UUID(int=1), UUID(int=2)


@dataclass(frozen=True)
class Size:
    """How large an event is."""

    participants: int
    tables: int

    @property
    def meetings(self) -> int:
        """Four for each participant."""
        return 4 * self.participants


@dataclass(frozen=True)
class Event:
    """A planted day before anything happens."""

    delegates: Sequence[UUID]
    locals: Sequence[UUID]
    interpreters: Sequence[UUID]
    tables: Sequence[UUID]
    meetings: Sequence[Meeting]
    away: dict[UUID, list[tuple[datetime, datetime]]]
    languages: dict[UUID, frozenset[str]]
    waiting: Sequence[Pair]

    def day(self, slot: int) -> Day:
        """Give the day as it is shortly before a slot begins; earlier meetings are over."""
        at = starts_at(slot)
        points = tuple(Point(table, None) for table in self.tables)
        return Day(
            places=[
                Place(SESSION, starts_at(n), starts_at(n) + SLOT, points) for n in range(SLOTS)
            ],
            meetings=self.meetings,
            away=self.away,
            interpreters={one: frozenset({"en", "zh"}) for one in self.interpreters},
            languages=self.languages,
            refused=set(),
            waiting=self.waiting,
            movable_from=at,
        )

    def disturbed(self, kind: Kind, rng: random.Random) -> tuple[Day, Disturbance]:
        """Let something happen at a random time."""
        slot = rng.randrange(1, SLOTS - 1)
        at, end = starts_at(slot), starts_at(SLOTS)
        if kind == "late":
            person = rng.choice([*self.delegates, *self.locals])
            return self.day(slot), Disturbance((Absence(person, at, at + 2 * SLOT),))
        if kind == "overrun":
            one = rng.choice([m for m in self.meetings if m.spot.ends_at == at])
            held = tuple(Absence(resource, at, at + SLOT) for resource in one.resources)
            return self.day(slot), Disturbance(held)
        if kind == "table_lost":
            return self.day(slot), Disturbance(closings=((rng.choice(self.tables), at),))
        helper = rng.choice(self.interpreters)
        return self.day(slot), Disturbance((Absence(helper, at, end),))


def starts_at(slot: int) -> datetime:
    """Give when a slot begins, counted from 0."""
    return START + slot * SLOT


def fair(size: Size, rng: random.Random) -> Event:
    """Make a fair: two halves, and popularity that falls off."""
    half = size.participants // 2
    weights = [1 / (1 + n / 20) for n in range(half)]
    return _planted(size, (half, half), (weights, weights), rng)


def mission(size: Size, rng: random.Random) -> Event:
    """Make a mission: 22 % travel, and have up to 19 of 20 slots taken."""
    delegates = size.participants * 22 // 100
    here = size.participants - delegates
    return _planted(size, (delegates, here), ([1.0] * delegates, [1.0] * here), rng)


def _planted(
    size: Size,
    counts: tuple[int, int],
    weights: tuple[Sequence[float], Sequence[float]],
    rng: random.Random,
) -> Event:
    number = iter(range(100, 10_000_000))
    delegates, here = ([UUID(int=next(number)) for _ in range(count)] for count in counts)
    tables = [UUID(int=next(number)) for _ in range(size.tables)]
    helpers = [UUID(int=next(number)) for _ in range(size.meetings // SLOTS // 3 + 2)]
    both, one = frozenset({"en", "zh"}), frozenset({"zh"})
    languages = {person: frozenset({"en"}) for person in delegates}
    languages |= {p: both if rng.random() < SPEAKS_BOTH_SHARE else one for p in here}
    busy: dict[UUID, set[int]] = defaultdict(set)
    met: set[tuple[UUID, UUID]] = set()
    meetings: list[Meeting] = []
    for slot, count in enumerate(_filled(size, rng)):
        pairs = _pairs((delegates, here), weights, (count, met, busy), rng)
        free = list(helpers)
        seats = rng.sample(tables, len(pairs))
        for pair, table in zip(pairs, seats, strict=True):
            needs = not languages[pair[0]] & languages[pair[1]]
            if needs and not free:
                continue
            helper = free.pop(rng.randrange(len(free))) if needs else None
            met.add(pair)
            for person in pair:
                busy[person].add(slot)
            meetings.append(_meeting(next(number), pair, slot, table, helper))
    away = {
        person: [
            (starts_at(slot), starts_at(slot) + SLOT)
            for slot in range(SLOTS)
            if slot not in busy[person] and rng.random() < AWAY_SHARE
        ]
        for person in (*delegates, *here)
    }
    waiting = _waiting(delegates, here, met, rng)
    return Event(delegates, here, helpers, tables, meetings, away, languages, waiting)


def _filled(size: Size, rng: random.Random) -> list[int]:
    """Say how many tables each slot uses: those that stay idle are thrown at random slots."""
    counts = [size.tables] * SLOTS
    for _ in range(size.tables * SLOTS - size.meetings):
        counts[rng.randrange(SLOTS)] -= 1
    return counts


def _pairs(
    sides: tuple[Sequence[UUID], Sequence[UUID]],
    weights: tuple[Sequence[float], Sequence[float]],
    state: tuple[int, set[tuple[UUID, UUID]], dict[UUID, set[int]]],
    rng: random.Random,
) -> list[tuple[UUID, UUID]]:
    """Pair people for one slot: who is drawn first, with somebody not met yet."""
    count, met, busy = state
    left, right = (
        _drawn([(p, w) for p, w in zip(side, ws, strict=True) if len(busy[p]) < SLOTS - 1], rng)
        for side, ws in zip(sides, weights, strict=True)
    )
    found: list[tuple[UUID, UUID]] = []
    for person in left:
        if len(found) == count:
            break
        for place, other in enumerate(right):
            if (person, other) not in met:
                found.append((person, other))
                del right[place]
                break
    return found


def _drawn(weighted: Sequence[tuple[UUID, float]], rng: random.Random) -> list[UUID]:
    """Order people at random, by weight (Efraimidis and Spirakis, 2006)."""
    keys = {person: rng.random() ** (1 / weight) for person, weight in weighted}
    return sorted(keys, key=lambda person: -keys[person])


def _meeting(
    number: int, pair: tuple[UUID, UUID], slot: int, table: UUID, helper: UUID | None
) -> Meeting:
    at = starts_at(slot)
    return Meeting(
        id=UUID(int=number),
        stop_id=STOP,
        mission_id=STOP,
        session_id=SESSION,
        delegate_id=pair[0],
        local_id=pair[1],
        spot=Spot(at, at + SLOT, table, helper),
        interpreter_needed=helper is not None,
        schedule_number=1,
    )


def _waiting(
    delegates: Sequence[UUID],
    here: Sequence[UUID],
    met: set[tuple[UUID, UUID]],
    rng: random.Random,
) -> list[Pair]:
    drawn = {(rng.choice(delegates), rng.choice(here)) for _ in range(WAITING)}
    return [Pair(*pair, frozenset({SESSION})) for pair in sorted(drawn - met)]
