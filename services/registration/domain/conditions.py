"""Conditions: on what earlier answers and facts it hangs whether a question is shown.

Written as data, so that the browser reads the same: `{"all": […]}`, `{"any": […]}`, `{"not": …}`,
and `{"question": "diet", "is": "other"}` with `is`, `in`, `answered`, `at_least` or `at_most`. In
the place of `question` may stand `fact`: `side`, `country`, `items` (ids) or `kinds` of items.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from shared.events.base import ItemKind, Side

Condition = Mapping[str, Any]
Values = Sequence[object]
Lookup = Callable[[str, str], Values]
"""Gives the values of a question or fact; none where it is not answered."""

DEPTH_MAX = 5
PARTS_MAX = 20
VALUES_MAX = 50
TESTS = ("is", "in", "answered", "at_least", "at_most")
FACTS: Mapping[str, tuple[str, ...]] = {
    "side": get_args(Side),
    "country": (),
    "items": (),
    "kinds": get_args(ItemKind),
}
"""The facts there are, and their values where these are known beforehand."""


def holds(condition: Condition, look_up: Lookup) -> bool:
    """Say whether a condition holds; what is not answered is, has and reaches nothing."""
    match condition:
        case {"all": parts}:
            return all(holds(part, look_up) for part in parts)
        case {"any": parts}:
            return any(holds(part, look_up) for part in parts)
        case {"not": part}:
            return not holds(part, look_up)
        case _:
            subject, test = ("question" if "question" in condition else "fact"), _test(condition)
            return _passes(test, look_up(subject, condition[subject]), condition[test])


def _passes(test: str, values: Values, wanted: Any) -> bool:
    numbers = [value for value in values if isinstance(value, (int, float))]
    match test:
        case "is":
            return wanted in tuple(values)
        case "in":
            return any(value in wanted for value in values)
        case "answered":
            return bool(values) is wanted
        case "at_least":
            return any(bool(value >= wanted) for value in numbers)
        case _:
            return any(bool(value <= wanted) for value in numbers)


def questions_in(condition: Condition | None) -> Iterator[str]:
    """List the questions that a condition looks at."""
    for leaf in leaves(condition):
        if "question" in leaf:
            yield leaf["question"]


def leaves(condition: Condition | None) -> Iterator[Condition]:
    """List the tests of which a condition is made."""
    match condition:
        case None:
            return
        case {"all": parts} | {"any": parts}:
            for part in parts:
                yield from leaves(part)
        case {"not": part}:
            yield from leaves(part)
        case _:
            yield condition


def shape_fault(condition: object, depth: int = 1) -> str | None:
    """Say what is wrong with the form of a condition, before anybody looks at its names."""
    if depth > DEPTH_MAX:
        return f"A condition is {DEPTH_MAX} levels deep at most."
    match condition:
        case {"all": list(parts), **rest} | {"any": list(parts), **rest} if not rest:
            if not 1 <= len(parts) <= PARTS_MAX:
                return f"`all` and `any` hold 1 to {PARTS_MAX} conditions."
            return next(filter(None, (shape_fault(part, depth + 1) for part in parts)), None)
        case {"not": part, **rest} if not rest:
            return shape_fault(part, depth + 1)
        case {"question": str(), **rest} | {"fact": str(), **rest} if len(rest) == 1:
            ((test, wanted),) = rest.items()
            return _test_fault(str(test), wanted)
        case _:
            return "A condition is all, any or not; or a question or fact with one test of it."


def _test_fault(test: str, wanted: object) -> str | None:
    is_number = isinstance(wanted, (int, float)) and not isinstance(wanted, bool)
    fits = {
        "is": is_number or isinstance(wanted, str),
        "in": isinstance(wanted, list)
        and 1 <= len(wanted) <= VALUES_MAX
        and all(isinstance(v, (str, int, float)) and not isinstance(v, bool) for v in wanted),
        "answered": isinstance(wanted, bool),
        "at_least": is_number,
        "at_most": is_number,
    }
    if test not in fits:
        return f"The tests are {', '.join(TESTS)}."
    return None if fits[test] else f"The value of `{test}` is of the wrong kind."


def fact_fault(leaf: Condition) -> str | None:
    """Say what is wrong with a test of a fact."""
    name, test = leaf["fact"], _test(leaf)
    if name not in FACTS:
        return f"The facts are {', '.join(FACTS)}."
    if test not in ("is", "in"):
        return "A fact is tested by `is` or `in`."
    wanted = leaf[test] if test == "in" else [leaf[test]]
    if any(not isinstance(value, str) for value in wanted):
        return "The values of facts are texts."
    odd = [value for value in wanted if FACTS[name] and value not in FACTS[name]]
    return f"`{name}` is never {odd[0]}." if odd else None


def cycle(needs: Mapping[str, Sequence[str]]) -> str | None:
    """Find a question that hangs on itself in the end; `needs`: what each one looks at."""
    done: set[str] = set()

    def visit(code: str, above: frozenset[str]) -> str | None:
        if code in above:
            return code
        if code in done:
            return None
        found = next(
            filter(None, (visit(need, above | {code}) for need in needs.get(code, ()))), None
        )
        done.add(code)
        return found

    return next(filter(None, (visit(code, frozenset()) for code in needs)), None)


def _test(leaf: Condition) -> str:
    return next(name for name in leaf if name in TESTS)
