import secrets
from itertools import pairwise

import pytest
import segno

from services.registration.domain import badges

CODES = [badges.new_code(secrets.choice) for _ in range(50)]
FIXED = [body + badges.check_character(body) for body in ("K7QM2XWD9HR", "01010ZZZZZZ")]


@pytest.mark.parametrize("code", ["00000000000" + badges.check_character("0" * 11), *FIXED])
def test_a_code_is_read_however_it_is_typed(code: str) -> None:
    grouped = badges.shown(code)

    assert badges.read(code) == code
    assert badges.read(f" {grouped.lower()} ") == code
    assert badges.read(grouped.replace("-", " ")) == code
    assert badges.read(code.replace("0", "o").replace("1", "l")) == code
    # As a Chinese keyboard types it.
    assert badges.read("".join(chr(ord(character) + 0xFEE0) for character in code)) == code


def test_any_wrong_character_is_found() -> None:
    for code in CODES:
        for place, right in enumerate(code):
            for wrong in set(badges.ALPHABET) - {right}:
                assert badges.read(code[:place] + wrong + code[place + 1 :]) is None


def test_any_two_characters_that_were_swapped_are_found() -> None:
    for code in CODES:
        for place, (one, other) in enumerate(pairwise(code)):
            if one != other:
                swapped = code[:place] + other + one + code[place + 2 :]
                assert badges.read(swapped) is None


@pytest.mark.parametrize(
    "text", ["", "K7QM", "https://example.com/K7QM2XWD9HRT", "UUUUUUUUUUUU", "张伟", "0" * 200]
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert badges.read(text) is None


def test_a_code_fits_the_smallest_qr_code_with_a_quarter_to_spare() -> None:
    for code in CODES:
        symbol = segno.make(code, micro=False, error="q", boost_error=False)
        assert (symbol.version, symbol.error) == (1, "Q")


def test_a_digest_belongs_to_one_code() -> None:
    assert badges.digest(CODES[0]) == badges.digest(CODES[0])
    assert len({badges.digest(code) for code in CODES}) == len(CODES)
