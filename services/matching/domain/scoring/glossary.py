"""Everyday words of trade in both languages, each with the sense that both share.

A lexicon names what companies deal in; strangers write of kelp, kilns and dye houses. A sense is
the same whichever language its word is in, and so brings a text near to terms of the other one.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

GLOSSARY = Path(__file__).with_name("glossary.toml")

_ENDINGS = re.compile(r"(?:ing|ed|er|or|e|y)$")
_ROOT_MIN = 3
_NEVER_DOUBLED = "wxy"
_LOOK_ALIKE = (
    "angler bladder bonding buggy capacitor carry center collector corner counter coupling "
    "customer drawer earring feeder flower hanger parking planter reducer sewer shower silicone "
    "sleeper spine sticker stopper stroller tailing tailor thinning tower training winding"
)
"""They look like a form of another word, and mean something else."""
_APART = frozenset(_LOOK_ALIKE.split())
_MARK = "="
_SINGLE = 0.6
"""A single Chinese character means much else besides."""


def root(word: str) -> str:
    """Cut a word to what its forms share: `dryer` and `drying`, `welder` and `welded`.

    What is left of `rating` is `rate`, as of `baking` it is `bake`: neither has to do with rats.
    """
    if word in _APART:
        return word
    cut = _ENDINGS.sub("", word)
    if len(cut) > _ROOT_MIN and cut[-1] == cut[-2] != "s":
        return cut[:-1]
    if len(cut) < _ROOT_MIN:
        return word
    if len(cut) == _ROOT_MIN and cut != word and cut[-1] not in _NEVER_DOUBLED:
        return word if word[-1] in "ey" else cut + "e"
    return cut


def is_sense(gram: str) -> bool:
    """Say whether a piece of a text is a sense rather than written there."""
    return gram[0] == _MARK


def of_english(word: str) -> tuple[str, ...]:
    """Give the senses of a word that is no plural."""
    return _known()[0].get(root(word), ())


def of_chinese(run: str) -> Iterator[tuple[str, float]]:
    """Give the senses in a run of characters, the longest words first, each with its weight."""
    _, senses, longest = _known()
    place = 0
    while place < len(run):
        for length in range(min(longest, len(run) - place), 0, -1):
            if found := senses.get(run[place : place + length]):
                weight = 1.0 if length > 1 else _SINGLE
                yield from ((sense, weight) for sense in found)
                place += length
                break
        else:
            place += 1


@cache
def _known() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]], int]:
    english: dict[str, tuple[str, ...]] = {}
    chinese: dict[str, tuple[str, ...]] = {}
    for section in tomllib.loads(GLOSSARY.read_text()).values():
        for en, zh in section.items():
            sense = _MARK + en.split()[0]
            for word in {root(word) for word in en.split()}:
                english[word] = (*english.get(word, ()), sense)
            for word in zh.split():
                chinese[word] = (*chinese.get(word, ()), sense)
    return english, chinese, max(map(len, chinese))
