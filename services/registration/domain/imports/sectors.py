"""Sectors as partners write them, and which of the mission's is probably meant."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from services.registration.domain.imports.mapping import IGNORED
from services.registration.domain.imports.synonyms import plain
from services.registration.domain.names import pinyin

SUGGESTIONS_MAX = 3
SCORE_MIN = 0.34
# What a part of another is worth: `Battery` of `Battery materials`.
PART = 0.75
CLEAR_MIN = 0.75
CLEAR_LEAD = 0.2
"""A suggestion is clear when it is so likely, and so much likelier than the next one."""

_BETWEEN = re.compile(r"[;；、|\n/]|,(?![^(（]*[)）])|，")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True)  # not slotted: what is known is made once
class Sectors:
    """A mission's sectors, by code with their names, and what values were said to mean."""

    names: Mapping[str, Mapping[str, str]]
    meant: Mapping[str, str] = field(default_factory=dict)
    """By plain value: the code, or `IGNORED` for what is left out."""

    @cached_property
    def _known(self) -> dict[str, str]:
        known = {plain(code): code for code in self.names}
        for code, names in self.names.items():
            known |= {plain(name): code for name in names.values()}
        codes = {*self.names, IGNORED}
        return known | {value: code for value, code in self.meant.items() if code in codes}

    def read(self, cell: str) -> tuple[list[str], list[str]]:
        """Give the codes of what a cell names, and the values that nobody knows."""
        if whole := self._known.get(plain(cell)):
            return [whole] if whole != IGNORED else [], []
        found: list[str] = []
        unknown: list[str] = []
        for part in _BETWEEN.split(cell):
            value = part.strip()
            if value:
                code = self._known.get(plain(value))
                (found if code else unknown).append(code or value)
        kept = (code for code in dict.fromkeys(found) if code != IGNORED)
        return list(kept), list(dict.fromkeys(unknown))

    def suggested(self, value: str) -> list[str]:
        """Give the codes that a value probably means, the likeliest first."""
        likely = [code for score, code in self._likely(value) if score >= SCORE_MIN]
        return likely[:SUGGESTIONS_MAX]

    def is_clear(self, value: str) -> bool:
        """Say whether the likeliest of them is what a value means, as far as can be told.

        A value that is a part of a sector's name means more than the sector: `new energy` is not
        only `new energy vehicles`.
        """
        (score, code), *others = [*self._likely(value), (0.0, "")]
        names = [plain(name) for name in self.names.get(code, {}).values()]
        is_wider = any(plain(value) in name and plain(value) != name for name in names)
        next_score = others[0][0] if others else 0.0
        return score >= CLEAR_MIN and score - next_score >= CLEAR_LEAD and not is_wider

    def _likely(self, value: str) -> list[tuple[float, str]]:
        scores = [
            (max(_likeness(value, name) for name in (*names.values(), code)), code)
            for code, names in self.names.items()
        ]
        return sorted(scores, key=lambda one: -one[0])


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
