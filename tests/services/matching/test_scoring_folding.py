import tomllib

import numpy as np
import pytest

from services.matching.domain.scoring.concepts import vector
from services.matching.domain.scoring.folding import FOLDING, folded
from services.matching.domain.scoring.glossary import GLOSSARY
from services.matching.domain.scoring.taxonomy import taxonomy
from shared.events.base import Bilingual

WORDS = tomllib.loads(FOLDING.read_text())


def in_chinese(text: str) -> Bilingual:
    return Bilingual(en="", zh=text)


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("農產品乾燥設備", "农产品干燥设备"),
        ("廢棄鋰電池與電動車殘值評估", "废弃锂电池与电动汽车残值评估"),
        ("半導體晶片封裝製程", "半导体芯片封装工艺"),
        ("雲端ERP軟體", "云ERP软件"),
    ],
)
def test_a_text_in_traditional_characters_stands_where_the_simplified_one_does(
    traditional: str, simplified: str
) -> None:
    assert folded(traditional) != traditional
    assert np.array_equal(vector(in_chinese(traditional)), vector(in_chinese(simplified)))


def test_what_the_lexicon_and_the_glossary_know_is_written_simplified() -> None:
    senses = tomllib.loads(GLOSSARY.read_text()).values()
    known = [term for _, term in taxonomy().terms()]
    known += [word for section in senses for zh in section.values() for word in zh.split()]

    assert [term for term in known if folded(term) != term] == []


def test_words_are_folded_among_traditional_characters_alone() -> None:
    words = WORDS.items()

    assert [word for word, said in words if folded(f"臺灣：{word}") != f"台湾：{said}"] == []
    assert folded("碳化硅晶片") == "碳化硅晶片"
