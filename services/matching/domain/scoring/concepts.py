"""The space of concepts: where a text of either language stands among what companies deal in.

A text is near a concept when it holds one of its terms; when it holds a part of one; and when it
shares words and characters with all of its terms together, rare ones counting more (the inverse
document frequency of Spärck Jones, 1972, over concepts instead of documents). The three carry one
another where the lexicon lacks a term, and everyday words count by their senses, which the two
languages share. What belongs together in the hierarchy is near, too.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.matching.domain.scoring.denials import affirmed
from services.matching.domain.scoring.glossary import is_sense
from services.matching.domain.scoring.taxonomy import Taxonomy, taxonomy
from services.matching.domain.scoring.texts import BREAK, PIECE, grams, tokens
from shared.events.base import Bilingual

Floats = NDArray[np.float32]
Cut = Sequence[Sequence[str]]
"""Terms as their tokens."""

WORDS = 256
"""Dimensions for a text's own words, beside one for each concept."""
CONCEPT_SHARE = 0.75
"""Of a text's square length; the rest is its own words."""
QUANTUM = 2.0**-11
"""All vectors are multiples of it, and at most about 1 long: products of two then add up in 24
bits without rounding, in whatever order, and equal texts score equal wherever they stand."""
CACHED_TEXTS_MAX = 20_000

_WITHIN_LONGER = 0.4
_PART_MIN = 0.3
_PART, _WHOLE = 0.4, 1.8
_SENSES_MIN, _SENSES_HELD = 0.6, 0.5
"""Which share of a term's senses must be there, and what they are worth beside its own words."""
_SENSES_AMONG_WORDS = 2.5
"""A text's own words are of one language, their senses of both."""
_KEPT = 12
_KEPT_SHARE = 0.08
_PARENTS = (0.45, 0.15)
_RELATED = 0.25
_ROOT = 0.4
_EVENED = 0.75
"""A text that names one thing loudly and another softly deals in both."""


class Space:
    """Turns texts into vectors: one dimension for each concept, then `WORDS` for the words."""

    def __init__(self, known: Taxonomy, without: Collection[tuple[str, str]] = ()) -> None:
        """Build the space; `without`: pairs of code and term that are left out."""
        self.codes = tuple(known.concepts)
        self.names = tuple(concept.name for concept in known.concepts.values())
        self.depths = np.array([len(known.parents(code)) for code in self.codes], np.float32)
        """How many each concept belongs to: the more, the more particular it is."""
        self.dimensions = len(self.codes) + WORDS
        number = {code: n for n, code in enumerate(self.codes)}
        kept = [(number[code], term) for code, term in known.terms() if (code, term) not in without]
        cut = [tokens(term) for _, term in kept]
        self._trie = _Trie(kept, cut)
        self._parts = _Parts(kept, cut, len(self.codes))
        self._spread = _spread(known, number)

    def vector(self, text: Bilingual) -> Floats:
        """Place a text, its length at most about 1; the same text always at the same place."""
        text = Bilingual(en=affirmed(text.en), zh=affirmed(text.zh))
        found = _made_of(text.en, text.zh)
        names = tuple(found)
        counts = np.fromiter(found.values(), np.float32, len(names))
        concepts = self._concepts(text, names, counts)
        whole = np.concatenate((concepts, self._words(names, counts)))
        rounded: Floats = (np.round(whole / QUANTUM) * QUANTUM).astype(np.float32)
        return rounded

    def _concepts(self, text: Bilingual, names: Sequence[str], counts: Floats) -> Floats:
        near = self._trie.found(text, len(self.codes))
        part, whole = self._parts.near(names, counts)
        near += np.float32(_PART) * part + np.float32(_WHOLE) * whole
        near[near < max(_KEPT_SHARE * near.max(initial=0), np.sort(near)[-_KEPT])] = 0
        spread: Floats = (near @ self._spread) ** np.float32(_EVENED)
        return _scaled(spread, math.sqrt(CONCEPT_SHARE))

    def _words(self, names: Sequence[str], counts: Floats) -> Floats:
        """Fold a text's own words into few dimensions (hashing; Weinberger et al., 2009).

        Pieces of words and single characters are left out: two texts that have nothing to do with
        one another share many, and would come near by them.
        """
        folded = np.zeros(WORDS, np.float32)
        shared = [_share_among_words(name) for name in names]
        weights = np.sqrt(counts) * self._parts.rarity(names) * np.array(shared, np.float32)
        for name, weight in zip(names, weights, strict=True):
            if weight:
                place, sign = _bucket(name)
                folded[place] += weight * sign
        return _scaled(folded, math.sqrt(1 - CONCEPT_SHARE))


class _Trie:
    """Finds every term in a text in one pass (Fredkin, 1960)."""

    def __init__(self, known: Sequence[tuple[int, str]], cut: Cut) -> None:
        self._root: dict[str, dict] = {}  # type: ignore[type-arg]  # a tree of itself
        self._ends: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for (concept, _), pieces in zip(known, cut, strict=True):
            node = self._root
            for token in pieces:
                node = node.setdefault(token, {})
            self._ends[id(node)].append((concept, _weight(pieces)))

    def found(self, text: Bilingual, count: int) -> Floats:
        """Say how surely a text names each of `count` concepts, from 0 to about 2."""
        best, rest = np.zeros(count, np.float32), np.zeros(count, np.float32)
        for concept, weight in self._matches([*tokens(text.en), BREAK, *tokens(text.zh)]):
            rest[concept] += min(best[concept], weight)
            best[concept] = max(best[concept], weight)
        return (best + 0.4 * np.minimum(rest, 2)).astype(np.float32)

    def _matches(self, cut: Sequence[str]) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        reached = 0
        for start in range(len(cut)):
            node, longest = self._root, start
            ends: list[tuple[int, list[tuple[int, float]]]] = []
            for place in range(start, len(cut)):
                token = cut[place]
                if token == BREAK or token not in node:
                    break
                node = node[token]
                if here := self._ends.get(id(node)):
                    longest = place + 1
                    ends.append((longest, here))
            for end, here in ends:
                share = 1.0 if end == longest > reached else _WITHIN_LONGER
                found += [(concept, weight * share) for concept, weight in here]
            reached = max(reached, longest)
        return found


class _Parts:
    """Measures how much of each term, and of each concept's terms together, a text holds."""

    def __init__(self, known: Sequence[tuple[int, str]], cut: Cut, count: int) -> None:
        made = [_made_of(term) for _, term in known]
        concepts: list[dict[str, float]] = [defaultdict(float) for _ in range(count)]
        for (concept, _), one in zip(known, made, strict=True):
            own = concepts[concept]
            for gram, weight in one.items():
                own[gram] += weight
        used = Counter(gram for one in concepts for gram in one)
        self._rarity = {
            gram: math.log(1 + count / n) / math.log(1 + count) for gram, n in used.items()
        }
        self._count = count
        self._concept_of = np.array([concept for concept, _ in known], np.intp)
        self._strength = np.array([_weight(one) for one in cut], np.float32)
        self._of_terms = _Postings(made, self._rarity)
        self._of_senses = _Postings([_senses(one) for one in made], self._rarity)
        saturated = [{gram: math.sqrt(w) for gram, w in one.items()} for one in concepts]
        self._of_concepts = _Postings(saturated, self._rarity, power=2)

    def rarity(self, names: Sequence[str]) -> Floats:
        """Say how telling each word or piece is, up to 1."""
        return np.fromiter((self._rarity.get(name, 1) for name in names), np.float32, len(names))

    def near(self, names: Sequence[str], counts: Floats) -> tuple[Floats, Floats]:
        """Give for each concept the share of its best term, and of all its terms, in the text."""
        held = self._of_terms.gathered(names, np.ones_like(counts), len(self._concept_of))
        held[held < _PART_MIN] = 0
        held = held * held
        told = self._of_senses.gathered(names, np.ones_like(counts), len(self._concept_of))
        told[told < _SENSES_MIN] = 0
        held = self._strength * np.maximum(held, np.float32(_SENSES_HELD) * told * told)
        part = np.zeros(self._count, np.float32)
        np.maximum.at(part, self._concept_of, held)
        weights = np.sqrt(counts) * self.rarity(names)
        length = float(np.sqrt((weights * weights).sum())) or 1.0
        each = (np.sqrt(counts) / length).astype(np.float32)
        return part, self._of_concepts.gathered(names, each, self._count) * np.float32(3)


class _Postings:
    """Lists for each word or piece where it occurs, and which share of that it is.

    All lists are one after the other in two arrays: sixty thousand small ones would take longer
    to make, and three times the memory.
    """

    def __init__(
        self, made: Sequence[Mapping[str, float]], rarity: Mapping[str, float], power: int = 1
    ) -> None:
        number = {gram: n for n, gram in enumerate(rarity)}
        sizes = [len(parts) for parts in made]
        grams = np.fromiter(map(number.__getitem__, chain.from_iterable(made)), np.intp, sum(sizes))
        told = chain.from_iterable(parts.values() for parts in made)
        weights = np.fromiter(told, np.float64, len(grams))
        rare = np.fromiter(rarity.values(), np.float64, len(rarity))[grams]
        where = np.repeat(np.arange(len(made)), sizes)
        totals = np.bincount(where, (weights * rare) ** power, len(made)) ** (1 / power)
        shares = weights * rare**power / totals[where]
        order = np.argsort(grams, kind="stable")
        self._where, self._shares = where[order], shares[order].astype(np.float32)
        present, starts = np.unique(grams[order], return_index=True)
        known, ends = tuple(rarity), np.append(starts[1:], len(order))
        self._slices = {
            known[gram]: slice(start, end)
            for gram, start, end in zip(
                present.tolist(), starts.tolist(), ends.tolist(), strict=True
            )
        }

    def gathered(self, names: Sequence[str], weights: Floats, count: int) -> Floats:
        """Add up for each of `count` places the shares of these words, each times its weight."""
        found = [
            (self._slices[name], weight)
            for name, weight in zip(names, weights, strict=True)
            if name in self._slices
        ]
        if not found:
            return np.zeros(count, np.float32)
        where = np.concatenate([self._where[each] for each, _ in found])
        what = np.concatenate([self._shares[each] * weight for each, weight in found])
        return np.bincount(where, what, count).astype(np.float32)


@cache
def space() -> Space:
    """Build the space of the taxonomy that ships with the product, once."""
    return Space(taxonomy())


@lru_cache(maxsize=CACHED_TEXTS_MAX)
def vector(text: Bilingual) -> Floats:
    """Place a text in the product's space; who reads it does not write to it."""
    return space().vector(text)


def _senses(made: Mapping[str, float]) -> dict[str, float]:
    """Give the senses of a term of which every word has one, otherwise none."""
    senses = {gram: 1.0 for gram in made if is_sense(gram)}
    if not senses:
        return senses
    words = sum(gram.isalnum() and gram.isascii() for gram in made)
    characters = sum(len(gram) == 1 and not gram.isascii() for gram in made)
    return senses if max(words, characters / 2) <= len(senses) else {}


def _made_of(*texts: str) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for text in texts:
        for gram, weight in grams(text):
            found[gram] += weight
    return found


def _share_among_words(name: str) -> float:
    if is_sense(name):
        return _SENSES_AMONG_WORDS
    return 0.0 if len(name) == 1 or name[0] == PIECE else 1.0


@lru_cache(maxsize=100_000)
def _bucket(name: str) -> tuple[int, float]:
    digest = crc32(name.encode())
    return digest % WORDS, 1.0 if digest & 0x8000_0000 else -1.0


def _weight(cut: Sequence[str]) -> float:
    """Say how surely a term means its concept: the longer the surer, a Chinese character least."""
    length = sum(2 if len(token) > 1 else 1 for token in cut)
    return (0.15, 0.3, 0.65, 0.8, 1.0)[min(length, 4)]


def _spread(known: Taxonomy, number: dict[str, int]) -> Floats:
    """Say how much of each concept is found in its parents and relations."""
    matrix = np.eye(len(number), dtype=np.float32)
    for code, concept in known.concepts.items():
        above = known.parents(code)
        matrix[number[code], number[code]] = concept.telling if above else _ROOT
        for parent, share in zip(above, _PARENTS, strict=False):
            matrix[number[code], number[parent]] += share * (_ROOT if parent == above[-1] else 1)
        for other in concept.related:
            matrix[number[code], number[other]] += _RELATED
            matrix[number[other], number[code]] += _RELATED
    return matrix


def _scaled(vector: Floats, length: float) -> Floats:
    own = float(np.sqrt((vector * vector).sum()))
    return vector * np.float32(length / own) if own else vector
