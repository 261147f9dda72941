"""Scores: how well two companies fit, and why, in both languages.

A pair's score is 0 to 1000. What one side offers is held against what the other needs, by sector
and by text: TF-IDF over English words and over pairs of Chinese characters (Salton and Buckley,
1988; overlapping bigrams stand in for word segmentation, as in Lucene's CJKBigramFilter).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from shared.events.base import Bilingual, Side
from shared.events.registration import Listing

SECTOR_MATCH = 300
TEXT_MATCH = 450
SHARED_SECTOR = 100
SHARED_LANGUAGE = 50
SIMILARITY_WORTH_SAYING = 0.12

_WORD = re.compile(r"[a-z][a-z0-9-]{2,}")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_STOP_WORDS = frozenset(
    {"the", "and", "for", "with", "from", "that", "this", "our", "are", "your", "into", "per"}
    | {"can", "has", "have", "its", "not", "who", "one", "two", "any", "all", "year", "new"}
    | {"more", "than", "looking", "partner", "partners", "company", "china", "chinese"}
)

Vector = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Profile:
    """A participant as scores see it: no name, company facts alone."""

    id: UUID
    side: Side
    organization: str
    native_organization: str | None
    sectors: frozenset[str]
    languages: frozenset[str]
    listings: tuple[Listing, ...]
    partner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a pair fits: a stable code, and the sentence in both languages."""

    code: str
    text: Bilingual


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A scored pair as one of the two sees it."""

    participant_id: UUID
    counterpart_id: UUID
    score: int
    reasons: tuple[Reason, ...]
    needs_interpreter: bool


class Scorer:
    """Scores pairs among the people of one stop: rare words there weigh more than common ones."""

    def __init__(self, people: Iterable[Profile], sectors: Mapping[str, Bilingual]) -> None:
        self._sectors = sectors
        documents = Counter[str]()
        texts = {listing.text for person in people for listing in person.listings}
        for text in texts:
            documents.update(set(terms(text)))
        self._documents = documents
        self._count = max(1, len(texts))
        self._vectors: dict[Bilingual, Vector] = {}

    def score(self, one: Profile, other: Profile) -> Recommendation:
        """Score a pair as `one` sees it."""
        reasons: list[Reason] = []
        total = 0.0
        for giver, taker, code in ((other, one, "they_offer"), (one, other, "they_need")):
            points, found = self._fit(giver, taker, code)
            total += points
            reasons += found
        if shared := one.sectors & other.sectors:
            total += SHARED_SECTOR
            if not reasons:
                reasons.append(self._say("same_sector", sorted(shared)[0]))
        needs_interpreter = not one.languages & other.languages
        if not needs_interpreter:
            total += SHARED_LANGUAGE
            reasons.append(_SHARED_LANGUAGE)
        return Recommendation(
            one.id, other.id, min(1000, round(total)), tuple(reasons), needs_interpreter
        )

    def ranked(self, one: Profile, others: Iterable[Profile]) -> list[Recommendation]:
        """Rank the other side's people, the best first; equals by company."""
        found = [(self.score(one, other), other) for other in others if other.side != one.side]
        found.sort(key=lambda pair: (-pair[0].score, pair[1].organization, pair[1].id))
        return [recommendation for recommendation, _ in found]

    def _fit(self, giver: Profile, taker: Profile, code: str) -> tuple[float, list[Reason]]:
        """Hold what one offers against what the other needs; the best pair of texts counts."""
        best, sector = 0.0, ""
        for offer in _of_kind(giver, "offer"):
            for need in _of_kind(taker, "need"):
                similarity = self._similarity(offer.text, need.text)
                points = TEXT_MATCH * similarity + SECTOR_MATCH * (offer.sector == need.sector)
                if points > best:
                    best = points
                    said = offer.sector == need.sector or similarity >= SIMILARITY_WORTH_SAYING
                    sector = offer.sector if said else ""
        return best, [self._say(code, sector)] if sector else []

    def _similarity(self, one: Bilingual, other: Bilingual) -> float:
        left, right = self._vector(one), self._vector(other)
        if len(right) < len(left):
            left, right = right, left
        return sum(weight * right[term] for term, weight in left.items() if term in right)

    def _vector(self, text: Bilingual) -> Vector:
        if text not in self._vectors:
            weights = {
                term: (1 + math.log(n)) * math.log(1 + self._count / (1 + self._documents[term]))
                for term, n in Counter(terms(text)).items()
            }
            length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            self._vectors[text] = {term: weight / length for term, weight in weights.items()}
        return self._vectors[text]

    def _say(self, code: str, sector: str) -> Reason:
        name = self._sectors.get(sector) or Bilingual(en=sector, zh=sector)
        en, zh = _SENTENCES[code]
        text = Bilingual(en=en.format(name.en), zh=zh.format(name.in_("zh")))
        return Reason(code, text)


_SENTENCES = {
    "they_offer": ("They offer what you look for in {}.", "对方可提供您所需的“{}”产品或服务。"),
    "they_need": ("They look for what you offer in {}.", "对方正在寻找您所提供的“{}”产品或服务。"),
    "same_sector": ("Both of you work in {}.", "双方同属“{}”领域。"),
}
_SHARED_LANGUAGE = Reason(
    "shared_language",
    Bilingual(en="You share a language.", zh="双方有共同语言，无需翻译。"),
)


@lru_cache(maxsize=20_000)
def terms(text: Bilingual) -> Sequence[str]:
    """Cut a text into English words and pairs of Chinese characters."""
    words = [word for word in _WORD.findall(text.en.lower()) if word not in _STOP_WORDS]
    runs = _HAN.findall(text.zh)
    return words + [run[i : i + 2] for run in runs for i in range(len(run) - 1)]


def _of_kind(person: Profile, kind: str) -> list[Listing]:
    return [listing for listing in person.listings if listing.kind == kind]
