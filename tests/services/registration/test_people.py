import string
from dataclasses import replace
from uuid import uuid4

import pytest

from services.registration.domain.people import (
    CREDIT_CODE_ALPHABET,
    Organization,
    Person,
    SignUp,
    check,
    is_credit_code,
    same_address,
)
from shared.errors import Invalid
from shared.events.base import Bilingual
from shared.events.registration import Listing

# The example that GB 32100-2015 itself gives.
CODE = "91350100M000100Y43"
COMPANY = Organization("Sample Co.", "示例公司", "CN", CODE, ("batteries",), "11-50")
PERSON = Person("Li Sample", "李示例", None, "li@example.com", "zh", ("zh",), None)
SIGN_UP = SignUp("local", "self", None, COMPANY, PERSON, ())


def test_the_credit_code_of_the_standard_is_one() -> None:
    assert is_credit_code(CODE)


def test_one_wrong_character_is_always_found() -> None:
    wrong = {
        CODE[:place] + character + CODE[place + 1 :]
        for place in range(len(CODE))
        for character in CREDIT_CODE_ALPHABET
    } - {CODE}

    assert len(wrong) == 18 * 30
    assert not any(is_credit_code(code) for code in wrong)


def test_two_neighbours_swapped_are_always_found() -> None:
    swapped = {
        CODE[:place] + CODE[place + 1] + CODE[place] + CODE[place + 2 :]
        for place in range(len(CODE) - 1)
    } - {CODE}

    assert len(swapped) > 8
    assert not any(is_credit_code(code) for code in swapped)


@pytest.mark.parametrize(
    "text", ["", CODE[:17], CODE + "0", CODE.lower(), "９" + CODE[1:], "中" * 18]
)
def test_what_is_no_code_at_all_is_refused(text: str) -> None:
    assert not is_credit_code(text)


def test_letters_easily_misread_are_in_no_code() -> None:
    assert set(string.ascii_uppercase) - set(CREDIT_CODE_ALPHABET) == set("IOSVZ")


def test_a_company_is_known_again_by_its_number_whatever_it_is_called() -> None:
    assert COMPANY.identity == replace(COMPANY, name="Sample Ltd.").identity
    assert COMPANY.identity != replace(COMPANY, country="US").identity


@pytest.mark.parametrize(
    "number", ["12-3456789", "12 3456789", "１２－３４５６７８９", "12.345.6789"]
)
def test_a_company_is_known_again_by_its_number_however_it_is_typed(number: str) -> None:
    assert (
        replace(COMPANY, country="US", registration_number=number).identity
        == replace(COMPANY, country="US", registration_number="123456789").identity
    )


def test_a_number_of_marks_alone_is_one_all_the_same() -> None:
    dash, dashes = (replace(COMPANY, registration_number=mark) for mark in ("-", "--"))

    assert dash.identity != dashes.identity


def test_a_company_without_a_number_is_known_again_by_its_name_however_it_is_typed() -> None:
    plain = replace(COMPANY, registration_number=None)

    assert plain.identity == replace(plain, name="ＳＡＭＰＬＥ co.").identity
    assert plain.identity != replace(plain, name="Sample Two Co.").identity
    assert plain.identity != COMPANY.identity


@pytest.mark.parametrize("email", ["LI@Example.COM", " li@example.com ", "ｌｉ@example.com"])
def test_an_address_is_the_same_however_it_is_typed(email: str) -> None:
    assert same_address(email) == "li@example.com"


def test_every_wrong_field_is_named_at_once() -> None:
    listing = Listing(kind="offer", sector="tea", text=Bilingual(en="Tea", zh=""))
    company = replace(COMPANY, sectors=("batteries", "wine"), registration_number=CODE[::-1])

    with pytest.raises(Invalid) as refused:
        check(replace(SIGN_UP, organization=company, listings=(listing,)), ["batteries"])

    assert [fault.pointer for fault in refused.value.faults] == [
        "/organization/sectors/1",
        "/listings/0/sector",
        "/organization/registration_number",
    ]


def test_a_number_from_elsewhere_is_taken_as_it_is() -> None:
    company = replace(COMPANY, country="US", registration_number="C1234567")
    check(replace(SIGN_UP, organization=company, partner_id=uuid4()), ["batteries"])
