"""What is placed so far, and how one meeting more is: where it is free, or by a chain.

A chain is what two slots exchange so that nobody is in two places: a component of Kempe's (1879),
in the graph whose edges are the meetings.
"""

from collections.abc import Iterable, Sequence

from services.matching.domain.compact.layout import Layout, bits

NOWHERE = -1


class Filling:
    """The slots of the meetings, `NOWHERE` for those that wait."""

    def __init__(self, board: Layout) -> None:
        self.board = board
        self.slots = [NOWHERE] * len(board.people)
        self.every = (1 << len(board.tables)) - 1
        self.free = [self.every] * len(board.held)
        """The slots in which each participant has no meeting, as bits."""
        self.at = [[NOWHERE] * len(board.tables) for _ in board.held]
        """The meeting of each participant in each slot."""
        self.left = list(board.tables)
        """The tables left in each slot."""
        self.open = sum(1 << slot for slot, tables in enumerate(board.tables) if tables > 0)

    def put(self, meeting: int, slot: int) -> None:
        """Hold a meeting in a slot in which all who take part are free."""
        self.slots[meeting] = slot
        for person in self.board.people[meeting]:
            self.free[person] &= ~(1 << slot)
            self.at[person][slot] = meeting
        self.left[slot] -= 1
        if self.left[slot] <= 0:
            self.open &= ~(1 << slot)

    def lift(self, meeting: int) -> None:
        """Take a meeting out of its slot."""
        slot = self.slots[meeting]
        self.slots[meeting] = NOWHERE
        for person in self.board.people[meeting]:
            self.free[person] |= 1 << slot
            self.at[person][slot] = NOWHERE
        self.left[slot] += 1
        if self.left[slot] > 0:
            self.open |= 1 << slot

    def timely(self, meeting: int) -> int:
        """Give the slots that a meeting may have, in order with those before and after it."""
        mask = self.board.domains[meeting]
        for one in self.board.earlier.get(meeting, ()):
            mask &= -1 << (self.slots[one] + 1)
        for one in self.board.later.get(meeting, ()):
            if self.slots[one] != NOWHERE:
                mask &= (1 << self.slots[one]) - 1
        return mask

    def place(self, meeting: int) -> bool:
        """Hold a meeting beside others of its participants, then where most tables are left."""
        candidates = self.timely(meeting) & self.open
        people = self.board.people[meeting]
        for person in people:
            candidates &= self.free[person]
        if not candidates:
            return False
        for person in people:
            used = self.every & ~self.free[person]
            candidates = candidates & (used << 1 | used >> 1) or candidates
        self.put(meeting, max(bits(candidates), key=self.left.__getitem__))
        return True

    def chain(self, meeting: int) -> bool:
        """Hold a meeting in a slot that is made free by exchanging it for another one."""
        people = self.board.people[meeting]
        for slot in bits(self.timely(meeting)):
            busy = [one for one in people if not self.free[one] >> slot & 1]
            others = self.every & ~(1 << slot)
            for person in busy:
                others &= self.free[person]
            seeds = [self.at[person][slot] for person in busy]
            if seeds:
                tried = any(self._exchange(meeting, slot, other, seeds) for other in bits(others))
            else:
                tried = self._make_room(meeting, slot)
            if tried:
                return True
        return False

    def _make_room(self, meeting: int, slot: int) -> bool:
        """Send one meeting from a full slot to one with a table, for one that is free there."""
        here = [one for one, held in enumerate(self.slots) if held == slot]
        return any(
            self._exchange(meeting, slot, other, [one])
            for other in bits(self.open)
            for one in here[:ROOM_TRIES]
        )

    def _exchange(self, meeting: int, slot: int, other: int, seeds: Sequence[int]) -> bool:
        moved = self._component(seeds, slot, other)
        if moved is None:
            return False
        gained = sum(1 if self.slots[one] == other else -1 for one in moved)
        if self.left[slot] - gained < 1 or self.left[other] + gained < 0:
            return False
        before = [(one, self.slots[one]) for one in moved]
        self._move([(one, slot + other - was) for one, was in before])
        people = self.board.people[meeting]
        if (
            self.timely(meeting) >> slot & 1
            and all(self.free[person] >> slot & 1 for person in people)
            and all(self.timely(one) >> self.slots[one] & 1 for one in moved)
        ):
            self.put(meeting, slot)
            return True
        self._move(before)
        return False

    def _move(self, moves: Iterable[tuple[int, int]]) -> None:
        for one, _ in moves:
            self.lift(one)
        for one, slot in moves:
            self.put(one, slot)

    def _component(self, seeds: Sequence[int], slot: int, other: int) -> list[int] | None:
        """List the meetings that have to move along; None if one of them may not."""
        moved = list(dict.fromkeys(seeds))
        seen = set(moved)
        for one in moved:
            to = slot + other - self.slots[one]
            if not self.board.domains[one] >> to & 1:
                return None
            for person in self.board.people[one]:
                beside = self.at[person][to]
                if beside != NOWHERE and beside not in seen:
                    seen.add(beside)
                    moved.append(beside)
        return moved


ROOM_TRIES = 20
"""How many meetings of a full slot are asked to leave."""
