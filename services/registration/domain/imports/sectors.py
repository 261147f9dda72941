"""Sectors as partners write them, and which of the mission's is probably meant."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from services.registration.domain.imports.synonyms import plain
from services.registration.domain.names import pinyin

SUGGESTIONS_MAX = 3
SCORE_MIN = 0.34
# What a part of another is worth: `Battery` of `Battery materials`.
PART = 0.75

_BETWEEN = re.compile(r"[;；、|\n/]|,(?![^(（]*[)）])|，")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True)  # not slotted: what is known is made once
class Sectors:
    """A mission's sectors, by code with their names, and what values were said to mean."""

    names: Mapping[str, Mapping[str, str]]
    meant: Mapping[str, str] = field(default_factory=dict)
    """By plain value: the code."""

    @cached_property
    def _known(self) -> dict[str, str]:
        known = {plain(code): code for code in self.names}
        for code, names in self.names.items():
            known |= {plain(name): code for name in names.values()}
        return known | {value: code for value, code in self.meant.items() if code in self.names}

    def read(self, cell: str) -> tuple[list[str], list[str]]:
        """Give the codes of what a cell names, and the values that nobody knows."""
        if whole := self._known.get(plain(cell)):
            return [whole], []
        found: list[str] = []
        unknown: list[str] = []
        for part in _BETWEEN.split(cell):
            value = part.strip()
            if value:
                code = self._known.get(plain(value))
                (found if code else unknown).append(code or value)
        return list(dict.fromkeys(found)), list(dict.fromkeys(unknown))

    def suggested(self, value: str) -> list[str]:
        """Give the codes that a value probably means, the likeliest first."""
        scores = {
            code: max(_likeness(value, name) for name in (*names.values(), code))
            for code, names in self.names.items()
        }
        likely = sorted(scores, key=lambda code: -scores[code])
        return [code for code in likely if scores[code] >= SCORE_MIN][:SUGGESTIONS_MAX]


@lru_cache(maxsize=8_192)
def _likeness(one: str, other: str) -> float:
    """Say how alike two short names are, from 0 to 1: by letters, by parts, and by sound."""
    mine, theirs = plain(one), plain(other)
    if not mine or not theirs or bool(_HAN.search(mine)) != bool(_HAN.search(theirs)):
        return 0.0
    score = SequenceMatcher(None, mine, theirs, autojunk=False).ratio()
    if mine in theirs or theirs in mine:
        score = max(score, PART)
    if _HAN.search(mine):
        # 锂电 and 动力电池 share a character each with their neighbours, and nothing in order.
        shared = _pairs(mine) & _pairs(theirs)
        score = max(score, PART * len(shared) / max(1, min(len(_pairs(mine)), len(_pairs(theirs)))))
        if pinyin(mine) == pinyin(theirs):
            score = 1.0
    return score


def _pairs(text: str) -> set[str]:
    letters: Sequence[str] = text.replace(" ", "")
    return {"".join(letters[place : place + 2]) for place in range(len(letters) - 1)} or set(
        letters
    )
