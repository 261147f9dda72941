"""Agendas: a timetable's meetings as the engine for few breaks takes them, where it can.

That engine knows people, slots and tables: it fits where slots follow one another on one day, and
no table is somebody's own. Where interpreters are few, each keeps the meetings he or she has, as a
third who takes part in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from services.matching.domain.compact.problem import Agenda, Meeting
from services.matching.domain.filling import Room, able
from services.matching.domain.problem import Placed, Problem
from services.matching.domain.waits import NIGHT


@dataclass(frozen=True, slots=True)
class Laid:
    """An agenda, whose meetings are the problem's candidates and then those that are fixed."""

    problem: Problem
    agenda: Agenda
    times: tuple[int, ...]
    """The problem's time of each slot."""
    helpers: tuple[UUID | None, ...] | None
    """Who helps each candidate; None where there are enough for whoever it is."""

    def room(self, slots: Sequence[int], overlapping: Sequence[frozenset[int]]) -> Room:
        """Give the timetable in which each candidate is held in its slot."""
        room = Room(self.problem, overlapping)
        candidates = self.problem.candidates
        for n in sorted(range(len(candidates)), key=lambda n: slots[n]):
            helper = self.helpers[n] if self.helpers else None
            kind = frozenset({helper}) if helper else None
            room.place(candidates[n], self.times[slots[n]], kind)
        return room


def laid(
    problem: Problem, overlapping: Sequence[frozenset[int]], placed: Sequence[Placed]
) -> Laid | None:
    """Give the agenda in which all candidates are held; None where the engine does not fit.

    `placed` are the same meetings as they are now.
    """
    order = sorted(range(len(problem.times)), key=lambda n: problem.times[n].starts_at)
    if not _is_plain(problem, overlapping, order):
        return None
    helpers = None
    if not _are_enough(problem):
        helper_of = {one.pair: one.interpreter_id for one in placed}
        helpers = tuple(helper_of[one.pair] for one in problem.candidates)
    thirds = [(helper,) if helper else () for helper in helpers or [None] * len(problem.candidates)]
    there = {one.id: frozenset(one.times) for one in problem.interpreters}
    slot_of = {time: slot for slot, time in enumerate(order)}
    number = {
        person: n
        for n, person in enumerate(
            dict.fromkeys(
                person
                for one, third in zip(problem.candidates, thirds, strict=True)
                for person in (*one.pair, *third)
            )
        )
    }
    meetings = [
        Meeting(
            tuple(number[person] for person in (*one.pair, *third)),
            frozenset(
                slot_of[time]
                for time in one.times
                if all(time in there[helper] for helper in third)
            ),
        )
        for one, third in zip(problem.candidates, thirds, strict=True)
    ]
    tables = [len(problem.times[time].points) for time in order]
    begins = {
        (problem.times[t].starts_at, problem.times[t].ends_at): slot for t, slot in slot_of.items()
    }
    for person, spans in problem.held.items():
        for span in spans if person in number else ():
            slot = begins.get((span.starts_at, span.ends_at))
            if slot is None:
                return None
            # It has a table of its own already.
            tables[slot] += 1
            meetings.append(Meeting((number[person],), frozenset({slot})))
    place = {one.pair: n for n, one in enumerate(problem.candidates)}
    before = [
        (place[first], place[second])
        for first, second in problem.precedences
        if first in place and second in place
    ]
    agenda = Agenda(tuple(meetings), tuple(tables), precedences=tuple(before))
    return Laid(problem, agenda, tuple(order), helpers)


def _is_plain(
    problem: Problem, overlapping: Sequence[frozenset[int]], order: Sequence[int]
) -> bool:
    """Say whether slots follow one another on one day, and points and rests are nobody's matter."""
    times = [problem.times[n] for n in order]
    return (
        all(len(around) == 1 for around in overlapping)
        and not problem.owners
        and problem.rest is None
        and all(later.starts_at - one.ends_at < NIGHT for one, later in pairwise(times))
    )


def _are_enough(problem: Problem) -> bool:
    """Say whether at each time there are interpreters for all who need one, whoever that is."""
    needing = [one for one in problem.candidates if one.needs_interpreter]
    spoken = list({one.languages: one for one in needing}.values())
    for time, at in enumerate(problem.times):
        most = min(len(at.points), sum(time in one.times for one in needing))
        fit = [{helper.id for helper in able(problem, one, time)} for one in spoken]
        if most and len(set.intersection(*fit)) < most:
            return False
    return True
