"""Which pairs are considered for a schedule, and what each is worth."""

from uuid import UUID

import pytest

from services.matching.domain.candidates import (
    CANDIDATES_OF_A_LOCAL,
    CANDIDATES_PER_SLOT,
    Candidates,
)
from services.matching.domain.scoring import Profile, Scorer
from services.matching.domain.wishes import PREFERENCE_WORTH, Wish, Wishes
from shared.events.base import Bilingual, Side
from shared.events.registration import Listing

SECTORS = {
    "batteries": Bilingual(en="Batteries", zh="电池"),
    "water": Bilingual(en="Water", zh="水处理"),
}
TEXTS = ("battery cells", "membranes for sea water", "heat pumps", "charging stations")


def person(number: int, side: Side) -> Profile:
    text = TEXTS[number % len(TEXTS)]
    sector = ("batteries", "water")[number % 2]
    listing = Listing(
        kind="offer" if side == "delegation" else "need",
        sector=sector,
        text=Bilingual(en=text, zh=""),
    )
    return Profile(
        id=UUID(int=number),
        side=side,
        organization=f"Sample {number:03}",
        native_organization=None,
        sectors=frozenset({sector}),
        languages=frozenset({"en"}),
        listings=(listing,),
    )


DELEGATES = [person(n, "delegation") for n in range(4)]
LOCALS = [person(100 + n, "local") for n in range(40)]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer([*DELEGATES, *LOCALS], SECTORS)


def test_all_pairs_are_scored_at_once_as_each_is_alone(scorer: Scorer) -> None:
    table = scorer.table()

    assert table == {
        (one.id, other.id): scorer.score(one, other).score for one in DELEGATES for other in LOCALS
    }


def test_the_best_for_each_are_considered_and_every_wish(scorer: Scorer) -> None:
    last = min(LOCALS, key=lambda other: scorer.score(DELEGATES[0], other).score)
    wishes = Wishes([Wish(last.id, DELEGATES[0].id, "must_meet")])
    refused = (DELEGATES[1].id, LOCALS[0].id)
    found = Candidates([*DELEGATES, *LOCALS], scorer, wishes, lambda *pair: pair != refused).chosen(
        1
    )

    worth = {(one.id, other.id): value for one, other, value in found}
    wished = (DELEGATES[0].id, last.id)
    assert worth[wished] == scorer.table()[wished] + PREFERENCE_WORTH["must_meet"]
    assert refused not in worth
    assert [value for _, _, value in found] == sorted(worth.values(), reverse=True)
    for local in LOCALS:
        own = [pair for pair in worth if pair[1] == local.id]
        assert len(own) >= min(CANDIDATES_OF_A_LOCAL, len(DELEGATES) - (refused[1] == local.id))
    assert len(worth) < len(DELEGATES) * len(LOCALS)
    assert (
        len(worth) <= len(LOCALS) * CANDIDATES_OF_A_LOCAL + len(DELEGATES) * CANDIDATES_PER_SLOT + 1
    )
