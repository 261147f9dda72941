import math
from collections.abc import Sequence
from itertools import permutations
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.scoring import Profile, Recommendation, Scorer, terms
from shared.events.base import Bilingual, Side
from shared.events.registration import Listing

SECTORS = {
    "batteries": Bilingual(en="Batteries", zh="电池"),
    "hydrogen": Bilingual(en="Hydrogen", zh="氢能"),
    "water": Bilingual(en="Water", zh="水处理"),
}
SPACE = UUID(int=7)
OFFERS = {
    "recycling": ("batteries", "Recycling of lithium batteries", "锂电池回收与再生利用"),
    "cells": ("batteries", "Solid state cells for vehicles", "车用固态电芯"),
    "electrolyser": ("hydrogen", "Alkaline electrolysers", "碱性电解槽制氢设备"),
    "membrane": ("water", "Membranes for waste water", "污水处理膜"),
    "tanks": ("hydrogen", "Storage tanks for hydrogen", "储氢罐"),
}
NEEDS = {
    "锂电池回收": (
        "batteries",
        "We look for recycling of used lithium batteries",
        "寻求废旧锂电池回收技术",
    ),
    "制氢": ("hydrogen", "Electrolysers for a pilot plant", "示范项目需要电解槽制氢"),
    "污水": ("water", "Treatment of waste water by membranes", "采购污水处理膜组件"),
}
BEST = {
    "锂电池回收": {"recycling": 3, "cells": 1},
    "制氢": {"electrolyser": 3, "tanks": 1},
    "污水": {"membrane": 3},
}
"""How well each offer fits each need, said by hand."""


def someone(
    name: str,
    side: Side,
    kind: str,
    listed: tuple[str, str, str] | None,
    languages: Sequence[str] = ("en",),
    sectors: Sequence[str] = (),
) -> Profile:
    listings = []
    if listed:
        sector, en, zh = listed
        text = Bilingual(en=en, zh=zh)
        listings = [Listing.model_validate({"kind": kind, "sector": sector, "text": text})]
    return Profile(
        id=uuid5(SPACE, name),
        side=side,
        organization=f"Sample {name}",
        native_organization=None,
        sectors=frozenset(sectors),
        languages=frozenset(languages),
        listings=tuple(listings),
    )


def offering(languages: Sequence[str] = ("en",)) -> Profile:
    return someone("offers", "delegation", "offer", OFFERS["recycling"], languages)


def needing(languages: Sequence[str] = ("zh",)) -> Profile:
    return someone("needs", "local", "need", NEEDS["锂电池回收"], languages)


def score(one: Profile, other: Profile, *more: Profile) -> Recommendation:
    return Scorer([one, other, *more], SECTORS).score(one, other)


def test_each_side_reads_its_own_direction_of_the_same_score() -> None:
    delegate, local = offering(), needing()
    seen, heard = score(delegate, local), score(local, delegate)

    assert seen.score == heard.score > 300
    assert [reason.code for reason in seen.reasons] == ["they_need"]
    assert [reason.code for reason in heard.reasons] == ["they_offer"]


def test_reasons_are_sentences_in_both_languages_with_the_sector_named() -> None:
    (reason,) = score(offering(), needing()).reasons

    assert "Batteries" in reason.text.en
    assert "电池" in reason.text.zh
    assert "{" not in reason.text.en + reason.text.zh


def test_a_reason_names_the_particular_field_rather_than_the_one_it_belongs_to() -> None:
    (reason,) = score(offering(), needing()).reasons

    assert reason.parameters["concept"] == "battery-recycling"


def test_a_reason_names_no_field_that_a_passing_word_belongs_to() -> None:
    offer = someone("o", "delegation", "offer", ("", "Valve cooling for converter stations", ""))
    need = someone("n", "local", "need", ("", "", "海上换流平台阀冷、海水提升泵"))

    [reason] = [
        r for r in Scorer([offer], {}).score(need, offer).reasons if "concept" in r.parameters
    ]

    assert reason.parameters["concept"] == "hvdc"


def test_a_shared_language_is_worth_something_and_saves_the_interpreter() -> None:
    without, shared = score(offering(), needing()), score(offering(), needing(("zh", "en")))

    assert shared.score == without.score + 50
    assert (without.needs_interpreter, shared.needs_interpreter) == (True, False)
    assert shared.reasons[-1].code == "shared_language"


def test_two_who_offer_and_need_nothing_of_one_another_share_a_sector_at_best() -> None:
    one = someone("one", "delegation", "offer", None, sectors=("batteries", "water"))
    other = someone("other", "local", "need", None, ("zh",), sectors=("water",))
    found = score(one, other)

    assert (found.score, [r.code for r in found.reasons]) == (100, ["same_sector"])
    assert "水处理" in found.reasons[0].text.zh
    assert score(one, someone("third", "local", "need", None, ("zh",))).score == 0


def test_an_offer_is_not_held_against_an_offer() -> None:
    one = someone("one", "delegation", "offer", OFFERS["recycling"])
    other = someone("other", "local", "offer", OFFERS["recycling"], ("zh",))

    assert score(one, other).score == 0


def test_both_directions_add_up_to_a_thousand_at_most() -> None:
    both = [
        Listing(kind=kind, sector="batteries", text=Bilingual(en="lithium recycling", zh="锂回收"))
        for kind in ("offer", "need")
    ]
    delegate, local = (
        Profile(
            id=uuid5(SPACE, side),
            side=side,
            organization="Sample",
            native_organization=None,
            sectors=frozenset({"batteries"}),
            languages=frozenset({"en"}),
            listings=tuple(both),
        )
        for side in ("delegation", "local")
    )
    found = score(delegate, local)

    assert found.score == 1000
    assert [reason.code for reason in found.reasons] == [
        "they_offer",
        "they_need",
        "shared_language",
    ]


@pytest.mark.parametrize(
    ("en", "zh", "found"),
    [
        ("The recycling of CO2-rich gas", "", ["recycling", "co2", "rich", "gas"]),
        ("", "锂电池，回收", ["锂电", "电池", "回收"]),
        ("", "氢", []),
        ("AND for the", "abc", []),
    ],
)
def test_a_text_is_cut_into_words_and_pairs_of_characters(
    en: str, zh: str, found: list[str]
) -> None:
    assert list(terms(Bilingual(en=en, zh=zh))) == found


def ranking(need: str, language: str) -> list[str]:
    """Rank all offers for a need of which one language is told, as its sector is not."""

    def told(listed: tuple[str, str, str], sector: str) -> tuple[str, str, str]:
        _, en, zh = listed
        return (sector, en, "") if language == "en" else (sector, "", zh)

    delegates = {
        name: someone(name, "delegation", "offer", told(listed, f"sector of {name}"))
        for name, listed in OFFERS.items()
    }
    local = someone(need, "local", "need", told(NEEDS[need], "another"))
    names = {person.id: name for name, person in delegates.items()}
    people = [*delegates.values(), local]
    return [names[found.counterpart_id] for found in Scorer(people, SECTORS).ranked(local, people)]


def gain(ranked: Sequence[str], gains: dict[str, int]) -> float:
    return sum(gains.get(name, 0) / math.log2(place + 2) for place, name in enumerate(ranked))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("need", BEST)
def test_texts_alone_rank_what_fits_near_the_top(need: str, language: str) -> None:
    ideal = max(gain(order, BEST[need]) for order in permutations(OFFERS))

    assert gain(ranking(need, language), BEST[need]) / ideal > 0.9


def test_equals_are_ranked_by_company_whatever_the_order_of_the_people() -> None:
    twins = [someone(name, "delegation", "offer", OFFERS["tanks"]) for name in "edcba"]
    local = needing()
    rankings = {
        tuple(r.counterpart_id for r in Scorer(people, SECTORS).ranked(local, people))
        for people in permutations([*twins, local])
    }

    assert rankings == {tuple(twin.id for twin in reversed(twins))}


def test_one_is_matched_with_the_other_side_alone() -> None:
    local, neighbour = needing(), someone("n", "local", "offer", OFFERS["recycling"])

    assert Scorer([local, neighbour], SECTORS).ranked(local, [local, neighbour]) == []


DELEGATES = st.builds(
    someone,
    st.uuids().map(str),
    st.just("delegation"),
    st.just("offer"),
    st.sampled_from([None, *OFFERS.values()]),
    st.sampled_from([("en",), ("en", "zh")]),
    st.lists(st.sampled_from(list(SECTORS)), max_size=2, unique=True),
)
LOCALS = st.builds(
    someone,
    st.uuids().map(str),
    st.just("local"),
    st.just("need"),
    st.sampled_from([None, *NEEDS.values()]),
    st.sampled_from([("zh",), ("zh", "en")]),
    st.lists(st.sampled_from(list(SECTORS)), max_size=2, unique=True),
)


@settings(deadline=None)
@given(st.lists(DELEGATES, min_size=1, max_size=6), st.lists(LOCALS, max_size=9))
def test_all_at_once_are_told_what_each_alone_is_told(
    delegates: list[Profile], locals_: list[Profile]
) -> None:
    scorer = Scorer([*delegates, *locals_], SECTORS)
    best = scorer.everybody(4)

    for one in delegates:
        assert best.of(one.id) == scorer.ranked(one, locals_, 4)
        assert best.of(one.id) == [
            score(one, next(p for p in locals_ if p.id == found.counterpart_id))
            for found in best.of(one.id)
        ]
