"""What nobody sees, or what turns a line round, is refused in names and left out of texts alike."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.marks import is_one_line, without_marks

TEXTS = st.text(st.characters(categories=("L", "N", "P", "Z", "Cc", "Cf")), max_size=40)


@given(TEXTS)
def test_what_stands_in_a_line_is_what_has_nothing_to_be_left_out(text: str) -> None:
    assert is_one_line(text) == (without_marks(text) == text and not {*"\t\n"} & {*text})


@given(TEXTS)
def test_no_control_and_no_change_of_direction_is_left(text: str) -> None:
    left = without_marks(text)
    assert {one for one in left if unicodedata.category(one) == "Cc"} <= {"\t", "\n"}
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not [one for one in left if unicodedata.bidirectional(one) in turning]


@pytest.mark.parametrize("name", ["李样例", "نام\u200cخانوادگی", "O\u2019Neil", "👩\u200d🔬"])
def test_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    assert is_one_line(name)
    assert without_marks(name) == name
