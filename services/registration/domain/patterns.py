r"""Patterns of answers: a small language with one meaning in Python and in the browser.

Characters, `[A-Z0-9]`, `\d`, `\w` and `.`, each with `?`, `*`, `+`, `{2}`, `{2,}` or `{2,4}`. No
groups: nothing that staff writes can make a match slow.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import TypedDict

ELEMENTS_MAX = 20
COUNT_MAX = 200


class Element(TypedDict):
    """One place of a pattern: which characters fit, by ranges of their numbers, and how often."""

    ranges: list[list[int]]
    min: int
    max: int


_DIGITS = [[48, 57]]
_KINDS = {
    "\\d": _DIGITS,
    "\\w": [*_DIGITS, [65, 90], [95, 95], [97, 122]],
    ".": [[32, 0x10FFFF]],
}
_ATOM = re.compile(
    r"\\d|\\w|\\[^A-Za-z0-9]|\.|\[(?:\\.|[^\]\\])+\]|[^\\\[\](){}|?*+^$.]", re.DOTALL
)
_TIMES = re.compile(r"[?*+]|\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_IN_CLASS = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)


def parsed(pattern: str) -> list[Element]:
    """Read a pattern; raises `ValueError` that says what is wrong with it."""
    elements: list[Element] = []
    at = 0
    while at < len(pattern):
        atom = _ATOM.match(pattern, at)
        if atom is None:
            raise ValueError(f"Character {at + 1} of the pattern is not understood.")
        low, high, at = _times(pattern, atom.end())
        elements.append(Element(ranges=_ranges(atom[0]), min=low, max=high))
    if len(elements) > ELEMENTS_MAX:
        raise ValueError(f"A pattern has {ELEMENTS_MAX} parts at most.")
    return elements


def _times(pattern: str, at: int) -> tuple[int, int, int]:
    found = _TIMES.match(pattern, at)
    if found is None:
        return 1, 1, at
    if found[1] is None:
        low, high = {"?": (0, 1), "*": (0, COUNT_MAX), "+": (1, COUNT_MAX)}[found[0]]
    else:
        low = int(found[1])
        high = int(found[3] or COUNT_MAX) if found[2] else low
    if not low <= high <= COUNT_MAX:
        raise ValueError(f"A part of a pattern is repeated {COUNT_MAX} times at most.")
    return low, high, found.end()


def _ranges(atom: str) -> list[list[int]]:
    if atom in _KINDS:
        return _KINDS[atom]
    if not atom.startswith("["):
        return [[ord(atom[-1])] * 2]
    if atom.startswith("[^"):
        raise ValueError("A pattern names the characters that fit, not those that do not.")
    ranges: list[list[int]] = []
    for first, last in _IN_CLASS.findall(atom[1:-1]):
        if first in _KINDS and first != "." and not last:
            ranges += _KINDS[first]
            continue
        pair = [ord(first[-1]), ord((last or first)[-1])]
        if pair[0] > pair[1]:
            raise ValueError(f"The range {first}-{last} of the pattern runs backwards.")
        ranges.append(pair)
    return ranges


def matches(elements: Sequence[Element], text: str) -> bool:
    """Say whether the whole text fits; takes as long as the text times the elements."""
    numbers = [ord(character) for character in text]
    places = [True, *(False for _ in numbers)]
    for element in elements:
        runs = _runs(element, numbers)
        # Where the reach of some place begins, and where it ends: the sum says what is reached.
        changes = [0] * (len(places) + 1)
        for start, is_place in enumerate(places):
            if is_place and runs[start] >= element["min"]:
                changes[start + element["min"]] += 1
                changes[start + min(runs[start], element["max"]) + 1] -= 1
        places = [number > 0 for number in accumulate(changes[:-1])]
    return places[-1]


def _runs(element: Element, numbers: Sequence[int]) -> list[int]:
    """Count from each place how many characters in a row fit."""
    fitting = {
        number
        for number in set(numbers)
        if any(low <= number <= high for low, high in element["ranges"])
    }
    runs = [0] * (len(numbers) + 1)
    for at in reversed(range(len(numbers))):
        runs[at] = runs[at + 1] + 1 if numbers[at] in fitting else 0
    return runs
