import re
from collections import defaultdict

import pytest

from services.matching.domain.scoring.taxonomy import Concept, parsed, taxonomy
from services.matching.domain.scoring.texts import BREAK, tokens

# There is no chapter 77: it is kept for what may be traded one day.
HARMONIZED = re.compile(r"(?!77)(0[1-9]|[1-9]\d)(\d\d(\.\d\d)?)?")
DIVISIONS = (
    "A 1-3 B 5-9 C 10-33 D 35-35 E 36-39 F 41-43 G 45-47 H 49-53 I 55-56 J 58-63 K 64-66 "
    "L 68-68 M 69-75 N 77-82 O 84-84 P 85-85 Q 86-88 R 90-93 S 94-96 T 97-98 U 99-99"
)
"""Sections of NACE, revision 2, with their first and last division."""
SECTIONS = {
    section: range(int(first), int(last) + 1)
    for section, first, last in re.findall(r"([A-U]) (\d+)-(\d+)", DIVISIONS)
}
TERMS_MIN = 4
CONCEPTS = taxonomy().concepts


def is_chinese(text: str) -> bool:
    return re.search("[\u4e00-\u9fff]", text) is not None


def is_of_nace(code: str) -> bool:
    found = re.fullmatch(r"([A-U])((\d\d)(\.\d{1,2})?)?", code)
    return found is not None and (found[3] is None or int(found[3]) in SECTIONS[found[1]])


def is_in_both_languages(concept: Concept) -> bool:
    return (
        is_chinese(concept.name.zh)
        and not any(map(is_chinese, (concept.name.en, *concept.en)))
        and min(len(concept.en), len(concept.zh)) >= TERMS_MIN
        # Abbreviations are Chinese, too, but never the most of it.
        and sum(map(is_chinese, concept.zh)) > len(concept.zh) / 2
    )


def test_every_concept_is_named_and_described_in_both_languages() -> None:
    assert [c.code for c in CONCEPTS.values() if not is_in_both_languages(c)] == []


def test_codes_of_the_harmonized_system_and_of_nace_are_well_formed() -> None:
    harmonized = [code for concept in CONCEPTS.values() for code in concept.hs]
    nace = [code for concept in CONCEPTS.values() for code in concept.nace]

    assert [code for code in harmonized if not HARMONIZED.fullmatch(code)] == []
    assert [code for code in nace if not is_of_nace(code)] == []


@pytest.mark.parametrize(("code", "is_one"), [("C26.1", True), ("D26", False), ("V", False)])
def test_a_division_belongs_to_its_section(code: str, is_one: bool) -> None:
    assert is_of_nace(code) == is_one


def test_concepts_belong_and_are_related_to_others_that_exist() -> None:
    for code, concept in CONCEPTS.items():
        above = taxonomy().parents(code)

        assert set(above) <= set(CONCEPTS)
        assert set(concept.related) <= set(CONCEPTS) - {code, *above}
        assert 0 < concept.telling <= 1


def test_no_term_means_two_things_and_none_is_told_twice() -> None:
    meant = defaultdict(list)
    for code, term in taxonomy().terms():
        meant[tuple(token for token in tokens(term) if token != BREAK)].append((code, term))

    assert [found for found in meant.values() if len(found) > 1] == []
    assert () not in meant


def told(code: str, parent: str = "") -> str:
    belongs = f'parent = "{parent}"\n' if parent else ""
    return f'[{code}]\n{belongs}name = {{ en = "{code}", zh = "一" }}\n'


def test_two_concepts_of_one_code_are_refused() -> None:
    with pytest.raises(ValueError, match="steel"):
        parsed([told("steel"), told("steel")])


def test_a_concept_that_belongs_to_itself_is_refused() -> None:
    circle = parsed([told("hen", "egg"), told("egg", "hen")])

    with pytest.raises(ValueError, match="hen"):
        circle.parents("hen")
