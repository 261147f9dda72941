import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain.letters import (
    ALPHABET,
    Worth,
    as_written,
    initials,
    number,
    worth,
)
from shared.access import Tokens

if TYPE_CHECKING:
    from tests.services.registration.applications.conftest import Company, Selection

TODAY = date(2026, 5, 4)


@pytest.fixture
async def ana(selection: "Selection") -> "Company":
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review", "select", "confirm")
    return company


async def issued(selection: "Selection", company: "Company") -> dict[str, Any]:
    answer = await selection.letter(company)
    assert answer.status_code == 201, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def pdf(selection: "Selection", letter: dict[str, Any], language: str, to: Path) -> str:
    path = f"/letters/{letter['id']}/pdf?language={language}"
    answer = await selection.ask("GET", path, who=selection.staff)
    assert answer.headers["content-type"] == "application/pdf"
    file = to / "letter.pdf"
    file.write_bytes(answer.content)
    found = subprocess.run(
        ["pdftotext", "-layout", file, "-"], capture_output=True, check=True, text=True
    ).stdout
    return re.sub(r"\s+", " ", found)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


async def test_a_letter_says_in_english_who_is_invited_to_what(
    selection: "Selection", ana: "Company", tmp_path: Path
) -> None:
    letter = await issued(selection, ana)
    said = await pdf(selection, letter, "en", tmp_path)
    for part in (
        "Letter of Invitation",
        "Dear Sample Traveller",
        "Outbound Mission",
        "Ana Inc.",
        "Director",
        "Guangzhou",
        "Matchmaking Conference",
        letter["number"],
    ):
        assert part in said
    assert "revoked" not in said


async def test_a_letter_says_the_same_in_chinese(
    selection: "Selection", ana: "Company", tmp_path: Path
) -> None:
    letter = await issued(selection, ana)
    said = squeezed(await pdf(selection, letter, "zh", tmp_path))
    for part in ("邀请函", "示例旅客", "出访代表团", "示例中心", "总监", "广州", letter["number"]):
        assert part in said


async def test_a_letter_stays_as_it_was_issued(
    selection: "Selection", ana: "Company", tmp_path: Path
) -> None:
    letter = await issued(selection, ana)
    await selection.house.rows("""UPDATE mission SET title = '{"en": "Other", "zh": "别的"}'""")
    assert "Outbound Mission" in await pdf(selection, letter, "en", tmp_path)


async def test_anybody_checks_a_letter_and_learns_no_name(
    selection: "Selection", ana: "Company"
) -> None:
    letter = await issued(selection, ana)

    page = await selection.house.page(f"/letters/{letter['number']}")

    for part in ("Genuine and valid", "Ana Inc.", "Outbound Mission", "S. T.", letter["number"]):
        assert part in page
    for personal in ("Traveller", "示例旅客", "Director", "ana@example.com", "Sample Ana"):
        assert personal not in page
    chinese = await selection.house.page(f"/letters/{letter['number']}", lang="zh")
    assert "真实有效" in chinese


async def test_a_forged_number_is_no_letter(selection: "Selection", ana: "Company") -> None:
    real = (await issued(selection, ana))["number"]
    for place in range(len(real)):
        if real[place] == "-":
            continue
        other = "7" if real[place] != "7" else "8"
        forged = real[:place] + other + real[place + 1 :]
        page = await selection.house.page(f"/letters/{forged}", status=404)
        assert "No such letter" in page
        assert "Ana Inc." not in page


async def test_a_number_cannot_be_made_without_the_key(
    selection: "Selection", ana: "Company"
) -> None:
    letter = await issued(selection, ana)
    serial = 1
    text = f"{letter['id']} {serial}"
    mine = number(
        datetime.now(UTC).year, serial, Tokens("k" * 40).digest("invitation letter", text)
    )
    theirs = selection.house.tokens.digest("invitation letter", text)

    assert letter["number"] == number(datetime.now(UTC).year, serial, theirs)
    assert mine != letter["number"]


async def test_a_number_is_read_as_people_type_it(selection: "Selection", ana: "Company") -> None:
    real = (await issued(selection, ana))["number"]
    typed = f" {real.lower().replace('-', ' – ')} "

    answer = await selection.house.client.get(
        "/letters", params={"number": typed}, headers=selection.house.browser(None)
    )

    assert answer.headers["location"] == f"/letters/{real}"


async def test_a_revoked_letter_says_so(
    selection: "Selection", ana: "Company", tmp_path: Path
) -> None:
    letter = await issued(selection, ana)
    path = f"/letters/{letter['id']}/revoke"
    first = (await selection.ask("POST", path, who=selection.staff)).json()
    again = (await selection.ask("POST", path, who=selection.staff)).json()

    assert first["revoked_at"] == again["revoked_at"]
    page = await selection.house.page(f"/letters/{letter['number']}")
    assert "it is not valid any more" in page
    assert "Genuine and valid" not in page
    assert "revoked by the organizer" in await pdf(selection, letter, "en", tmp_path)


@pytest.mark.parametrize("action", ["withdraw"])
async def test_a_company_that_leaves_takes_its_letters_with_it(
    selection: "Selection", ana: "Company", action: str
) -> None:
    letter = await issued(selection, ana)
    await selection.led(ana, action)
    assert "Revoked" in await selection.house.page(f"/letters/{letter['number']}")
    assert (await selection.letter(ana)).json()["code"] == "no_place"


async def test_an_expired_letter_says_so(selection: "Selection", ana: "Company") -> None:
    letter = await issued(selection, ana)
    await selection.house.rows("UPDATE letter SET valid_until = current_date - 1")
    assert "Genuine, but expired" in await selection.house.page(f"/letters/{letter['number']}")


async def test_only_a_company_with_a_place_is_invited(selection: "Selection") -> None:
    company = await selection.submitted("bo")
    answer = await selection.letter(company)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_place")


async def test_a_letter_is_valid_until_the_end_of_the_mission_at_least(
    selection: "Selection", ana: "Company"
) -> None:
    soon = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    answer = await selection.letter(ana, valid_until=soon)
    assert answer.json()["errors"][0]["pointer"] == "/valid_until"
    assert await selection.house.rows("SELECT FROM letter") == []


async def test_letters_are_numbered_in_turn(selection: "Selection", ana: "Company") -> None:
    numbers = [(await issued(selection, ana))["number"] for _ in range(3)]
    assert [one.split("-")[1] for one in numbers] == ["0001", "0002", "0003"]
    assert len({one[10:] for one in numbers}) == 3


@given(st.binary(min_size=32, max_size=32), st.integers(1, 99_999))
def test_a_number_is_written_without_letters_that_look_like_digits(
    digest: bytes, serial: int
) -> None:
    written = number(2026, serial, digest)
    assert set(written.split("-", 2)[2].replace("-", "")) <= set(ALPHABET)
    assert as_written(written) == written
    mistyped = written.replace("0", "O").replace("1", "l").lower()
    assert as_written(mistyped) == written


@pytest.mark.parametrize(
    ("until", "is_revoked", "found"),
    [
        (TODAY, False, Worth.VALID),
        (TODAY - timedelta(days=1), False, Worth.EXPIRED),
        (TODAY, True, Worth.REVOKED),
        (TODAY - timedelta(days=1), True, Worth.REVOKED),
    ],
)
def test_the_last_day_of_a_letter_counts(until: date, is_revoked: bool, found: Worth) -> None:
    assert worth(until, TODAY, is_revoked=is_revoked) is found


@pytest.mark.parametrize(
    ("name", "short"), [("Jordan van Sample", "J. V. S."), ("王小明", "王"), ("Ana", "A.")]
)
def test_initials_tell_no_name(name: str, short: str) -> None:
    assert initials(name) == short


async def test_a_letter_that_is_asked_for_twice_is_one(
    selection: "Selection", ana: "Company"
) -> None:
    path, body, staff = f"/applications/{ana.id}/letters", selection.invitee(), selection.staff

    first = await selection.ask("POST", path, body, staff, Idempotency_Key="k")
    again = await selection.ask("POST", path, body, staff, Idempotency_Key="k")

    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await selection.house.rows("SELECT FROM letter")) == 1
