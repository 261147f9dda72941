"""Two groups scored against one another, all pairs at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.matching.domain.scoring.concepts import Floats, space
from services.matching.domain.scoring.crowd import Group, Listed, Numbers

Flags = NDArray[np.bool_]

SECTOR_MATCH = 300
TEXT_MATCH = 450
SHARED_SECTOR = 100
SHARED_LANGUAGE = 50
SCORE_MAX = 1000
SIMILARITY_WORTH_SAYING = 0.18
CONCEPT_WORTH_SAYING = 0.05
ROWS_AT_ONCE = 64
PARTICULAR_SHARE = 0.5
"""So near, of the nearest concept, is one that is named in its stead if it is more particular."""


@dataclass(frozen=True)
class Told:
    """What to say of pairs, an entry for each: numbers of a concept and a sector, or -1."""

    is_said: Flags
    concepts: Numbers
    sectors: Numbers


class Fit:
    """What one group offers held against what the other wants; the best two listings count."""

    def __init__(self, offers: Listed, wants: Listed, shape: tuple[int, int]) -> None:
        self._offers, self._wants = offers, wants
        self._shape = shape
        self._near: Floats = offers.vectors @ wants.vectors.T
        self._points: Floats = np.empty_like(self._near)
        worth = TEXT_MATCH * wants.worth
        for rows in _blocks(len(self._near)):
            near, points = self._near[rows], self._points[rows]
            np.maximum(near, 0, out=near)
            # Doubling what is near still tells apart what is nearer.
            np.subtract(2, near, out=points)
            points *= near
            points *= worth
            points *= offers.worth[rows, None]
        sectors = np.where(offers.sectors < 0, -2, offers.sectors)
        self._same = sectors[:, None] == wants.sectors
        if self._same.any():
            self._points += np.multiply(self._same, SECTOR_MATCH, dtype=np.float32)

    @property
    def is_any(self) -> bool:
        """Say whether anything is offered to somebody who wants anything."""
        return self._points.size > 0

    @cached_property
    def points(self) -> Floats:
        """Give what this is worth to each pair of people."""
        found = _reduced(self._points, self._offers.owners, self._shape[0], axis=0)
        return _reduced(found, self._wants.owners, self._shape[1], axis=1)

    def told(self, givers: Numbers, takers: Numbers) -> Told:
        """Name what the best two listings of each of these pairs have in common."""
        if not self.is_any:
            nothing = np.full(len(givers), -1)
            return Told(np.zeros(len(givers), np.bool_), nothing, nothing)
        offer, want = self._best(givers, takers)
        numbers = self._wants.numbers[want]
        both = self._offers.vectors[offer[:, None], numbers] * self._wants.near[want]
        # "Battery recycling" says more than "batteries", which fits whatever fits that.
        share = PARTICULAR_SHARE * both.max(axis=1, keepdims=True)
        enough = both >= np.maximum(share, CONCEPT_WORTH_SAYING)
        best = np.where(enough, space().depths[numbers] + both, -1).argmax(axis=1)
        line = np.arange(len(best))
        concepts = np.where(both[line, best] >= CONCEPT_WORTH_SAYING, numbers[line, best], -1)
        same = self._same[offer, want]
        is_near = (self._near[offer, want] >= SIMILARITY_WORTH_SAYING) & (concepts >= 0)
        is_said = (same | is_near) & (self.points[givers, takers] > 0)
        return Told(
            is_said,
            concepts,
            np.where(same, self._offers.sectors[offer], -1),
        )

    def _best(self, givers: Numbers, takers: Numbers) -> tuple[Numbers, Numbers]:
        """Find the best two listings of each pair."""
        left, right = self._rows
        one, other = left[givers][:, :, None], right[takers][:, None, :]
        points = np.where((one >= 0) & (other >= 0), self._points[one, other], -1)
        best = points.reshape(len(givers), -1).argmax(axis=1)
        first, second = np.divmod(best, right.shape[1])
        return left[givers, first], right[takers, second]

    @cached_property
    def _rows(self) -> tuple[Numbers, Numbers]:
        return (
            _rows_of(self._offers.owners, self._shape[0]),
            _rows_of(self._wants.owners, self._shape[1]),
        )


class Sheet:
    """All pairs of two groups: rows are those who read the scores, columns whom they may meet."""

    def __init__(self, readers: Group, others: Group) -> None:
        self.readers, self.others = readers, others
        shape = (len(readers.people), len(others.people))
        self.offered = Fit(others.offers, readers.wants, shape[::-1])
        self.needed = Fit(readers.offers, others.wants, shape)
        self.share_sectors = _shared(readers.sectors, others.sectors)
        self.share_language = _shared(readers.languages, others.languages)
        self.totals = self.needed.points.copy()
        if self.offered.is_any:
            self.totals += self.offered.points.T
        for shared, worth in (
            (self.share_sectors, SHARED_SECTOR),
            (self.share_language, SHARED_LANGUAGE),
        ):
            if shared.any():
                self.totals += np.multiply(shared, worth, dtype=np.float32)

    def scores(self, readers: Numbers, others: Numbers) -> list[int]:
        """Give the scores of pairs, 0 to 1000."""
        rounded = np.rint(self.totals[readers, others]).astype(np.intp)
        scores: list[int] = np.minimum(rounded, SCORE_MAX).tolist()
        return scores

    def best(self, limit: int) -> Numbers:
        """Give for every reader the places of the best others, the best first; equals by company.

        Shape: readers x the smaller of `limit` and the number of others.
        """
        others = self.totals.shape[1]
        # Less than scores can differ by, and so of weight among equals alone.
        tie = 1e-10 * self.others.rank.astype(np.float64)
        count = min(limit, others)
        best = np.empty((len(self.totals), count), np.intp)
        for rows in _blocks(len(best)):
            keys = self.totals[rows] - tie
            chosen = np.broadcast_to(np.arange(others - count, others), (len(keys), count))
            if 0 < count < others:
                # No two keys are equal, and so exactly `count` are not below the least of the best.
                least = np.partition(keys, others - count, axis=1)[:, others - count, None]
                chosen = np.nonzero(keys >= least)[1].reshape(len(keys), count)
            order = np.argsort(-np.take_along_axis(keys, chosen, axis=1), axis=1)
            best[rows] = np.take_along_axis(chosen, order, axis=1)
        return best


def concept(number: int) -> str:
    """Give the code of a concept that was told, or nothing for -1."""
    return space().codes[number] if number >= 0 else ""


def sector(number: int, codes: Sequence[str]) -> str:
    """Give the code of a sector that was told, or nothing for -1."""
    return codes[number] if number >= 0 else ""


def _blocks(count: int) -> Iterator[slice]:
    """Cut rows into blocks that stay in a processor's cache from one step to the next."""
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE))


def _shared(one: Floats, other: Floats) -> Flags:
    """Say which pairs of rows have a one in the same column, eight columns at once."""
    # A group that was made later may know more codes.
    width = min(one.shape[1], other.shape[1])
    shared = np.zeros((len(one), len(other)), bool)
    left, right = (np.packbits(each[:, :width] > 0, axis=1) for each in (one, other))
    for column in range(left.shape[1]):
        shared |= (left[:, column, None] & right[:, column]) != 0
    return shared


def _reduced(points: Floats, owners: Numbers, count: int, axis: int) -> Floats:
    """Give for each owner the best of the rows (axis 0) or columns (axis 1) that are theirs."""
    if len(owners) == count and (owners == np.arange(count)).all():
        return points
    shape = (count, points.shape[1]) if axis == 0 else (points.shape[0], count)
    best = np.zeros(shape, np.float32)
    if not len(owners):
        return best
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    found = np.maximum.reduceat(points.take(order, axis), starts, axis=axis)
    if axis == 0:
        best[ordered[starts]] = found
    else:
        best[:, ordered[starts]] = found
    return best


def _rows_of(owners: Numbers, count: int) -> Numbers:
    """List everybody's rows, filled up with -1."""
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]
    place = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    rows = np.full((count, int(place.max(initial=0)) + 1), -1, np.intp)
    rows[ordered, place] = order
    return rows
