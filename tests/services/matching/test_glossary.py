import re
import tomllib
from collections import Counter

import numpy as np
import pytest

from services.matching.domain.scoring.concepts import vector
from services.matching.domain.scoring.glossary import GLOSSARY, of_chinese, of_english, root
from services.matching.domain.scoring.texts import tokens
from shared.events.base import Bilingual

SECTIONS = tomllib.loads(GLOSSARY.read_text())
SENSES = [(en.split(), zh.split()) for section in SECTIONS.values() for en, zh in section.items()]


@pytest.mark.parametrize(
    "forms",
    [
        ("dryer", "drying", "dry"),
        ("weld", "welder", "welding"),
        ("charge", "charging"),
        ("bake", "baker", "baking"),
        ("cut", "cutter", "cutting"),
    ],
)
def test_forms_of_a_word_share_a_root(forms: tuple[str, ...]) -> None:
    assert len({root(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["red", "ring", "gas", "key"])
def test_a_word_is_not_cut_to_next_to_nothing(word: str) -> None:
    assert root(word) == word


@pytest.mark.parametrize(
    ("word", "other"),
    [("rating", "rat"), ("flower", "flow"), ("training", "train"), ("tower", "tow")],
)
def test_words_that_only_look_alike_share_no_root(word: str, other: str) -> None:
    assert root(word) != root(other)
    assert not set(of_english(word)) & set(of_english(other))


def test_a_word_has_the_sense_of_its_translation() -> None:
    assert set(of_english("kiln")) <= {sense for sense, _ in of_chinese("辊道窑")}
    assert of_english("kiln")
    assert of_english("qwertz") == ()


def test_the_longest_word_counts_and_a_single_character_counts_less() -> None:
    assert [sense for sense, _ in of_chinese("海带")] == list(of_english("kelp"))
    assert dict(of_chinese("窑"))["=furnace"] < dict(of_chinese("窑炉"))["=furnace"]


def test_texts_of_two_languages_that_no_term_joins_are_near_by_their_words() -> None:
    english = vector(Bilingual(en="umbrella", zh=""))
    chinese, other = (vector(Bilingual(en="", zh=zh)) for zh in ("雨伞", "剪刀"))

    assert np.dot(english, chinese) > np.dot(english, other) + 0.1


def test_every_sense_is_written_as_texts_are_read_and_told_once() -> None:
    english = [word for en, _ in SENSES for word in en]
    heads = Counter(en[0] for en, _ in SENSES)

    assert [word for word in english if tokens(word) != [word]] == []
    assert [
        zh for _, zh in SENSES if not all(re.search("[\u4e00-\u9fff]", one) for one in zh)
    ] == []
    assert [head for head, count in heads.items() if count > 1] == []
