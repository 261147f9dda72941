"""How many participants must have a break because tables are few: windows packed into the slots.

Who meets whom is left aside, and who has as many meetings, in the same slots, counts as a number of
people of one kind. What is left is a few integers, and CP-SAT is done in hundredths of a second.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from ortools.sat.python import cp_model

from services.matching.domain.compact.bounds import starts
from services.matching.domain.compact.layout import Layout, bits

DETERMINISTIC_SECONDS_MAX = 1.0
"""In CP-SAT's own units; the bound known by then is taken."""


@dataclass(frozen=True)
class Kind:
    """What is asked of somebody's slots."""

    meetings: int
    possible: int
    """The slots in which one of the meetings can be, as bits."""
    windows: int
    """The slots from which all can follow one another, as bits."""
    needs: tuple[tuple[int, int], ...]
    """Sets of slots, as bits, and how many meetings can only be there."""


def packed(board: Layout) -> int | None:
    """Give how many have a break in any schedule, of those who could do without; None if none is.

    A bound: it may be that no schedule has so few.
    """
    kinds = Counter(_kind([board.domains[one] for one in held], board) for held in board.held)
    model: Any = cp_model.CpModel()
    busy: list[list[Any]] = [[] for _ in board.tables]
    broken = [
        count
        for kind, people in kinds.items()
        if (count := _place(model, busy, kind, people)) is not None
    ]
    largest = max((len(people) for people in board.people), default=0)
    for literals, tables in zip(busy, board.tables, strict=True):
        model.add(sum(literals) <= largest * tables)
    model.minimize(sum(broken))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    # To make the model smaller first takes three times as long as to solve it.
    solver.parameters.cp_model_presolve = False
    solver.parameters.max_deterministic_time = DETERMINISTIC_SECONDS_MAX
    if solver.solve(model) == cp_model.INFEASIBLE:
        return None
    return max(ceil(solver.best_objective_bound), 0)


def needs(domains: Sequence[int], slots: int) -> Iterator[tuple[int, int]]:
    """Give sets of early and of late slots, as bits, and how many meetings can only be there."""
    edges = {mask.bit_length() for mask in domains}
    edges |= {(mask & -mask).bit_length() - 1 for mask in domains}
    for cut in sorted(edges.intersection(range(1, slots))):
        for part in ((1 << cut) - 1, (1 << slots) - (1 << cut)):
            if least := sum(not mask & ~part for mask in domains):
                yield part, least


def _kind(domains: Sequence[int], board: Layout) -> Kind:
    possible = 0
    for mask in domains:
        possible |= mask
    found = starts(domains, board.slots)
    return Kind(len(domains), possible, found, tuple(needs(domains, board.slots)))


def _place(model: Any, busy: Sequence[list[Any]], kind: Kind, people: int) -> Any:
    """Have people of a kind busy, and give how many of them with a break; None if that is known."""
    if kind.possible.bit_count() <= kind.meetings:
        for slot in bits(kind.possible):
            busy[slot].append(people)
        return None
    broken: Any = people
    if kind.windows:
        broken = model.new_int_var(0, people, "")
        whole = {first: model.new_int_var(0, people, "") for first in bits(kind.windows)}
        model.add(sum(whole.values()) + broken == people)
        for first, count in whole.items():
            for slot in range(first, first + kind.meetings):
                busy[slot].append(count)
    used = {slot: model.new_int_var(0, people, "") for slot in bits(kind.possible)}
    for slot, count in used.items():
        busy[slot].append(count)
        model.add(count <= broken)
    model.add(sum(used.values()) == kind.meetings * broken)
    for part, least in kind.needs:
        model.add(sum(n for slot, n in used.items() if part >> slot & 1) >= least * broken)
    return broken if kind.windows else None
