"""A sharper bound: how few meetings must leave their slots for those that are lifted.

What leaves a slot frees one table there, and the time of its own people and interpreter; nothing
anywhere else. It goes to another slot, takes a table there, and wants its people free: where none
who leaves frees them, only so many can go from one slot to another. An integer program chooses all
that slot by slot, with as few as possible who leave. It counts those who leave instead of naming
them, which relaxes the problem: no repair does with fewer. Its answer, filled with names, often
is a repair, and then a best one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from services.matching.domain.repair.board import Board
from services.matching.domain.repair.pieces import Piece, bits

PIECES_MAX = 40
"""Above, the program takes longer than its answer is worth."""
SECONDS_MAX = 0.2


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is known of the fewest that leave."""

    count: int
    """No repair touches fewer besides those lifted."""
    slots: Mapping[Piece, int]
    """Where those that are lifted go in the program's best answer."""
    named: Sequence[Piece]
    """Who stands in their way there."""
    flows: Sequence[tuple[int, int]]
    """From which slot to which others go: once for each."""


NOTHING = Leaving(0, {}, (), ())


def leaving(board: Board, pending: Sequence[Piece], drops: int, seconds: float) -> Leaving:
    """Say how few must leave in a repair that drops so many; nothing where that takes too long."""
    if not board.is_simple or len(pending) > PIECES_MAX or seconds <= 0:
        return NOTHING
    program = _Program(board)
    for piece in pending:
        program.place(piece)
    program.limit(drops)
    return program.solved(min(seconds, SECONDS_MAX))


def away_from(board: Board, slot: int) -> list[tuple[Piece, int]]:
    """List who sits in a slot, with the other slots where both are there and hold nothing."""
    found = []
    for one in board.members(slot):
        people = board.taken(one.people[0]) | board.taken(one.people[1])
        found.append((one, board.reach(one) & ~people))
    return found


@dataclass
class _Slot:
    """What is chosen at one slot."""

    chosen: dict[Piece, cp_model.IntVar] = field(default_factory=dict)
    named: dict[Piece, cp_model.IntVar] = field(default_factory=dict)
    coming: list[cp_model.IntVar] = field(default_factory=list)
    blocked: list[cp_model.IntVar] = field(default_factory=list)
    """Of those, who come although one of them meets somebody else then."""
    released: cp_model.IntVar | None = None
    """How many stay with another interpreter."""


class _Program:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._model = cp_model.CpModel()
        self._slots: Mapping[int, _Slot] = defaultdict(_Slot)
        self._dropped: list[cp_model.IntVar] = []
        self._flows: dict[tuple[int, int], list[cp_model.IntVar]] = defaultdict(list)

    def place(self, piece: Piece) -> None:
        """Let a piece be somewhere, or be dropped."""
        dropped = self._model.new_bool_var("")
        self._dropped.append(dropped)
        where = [dropped]
        for number in bits(self._board.reach(piece)):
            chosen = self._slots[number].chosen[piece] = self._model.new_bool_var("")
            where.append(chosen)
            for person in piece.people:
                for one in self._board.holders(person, number):
                    self._model.add_implication(chosen, self._leaves(one, number))
        self._model.add_exactly_one(where)

    def limit(self, drops: int) -> None:
        """Let each person, interpreter and table be used once, and be freed by who leaves."""
        for number, slot in list(self._slots.items()):
            self._limit_people(slot)
            self._limit_helpers(number, slot)
        sources = [n for n in range(self._board.count) if self._board.members(n)]
        costs = [self._let_leave(number) for number in sources]
        gone = dict(zip(sources, costs, strict=True))
        for number, slot in self._slots.items():
            free = self._board.free_points[number].bit_count() + gone.get(number, 0)
            self._model.add(sum(slot.chosen.values()) + sum(slot.coming) <= free)
            self._model.add(sum(slot.blocked) <= 2 * gone.get(number, 0))
        self._model.add(sum(self._dropped) <= drops)
        released = [slot.released for slot in self._slots.values() if slot.released is not None]
        self._model.minimize(sum(costs) + sum(released))

    def solved(self, seconds: float) -> Leaving:
        """Solve it as far as time allows."""
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.max_time_in_seconds = seconds
        solver.parameters.random_seed = 1
        # The linear relaxation of these flows says nearly all; what else is tried takes longer.
        solver.parameters.linearization_level = 2
        solver.parameters.cp_model_probing_level = 0
        solver.parameters.symmetry_level = 0
        if solver.solve(self._model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return NOTHING
        return Leaving(
            # What is proven is a whole number, but for rounding.
            int(solver.best_objective_bound + 1 - 1e-6),
            {
                piece: number
                for number, slot in self._slots.items()
                for piece, chosen in slot.chosen.items()
                if solver.boolean_value(chosen)
            },
            [
                piece
                for slot in self._slots.values()
                for piece, named in slot.named.items()
                if solver.boolean_value(named)
            ],
            [
                flow
                for flow, counts in self._flows.items()
                for _ in range(sum(map(solver.value, counts)))
            ],
        )

    def _limit_people(self, slot: _Slot) -> None:
        of_person = defaultdict(list)
        for piece, chosen in slot.chosen.items():
            for person in piece.people:
                of_person[person].append(chosen)
        for choices in of_person.values():
            if len(choices) > 1:
                self._model.add_at_most_one(choices)

    def _limit_helpers(self, number: int, slot: _Slot) -> None:
        of_helpers = defaultdict(list)
        for piece, chosen in slot.chosen.items():
            if piece.helpers is not None:
                of_helpers[piece.helpers].append(chosen)
        for helpers, choices in of_helpers.items():
            free = sum(self._board.is_free(helper, number) for helper in helpers)
            if free < len(choices):
                holding = {h for helper in helpers for h in self._board.holders(helper, number)}
                freed = [self._leaves(one, number) for one in holding]
                if slot.released is None:
                    slot.released = self._model.new_int_var(0, len(choices), "")
                self._model.add(sum(choices) <= free + sum(freed) + slot.released)

    def _let_leave(self, number: int) -> cp_model.IntVar:
        """Let so many leave a slot: to another, or for good."""
        members = away_from(self._board, number)
        slot, most = self._slots[number], len(members)
        count = self._model.new_int_var(0, most, "")
        self._model.add(sum(slot.named.values()) <= count)
        dropped = self._model.new_int_var(0, most, "")
        self._dropped.append(dropped)
        easily, hardly = {}, {}
        for other in range(self._board.count):
            able = sum(mask >> other & 1 for _, mask in members)
            could = sum(self._board.reach(one) >> other & 1 for one, _ in members)
            if other == number or not could:
                continue
            easy = easily[other] = self._model.new_int_var(0, able, "")
            hard = hardly[other] = self._model.new_int_var(0, could, "")
            self._flows[number, other] += [easy, hard]
            self._slots[other].coming += [easy, hard]
            self._slots[other].blocked.append(hard)
        self._model.add(sum(easily.values()) + sum(hardly.values()) + dropped == count)
        for one, mask in members:
            if one in slot.named:
                ways = [var for other, var in easily.items() if mask >> other & 1]
                ways += [v for n, v in hardly.items() if self._board.reach(one) >> n & 1]
                self._model.add(slot.named[one] <= sum(ways) + dropped)
        return count

    def _leaves(self, one: Piece, number: int) -> cp_model.IntVar:
        named = self._slots[number].named
        if one not in named:
            named[one] = self._model.new_bool_var("")
        return named[one]
