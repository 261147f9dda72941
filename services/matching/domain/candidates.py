"""Candidates: which pairs are worth a thought; all pairs would be most of the search."""

from collections.abc import Callable, Sequence
from uuid import UUID

from services.matching.domain.scoring import Profile, Scorer
from services.matching.domain.wishes import COMPANY_LANGUAGE_WORTH, Wishes

CANDIDATES_PER_SLOT = 3
"""How many counterparts are considered for each slot of a delegate, besides all wishes."""
CANDIDATES_OF_A_LOCAL = 3
"""And for each local participant, so that nobody is left out."""


class Candidates:
    """Chooses pairs among the people of a stop."""

    def __init__(
        self,
        known: Sequence[Profile],
        scorer: Scorer,
        wishes: Wishes,
        may_meet: Callable[[UUID, UUID], bool],
    ) -> None:
        self._delegates = [person for person in known if person.side == "delegation"]
        self._locals = [person for person in known if person.side == "local"]
        self._scores = scorer.table()
        self._wishes = wishes
        self._may_meet = may_meet

    def chosen(self, slots: int) -> list[tuple[Profile, Profile, int]]:
        """Give pairs, the delegate first, with what their meeting is worth, in a stable order."""
        worth = {
            (delegate.id, other.id): (delegate, other, self._worth(delegate, other))
            for delegate in self._delegates
            for other in self._locals
            if self._is_possible(delegate, other)
        }
        ranked = sorted(worth, key=lambda pair: -worth[pair][2])
        kept: set[tuple[UUID, UUID]] = {pair for pair in ranked if self._wishes.worth(*pair)}
        of_delegate, of_local = _Counted(), _Counted()
        for pair in ranked:
            has_room = of_delegate.take(pair[0], CANDIDATES_PER_SLOT * slots)
            if of_local.take(pair[1], CANDIDATES_OF_A_LOCAL) or has_room:
                kept.add(pair)
        return [worth[pair] for pair in ranked if pair in kept]

    def _is_possible(self, delegate: Profile, other: Profile) -> bool:
        """Who lists nothing is matched where somebody wishes it, nowhere else."""
        pair = (delegate.id, other.id)
        if not self._may_meet(*pair):
            return False
        return bool((delegate.listings and other.listings) or self._wishes.worth(*pair))

    def _worth(self, delegate: Profile, other: Profile) -> int:
        pair = (delegate.id, other.id)
        worth = self._scores[pair] + self._wishes.worth(*pair)
        # Of a company that is wished, whoever needs no interpreter.
        if self._wishes.is_for_a_company(delegate.id, other.id):
            worth += COMPANY_LANGUAGE_WORTH * bool(delegate.languages & other.languages)
        return worth


class _Counted(dict[UUID, int]):
    def take(self, key: UUID, most: int) -> bool:
        self[key] = self.get(key, 0) + 1
        return self[key] <= most
