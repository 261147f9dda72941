from itertools import product

import pytest

from services.matching.domain.compact.cores import Solver
from services.matching.domain.compact.counting import at_least, at_most

MANY = 6
CASES = [(count, bound) for count in range(1, MANY + 1) for bound in range(count + 2)]


def satisfied(clauses: list[list[int]], count: int) -> set[tuple[int, ...]]:
    """Give the values, as literals, that the first variables can have."""
    signs = product((1, -1), repeat=count)
    tried = [tuple(sign * n for n, sign in enumerate(some, 1)) for some in signs]
    with Solver(clauses) as solver:
        return {literals for literals in tried if solver.ask(literals)}


def true(literals: tuple[int, ...]) -> int:
    return sum(one > 0 for one in literals)


@pytest.mark.parametrize(("count", "bound"), CASES)
def test_at_most_so_many_are_true_and_any_so_many_can_be(count: int, bound: int) -> None:
    clauses, top = at_most(range(1, count + 1), bound, count)

    every = satisfied([], count)
    assert satisfied(clauses, count) == {one for one in every if true(one) <= bound}
    assert top == max([count, *(abs(one) for clause in clauses for one in clause)])


@pytest.mark.parametrize(("count", "bound"), CASES)
def test_at_least_so_many_are_true_and_any_so_many_can_be(count: int, bound: int) -> None:
    clauses, top = at_least(range(1, count + 1), bound, count)

    every = satisfied([], count)
    assert satisfied(clauses, count) == {one for one in every if true(one) >= bound}
    assert top == max([count, *(abs(one) for clause in clauses for one in clause)])


@pytest.mark.parametrize("bound", [2, 28])
def test_few_clauses_count_where_nearly_none_or_nearly_all_may_be_true(bound: int) -> None:
    clauses, _ = at_most(range(1, 31), bound, 30)
    in_the_middle, _ = at_most(range(1, 31), 15, 30)

    assert len(clauses) < len(in_the_middle) / 2
