"""The people of one side as columns of numbers: one profile changes, the others stay."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.domain.scoring.concepts import Floats, space, vector
from services.matching.domain.scoring.profiles import Profile

Numbers = NDArray[np.intp]
Scalar = TypeVar("Scalar", bound=np.generic)

KIND_WORTH = {"offer": 1.0, "need": 1.0, "project": 0.9}
"""What is planned is not yet looked for."""
CONCEPTS_TOLD = 8
"""So many concepts of a listing can become a reason."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Listings of one kind, a row for each; `owners` are places in the group's people."""

    vectors: Floats
    owners: Numbers
    sectors: Numbers
    worth: Floats
    numbers: Numbers
    """Of the concepts each listing is nearest to."""
    near: Floats
    """How near it is to each of them."""


class Codes(dict[str, int]):
    """Numbers codes as they come."""

    def __missing__(self, code: str) -> int:
        self[code] = len(self)
        return self[code]


@dataclass(frozen=True)
class Group:
    """People to be scored against another group, in the order of `people`."""

    people: Sequence[Profile]
    offers: Listed
    wants: Listed
    sectors: Floats
    """For each person a row with a one for each of the codes."""
    languages: Floats

    @cached_property
    def number(self) -> dict[UUID, int]:
        """Give everybody's place."""
        return {person.id: place for place, person in enumerate(self.people)}

    @cached_property
    def rank(self) -> Floats:
        """Order people by company: among equals the first is the better."""
        order = sorted(
            range(len(self.people)),
            key=lambda n: (self.people[n].organization, self.people[n].id),
        )
        ranks = np.empty(len(order), np.float32)
        ranks[order] = np.arange(len(order))
        return ranks


class Crowd:
    """People who come, change and go. Arrays keep a place for everybody, and grow by doubling."""

    def __init__(self, codes: tuple[Codes, Codes, Codes]) -> None:
        """Make an empty crowd; `codes` of sectors, languages and listings are shared by both."""
        self.people: dict[UUID, Profile] = {}
        self._codes = codes
        self._rows = {"offers": _Rows(), "wants": _Rows()}
        self._group: Group | None = None

    def put(self, person: Profile) -> None:
        """Take somebody in, or take note that the profile changed."""
        self.drop(person.id)
        self.people[person.id] = person
        for listing in person.listings:
            rows = self._rows["offers" if listing.kind == "offer" else "wants"]
            # Without a sector, a listing has none in common with any other.
            sector = self._codes[2][listing.sector] if listing.sector else -1
            rows.add(person.id, vector(listing.text), sector, KIND_WORTH[listing.kind])

    def drop(self, person_id: UUID) -> None:
        """Forget somebody, if known."""
        if self.people.pop(person_id, None):
            for rows in self._rows.values():
                rows.drop(person_id)
        self._group = None

    def all(self) -> Group:
        """Give everybody."""
        if self._group is None:
            self._group = self._grouped(list(self.people.values()))
        return self._group

    def only(self, person_id: UUID) -> Group:
        """Give one person alone."""
        return self._grouped([self.people[person_id]], person_id)

    def _grouped(self, people: list[Profile], only: UUID | None = None) -> Group:
        number = {person.id: place for place, person in enumerate(people)}
        return Group(
            people,
            self._rows["offers"].listed(number, only),
            self._rows["wants"].listed(number, only),
            _flags([person.sectors for person in people], self._codes[0]),
            _flags([person.languages for person in people], self._codes[1]),
        )


class _Rows:
    """Rows of listings in one array, by owner; what is dropped leaves its place to the next."""

    def __init__(self) -> None:
        self._vectors = np.zeros((8, space().dimensions), np.float32)
        self._numbers = np.zeros((8, CONCEPTS_TOLD), np.intp)
        self._near = np.zeros((8, CONCEPTS_TOLD), np.float32)
        self._facts: list[tuple[UUID, int, float] | None] = []
        self._of: dict[UUID, list[int]] = {}
        self._free: list[int] = []

    def add(self, owner: UUID, placed: Floats, sector: int, worth: float) -> None:
        if not self._free:
            self._free.append(len(self._facts))
            self._facts.append(None)
        row = self._free.pop()
        if row == len(self._vectors):
            self._vectors = _doubled(self._vectors)
            self._numbers = _doubled(self._numbers)
            self._near = _doubled(self._near)
        self._vectors[row] = placed
        concepts = placed[: len(space().codes)]
        self._numbers[row] = np.argpartition(-concepts, CONCEPTS_TOLD)[:CONCEPTS_TOLD]
        self._near[row] = concepts[self._numbers[row]]
        self._facts[row] = (owner, sector, worth)
        self._of.setdefault(owner, []).append(row)

    def drop(self, owner: UUID) -> None:
        for row in self._of.pop(owner, ()):
            self._vectors[row] = 0
            self._near[row] = 0
            self._facts[row] = None
            self._free.append(row)

    def listed(self, number: dict[UUID, int], only: UUID | None) -> Listed:
        """Give the rows; those nobody owns count for the first person, and are worth nothing."""
        chosen: slice | list[int] = slice(len(self._facts))
        facts: Iterable[tuple[UUID, int, float] | None] = self._facts
        if only is not None:
            chosen = self._of.get(only, [])
            facts = [self._facts[row] for row in chosen]
        told = [(number[one[0]], one[1], one[2]) if one else (0, -1, 0.0) for one in facts]
        owners, sectors, worth = zip(*told, strict=True) if told else ((), (), ())
        return Listed(
            self._vectors[chosen],
            np.array(owners, np.intp),
            np.array(sectors, np.intp),
            np.array(worth, np.float32),
            self._numbers[chosen],
            self._near[chosen],
        )


def _doubled(rows: NDArray[Scalar]) -> NDArray[Scalar]:
    return np.concatenate((rows, np.zeros_like(rows)))


def _flags(given: Sequence[frozenset[str]], codes: Codes) -> Floats:
    numbers = [[codes[code] for code in sorted(one)] for one in given]
    flags = np.zeros((len(given), len(codes)), np.float32)
    for person, found in enumerate(numbers):
        flags[person, found] = 1
    return flags
