"""At most, or at least, so many of some literals: totalizers (Bailleux and Boufkhad 2003).

What is true is counted, or what is false if that is fewer, and no further than the bound: where
hardly anything or nearly all may be true it takes a fifth of the clauses.
"""

from collections.abc import Sequence

from pysat.card import ITotalizer

Clauses = list[list[int]]


def at_most(literals: Sequence[int], bound: int, top: int) -> tuple[Clauses, int]:
    """Give clauses that allow so many of the literals, and the highest variable then."""
    without = len(literals) - bound
    if without <= 0:
        return [], top
    if without <= bound:
        return _counted([-one for one in literals], without, top)
    with ITotalizer(list(literals), ubound=bound, top_id=top) as counter:
        return [*counter.cnf.clauses, [-counter.rhs[bound]]], max(top, counter.top_id)


def at_least(literals: Sequence[int], bound: int, top: int) -> tuple[Clauses, int]:
    """Give clauses that want so many of the literals, and the highest variable then."""
    if bound > len(literals):
        return [[]], top
    return at_most([-one for one in literals], len(literals) - bound, top)


def _counted(literals: Sequence[int], wanted: int, top: int) -> tuple[Clauses, int]:
    """Want so many of the literals, without a number for more of them than that."""
    clauses: Clauses = []

    def sums(some: Sequence[int]) -> list[int]:
        """Give literals of which each needs that 1, 2, ... of some are true."""
        nonlocal top
        if len(some) == 1:
            return list(some)
        half = len(some) // 2
        left, right = sums(some[:half]), sums(some[half:])
        count = min(len(some), wanted)
        # Negative, for the solver tries false first: that so many are needed.
        found = [-one for one in range(top + 1, top + count + 1)]
        top += count
        for fewer in range(len(left) + 1):
            for others in range(min(len(right), count - 1 - fewer) + 1):
                # With no more on the left than `fewer`, more than `others` are on the right.
                either = [*left[fewer : fewer + 1], *right[others : others + 1]]
                clauses.append([-found[fewer + others], *either])
        return found

    clauses.append([sums(literals)[wanted - 1]])
    return clauses, top
