import numpy as np
import pytest

from services.matching.domain.scoring.concepts import vector
from services.matching.domain.scoring.denials import affirmed
from shared.events.base import Bilingual


def in_english(text: str) -> Bilingual:
    return Bilingual(en=text, zh="")


def in_chinese(text: str) -> Bilingual:
    return Bilingual(en="", zh=text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Electric buses. We do not make batteries.", "Electric buses.  ."),
        ("We don\u2019t sell pumps, we repair them", " , we repair them"),
        ("Cargo by rail; not interested in air freight", "Cargo by rail;  "),
        ("不要整机，只要影像算法", " ，只要影像算法"),
        ("垃圾焚烧我们不做；只找分拣机器人", " ；只找分拣机器人"),
        ("本公司暂不采购锂电池，采购钠电池", " ，采购钠电池"),
        ("垃圾焚燒我們不做；只找分揀機器人", " ；只找分拣机器人"),
    ],
)
def test_what_a_company_says_it_does_not_deal_in_is_left_out(text: str, left: str) -> None:
    assert affirmed(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Villages without sewers, houses scattered",
        "We do not have a cold store",
        "No-dig repair of sewers",
        "Merchants who never get paid in time",
        "不要求现场施工的管道修复",
        "管网漏损找不到位置",
        "We do not sell batteries.",
        "锂电池免谈",
    ],
)
def test_other_negations_and_texts_of_nothing_else_stay(text: str) -> None:
    assert affirmed(text) == text


@pytest.mark.parametrize(
    ("denying", "silent", "need"),
    [
        (
            in_english("Electric buses. We do not make lithium batteries."),
            in_english("Electric buses."),
            in_chinese("采购锂电池"),
        ),
        (
            in_chinese("污水处理膜，海水淡化不做"),
            in_chinese("污水处理膜"),
            in_english("Desalination"),
        ),
    ],
)
def test_who_denies_to_deal_in_something_is_as_far_from_it_as_who_does_not_name_it(
    denying: Bilingual, silent: Bilingual, need: Bilingual
) -> None:
    assert np.array_equal(vector(denying), vector(silent))
    assert float(vector(denying) @ vector(need)) < 0.3
