"""What the values and columns of a list mean, as far as a program can tell."""

import pytest

from services.registration.domain.imports.mapping import IGNORED, column_of, lacking, repeated
from services.registration.domain.imports.sectors import Sectors

SECTORS = Sectors(
    {
        "batteries": {"en": "batteries", "zh": "电池"},
        "vehicles": {"en": "new energy vehicles", "zh": "新能源汽车"},
        "energy": {"en": "clean energy", "zh": "清洁能源"},
        "fuels": {"en": "clean fuels", "zh": "清洁燃料"},
    }
)


@pytest.mark.parametrize(
    ("value", "suggested"),
    [
        ("锂电池", "batteries"),
        ("Battery", "batteries"),
        ("新能源车", "vehicles"),
        ("清洁能源技术", "energy"),
    ],
)
def test_a_suggestion_is_clear_when_it_is_far_likelier_than_all_others(
    value: str, suggested: str
) -> None:
    assert SECTORS.suggested(value)[0] == suggested
    assert SECTORS.is_clear(value)


@pytest.mark.parametrize(
    "value", ["新能源", "new energy", "cleantech", "清洁", "hydrogen", "氢能", "?"]
)
def test_what_may_mean_several_or_none_is_not_clear(value: str) -> None:
    assert not SECTORS.is_clear(value)


def test_a_value_that_is_left_out_is_neither_a_sector_nor_unknown() -> None:
    sectors = Sectors(SECTORS.names, {"氢能": IGNORED, "锂电池": "batteries", "其他": "gone"})
    assert sectors.read("氢能；锂电池；其他") == (["batteries"], ["其他"])
    assert sectors.read("氢能") == ([], [])


def test_a_mission_without_sectors_suggests_none() -> None:
    assert not Sectors({}).is_clear("电池")
    assert Sectors({}).suggested("电池") == []


def test_a_name_is_in_the_column_of_its_parts() -> None:
    columns = ["family_name", None, "native_organization", "email"]
    found = [column_of(name, columns) for name in ("full_name", "organization", "email", "size")]
    assert found == [0, 2, 3, None]


def test_what_is_lacking_and_what_is_there_twice_is_named() -> None:
    assert lacking(["given_name", "email"]) == ["organization"]
    assert repeated(["email", None, "size", "email", None]) == {"email": [0, 3]}
