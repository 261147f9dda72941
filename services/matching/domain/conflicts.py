"""Conflicts: which wishes that come first, or guaranteed minima, cannot all be kept, and why.

A pigeonhole tells at once; otherwise a set is named from which nothing can be left out: without any
one of them the others could be kept (deletion, as in Bakker and others, 1993).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ortools.sat.python import cp_model

from services.matching.domain.compact.layout import mask_of
from services.matching.domain.compact.windows import crowded
from services.matching.domain.problem import Conflict, Problem, Quota
from services.matching.domain.timetable_model import Model
from shared.events.base import Bilingual

CONFLICTS_MAX = 5
ASKED_SECONDS_MAX = 1.0
SPARE = 1_000
"""More points than any slot can use."""

_SETS = Bilingual(
    en="These cannot all be kept: {lack}. Without any one of them the others could.",
    zh="以下要求无法同时满足：{lack}。去掉其中任何一项，其余即可满足。",
)
_ALONE = Bilingual(en="This cannot be kept: {lack}.", zh="该项要求无法满足：{lack}。")
_LACKS = {
    "slots": (
        "there are too few slots in which those concerned are free",
        "各方共同空闲的时段不足",
    ),
    "interpreters": ("there are too few interpreters for their languages", "所需语种的翻译不足"),
    "points": ("there are too few tables in those slots", "相应时段的洽谈桌不足"),
    "ways": ("the way between the venues takes too long", "场地之间的路程时间过长"),
    "rest": ("the interpreters would have no rest", "翻译将没有休息时间"),
    "orders": ("one meeting has to be before another", "洽谈有先后顺序要求"),
    "quotas": ("somebody has the most meetings one can have", "有参会者的洽谈场次已达上限"),
    "companies": ("a company is met by one person once", "同一企业只安排洽谈一次"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a problem's musts, by place, and whose minima are to be kept together."""

    musts: tuple[int, ...]
    people: tuple[UUID, ...]

    @property
    def size(self) -> int:
        """Count them."""
        return len(self.musts) + len(self.people)

    def without_each(self) -> Iterator["Wanted"]:
        """Give what is left when one of them is left out, each in turn."""
        for place in range(len(self.musts)):
            yield replace(self, musts=self.musts[:place] + self.musts[place + 1 :])
        for place in range(len(self.people)):
            yield replace(self, people=self.people[:place] + self.people[place + 1 :])


def conflicts(problem: Problem, is_in_time: Callable[[], bool]) -> list[Conflict]:
    """Name sets that cannot be kept together, `CONFLICTS_MAX` at most; none if all can be kept.

    Where `is_in_time` says no, what was found so far is given.
    """
    owed = tuple(sorted(one for one in problem.quotas if problem.owed(one)))
    wanted = Wanted(tuple(range(len(problem.musts))), owed)
    found: list[Conflict] = []
    for few in _crowded(problem):
        found.append(_said(problem, few, "slots"))
        wanted = replace(wanted, musts=tuple(m for m in wanted.musts if m != few.musts[0]))
    while len(found) < CONFLICTS_MAX and is_in_time():
        if (core := _core(problem, wanted, is_in_time)) is None:
            break
        found.append(_said(problem, core, _lack(problem, core)))
        wanted = Wanted(
            tuple(m for m in wanted.musts if m not in core.musts[:1]),
            tuple(p for p in wanted.people if core.musts or p not in core.people[:1]),
        )
    return found[:CONFLICTS_MAX]


def _crowded(problem: Problem) -> Iterator[Wanted]:
    """Find people with more meetings that must be than slots for them: no search is needed."""
    times = {c.pair: frozenset(c.times) for c in problem.candidates}
    by_person: dict[UUID, list[int]] = {}
    for place, pairs in enumerate(problem.musts):
        if len(pairs) == 1 and pairs[0] in times:
            for person in pairs[0]:
                by_person.setdefault(person, []).append(place)
    told: set[int] = set()
    for places in by_person.values():
        left = [place for place in places if place not in told]
        few = crowded([mask_of(times[problem.musts[place][0]]) for place in left])
        if few is not None:
            told.add(left[few[0]])
            yield Wanted(tuple(left[one] for one in few), ())


def _core(problem: Problem, wanted: Wanted, is_in_time: Callable[[], bool]) -> Wanted | None:
    """Give a set from which nothing can be left out; None if all can be kept, or time is up."""
    if _is_possible(problem, wanted) is not False:
        return None
    is_smaller = True
    while is_smaller and is_in_time():
        is_smaller = False
        for less in wanted.without_each():
            if is_in_time() and _is_possible(problem, less) is False:
                wanted, is_smaller = less, True
                break
    return None if is_smaller else wanted


def _lack(problem: Problem, core: Wanted) -> str:
    """Say of what there is too little: with more of it the set could be kept."""
    for code, more in _more(problem):
        if _is_possible(more, core):
            return code
    return "slots"


def _more(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Give the problem with plenty of one thing at a time."""
    spare = tuple(UUID(int=n) for n in range(SPARE))
    candidates, times = problem.candidates, problem.times
    everybody = {person for one in candidates for person in one.pair}
    free = {p: Quota(minimum=problem.quotas.get(p, Quota()).minimum) for p in everybody}
    understood = tuple(c.model_copy(update={"languages": (("en",), ("en",))}) for c in candidates)
    again = tuple(c.model_copy(update={"again": True}) for c in candidates)
    roomy = tuple(
        t.model_copy(update={"points": (*t.points, *spare[: len(candidates)])}) for t in times
    )
    changes: Sequence[tuple[str, dict[str, Any]]] = (
        ("orders", {"precedences": ()}),
        ("rest", {"rest": None}),
        ("ways", {"travel_minutes": {}}),
        ("companies", {"candidates": again}),
        ("quotas", {"quotas": free}),
        ("interpreters", {"candidates": understood}),
        ("points", {"times": roomy, "owners": {}}),
    )
    for code, change in changes:
        yield code, problem.model_copy(update=change)


def _is_possible(problem: Problem, wanted: Wanted) -> bool | None:
    """Say whether some timetable keeps all that is wanted; None if time did not tell."""
    if not wanted.people:
        pairs = {pair for place in wanted.musts for pair in problem.musts[place]}
        less = tuple(c for c in problem.candidates if c.pair in pairs)
        problem = problem.model_copy(update={"candidates": less})
    model = Model(problem, problem.overlapping())
    for place in wanted.musts:
        model.model.add(model.musts[place] == 1)
    for person in wanted.people:
        held = [v for pair, found in model.of_pair.items() if person in pair for _, v in found]
        model.model.add(sum(held) >= problem.owed(person))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = ASKED_SECONDS_MAX
    status = solver.solve(model.model)
    if status == cp_model.UNKNOWN:
        return None
    return bool(status in (cp_model.OPTIMAL, cp_model.FEASIBLE))


def _said(problem: Problem, core: Wanted, code: str) -> Conflict:
    lack = Bilingual(en=_LACKS[code][0], zh=_LACKS[code][1])
    words = _SETS if core.size > 1 else _ALONE
    return Conflict(
        code=code,
        pairs=tuple(problem.musts[place][0] for place in core.musts),
        people=core.people,
        reason=Bilingual(en=words.en.format(lack=lack.en), zh=words.zh.format(lack=lack.zh)),
    )
