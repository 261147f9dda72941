import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from tests.services.registration.applications.conftest import call

if TYPE_CHECKING:
    from tests.services.registration.applications.conftest import Selection


async def close(selection: "Selection") -> None:
    yesterday = datetime.now(UTC) - timedelta(hours=1)
    await selection.house.rows("UPDATE call SET closes_at = $1", yesterday)


async def test_a_company_drafts_saves_signs_and_submits(selection: "Selection") -> None:
    company = await selection.begun("ana")
    assert await selection.status(company) == "draft"
    assert (await selection.save(company, selection.written())).status_code == 200

    answer = await selection.submit(company)

    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{answer.json()["revision"]}"'
    read = (await selection.ask("GET", f"/applications/{company.id}", who=company.who)).json()
    assert (read["status"], read["organization"]) == ("submitted", "Ana Inc.")
    assert read["objectives"] == {str(selection.stop): "Find two buyers."}
    assert {(one["code"], one["version"]) for one in read["attestations"]} == {
        ("home_content", 1),
        ("export_control", 1),
        ("anti_bribery", 1),
        ("litigation", 1),
    }
    assert {one["signer_name"] for one in read["attestations"]} == {"Sample Signer"}
    assert [step["action"] for step in read["steps"]] == ["submit"]


async def test_the_link_that_a_draft_begins_with_signs_its_writer_in(
    selection: "Selection",
) -> None:
    content = (await selection.start("ana")).json()
    token = content["sign_in_path"].removeprefix("/sign-in?token=")

    session = await selection.house.post("/api/v1/sessions", {"token": token})

    assert session.json()["role"] == "applicant"
    assert session.json()["subject"] == content["contact_id"]


async def test_an_address_on_file_gets_a_link_and_its_typist_nothing(
    selection: "Selection",
) -> None:
    await selection.begun("ana")
    path = f"/missions/{selection.mission}/applications"

    answer = await selection.ask(
        "POST", path, selection.starting("ana", company="Rival Inc."), Idempotency_Key="other"
    )

    assert (answer.status_code, answer.json()) == (202, {"status": "sent_if_known"})
    assert len(await selection.house.rows("SELECT FROM application")) == 1
    assert (await selection.house.told())[-1] == "sign_in.requested"


async def test_a_form_sent_twice_is_one_application(selection: "Selection") -> None:
    first = await selection.start("ana")
    again = await selection.start("ana")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    (row,) = await selection.house.rows("SELECT answer FROM idempotency WHERE key = 'key ana'")
    assert "sign_in" not in str(row["answer"])


INCOMPLETE: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"company": {"name": ""}}, "/company/name"),
    "no sector": ({"company": {"sectors": []}}, "/company/sectors"),
    "no country": ({"company": {"country": ""}}, "/company/country"),
    "a wrong number": (
        {"company": {"country": "CN", "registration_number": "91350100M000100Y44"}},
        "/company/registration_number",
    ),
    "no answer": ({"answers": {"experience": "  "}}, "/answers/experience"),
}


@pytest.mark.parametrize("case", INCOMPLETE)
async def test_a_draft_may_lack_what_a_submission_may_not(
    selection: "Selection", case: str
) -> None:
    change, place = INCOMPLETE[case]
    company = await selection.begun("ana")
    assert (await selection.save(company, selection.written(**change))).status_code == 200

    answer = await selection.submit(company)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [place]
    assert await selection.status(company) == "draft"
    assert await selection.house.rows("SELECT FROM attestation") == []


@pytest.mark.parametrize("field", ["name", "native_name", "registration_number", "size"])
async def test_what_stands_in_a_line_of_a_letter_is_one_line(
    selection: "Selection", field: str
) -> None:
    company = await selection.begun("ana")
    answer = await selection.save(company, selection.written(company={field: "Ana\nBcc: x"}))

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/company/{field}"]


async def test_a_submission_has_an_objective_for_one_stop_at_least(selection: "Selection") -> None:
    company = await selection.begun("ana")
    body = selection.written() | {"objectives": {}}
    await selection.save(company, body)

    assert (await selection.submit(company)).json()["errors"][0]["pointer"] == "/objectives"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"company": {"sectors": ["tea"]}}, "/company/sectors/0"),
        ({"objectives": {str(uuid4()): "x"}}, "/objectives/"),
        ({"answers": {"shoe_size": "46"}}, "/answers/shoe_size"),
    ],
)
async def test_even_a_draft_answers_only_what_is_asked(
    selection: "Selection", change: dict[str, Any], place: str
) -> None:
    company = await selection.begun("ana")

    answer = await selection.save(company, selection.written(**change))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(place)
    assert await selection.revision(company) == 1


@pytest.mark.parametrize("field", ["signer_name", "signer_title", "certifications"])
async def test_a_submission_is_signed_with_name_title_and_every_text(
    selection: "Selection", field: str
) -> None:
    company = await selection.begun("ana")
    await selection.save(company, selection.written())
    change: dict[str, Any] = {field: {"home_content": 1} if field == "certifications" else " "}

    answer = await selection.submit(company, **change)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}")
    assert await selection.house.rows("SELECT FROM attestation") == []


async def test_a_text_that_changed_is_read_again_before_it_is_signed(
    selection: "Selection",
) -> None:
    company = await selection.begun("ana")
    await selection.save(company, selection.written())
    assert (await selection.certify("anti_bribery", "Stricter")).json()["version"] == 2

    answer = await selection.submit(company)
    assert (answer.status_code, answer.json()["code"]) == (409, "text_changed")

    versions = dict.fromkeys(("home_content", "export_control", "litigation"), 1)
    answer = await selection.submit(company, certifications=versions | {"anti_bribery": 2})
    assert answer.status_code == 200
    rows = await selection.house.rows("SELECT version FROM attestation WHERE code = 'anti_bribery'")
    assert [row["version"] for row in rows] == [2]


async def test_the_same_text_again_is_no_new_version(selection: "Selection") -> None:
    assert (await selection.certify("litigation")).json()["version"] == 1
    assert (await selection.certify("litigation", "Other")).json()["version"] == 2
    assert (await selection.certify("litigation", "Other")).json()["version"] == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attestation SET signer_name = 'Somebody Else'",
        "UPDATE attestation SET signed_at = now()",
        "UPDATE attestation SET version = version",
        "DELETE FROM attestation",
        "UPDATE certification SET content = '{}'",
        "DELETE FROM certification",
    ],
)
async def test_what_was_signed_is_never_changed(selection: "Selection", statement: str) -> None:
    await selection.submitted("ana")
    with pytest.raises((asyncpg.RestrictViolationError, asyncpg.ForeignKeyViolationError)):
        await selection.house.rows(statement)
    rows = await selection.house.rows("SELECT signer_name FROM attestation")
    assert [row["signer_name"] for row in rows] == ["Sample Signer"] * 4


async def test_what_was_signed_goes_with_its_application(selection: "Selection") -> None:
    await selection.submitted("ana")
    await selection.house.rows("DELETE FROM application")
    assert await selection.house.rows("SELECT FROM attestation") == []


async def test_an_application_is_changed_until_the_call_closes_and_stays_complete(
    selection: "Selection",
) -> None:
    company = await selection.submitted("ana")
    incomplete = selection.written() | {"objectives": {}}
    assert (await selection.save(company, incomplete)).status_code == 422
    changed = selection.written(answers={"experience": "Eleven years."})
    assert (await selection.save(company, changed)).status_code == 200

    await close(selection)

    answer = await selection.save(company, changed)
    assert (answer.status_code, answer.json()["code"]) == (409, "call_closed")
    assert (await selection.start("bo")).json()["code"] == "call_closed"


async def test_nobody_submits_after_the_call_has_closed(selection: "Selection") -> None:
    company = await selection.begun("ana")
    await selection.save(company, selection.written())
    await close(selection)

    assert (await selection.submit(company)).json()["code"] == "call_closed"
    assert await selection.status(company) == "draft"


async def test_nobody_applies_before_the_texts_are_published(selection: "Selection") -> None:
    await selection.house.rows("DELETE FROM certification WHERE code = 'litigation'")
    answer = await selection.start("ana")
    assert (answer.status_code, answer.json()["code"]) == (409, "texts_missing")


async def test_what_is_reviewed_is_changed_no_more(selection: "Selection") -> None:
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review")
    company.revision = await selection.revision(company)

    answer = await selection.save(company, selection.written())

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")


async def test_two_windows_do_not_overwrite_one_another(selection: "Selection") -> None:
    company = await selection.begun("ana")
    await selection.save(company, selection.written())
    company.revision = 1

    answer = await selection.save(company, selection.written(answers={"experience": "Lost."}))

    assert (answer.status_code, answer.json()["code"]) == (412, "stale_revision")


async def test_a_question_goes_to_the_company_and_its_answer_back(selection: "Selection") -> None:
    company = await selection.submitted("ana")
    assert (await selection.decide(company, "request_info")).status_code == 422
    asked = await selection.decide(company, "request_info", message="Which plant?")
    assert asked.json()["status"] == "info_requested"
    assert (await selection.decide(company, "answer", company.who)).status_code == 422

    answered = await selection.decide(company, "answer", company.who, "The one in Ohio.")

    assert answered.json()["status"] == "in_review"
    read = (await selection.ask("GET", f"/applications/{company.id}", who=company.who)).json()
    assert [(step["actor"], step["message"]) for step in read["steps"]] == [
        ("applicant", "The one in Ohio."),
        ("staff", "Which plant?"),
        ("applicant", None),
    ]
    assert all("name" not in step for step in read["steps"])


async def test_criteria_stay_as_announced_once_a_company_has_applied(
    selection: "Selection",
) -> None:
    other = [{"title": {"en": "Size", "zh": "规模"}, "weight": 1}]
    assert (await selection.publish(criteria=other)).status_code == 200
    await selection.begun("bo")
    assert (await selection.publish()).status_code == 200, "a draft is not an application yet"
    await selection.submitted("ana")

    answer = await selection.publish(criteria=other)

    assert (answer.status_code, answer.json()["code"]) == (409, "criteria_announced")
    longer = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    assert (await selection.publish(closes_at=longer)).status_code == 200


async def test_a_call_is_changed_on_the_revision_that_was_seen(selection: "Selection") -> None:
    path = f"/missions/{selection.mission}/call"
    before = (await selection.ask("GET", path)).headers["ETag"]

    async def change(**headers: str) -> tuple[int, str]:
        answer = await selection.ask("PUT", path, call(), selection.staff, **headers)
        return answer.status_code, answer.headers.get("ETag") or answer.json()["code"]

    assert await change() == (428, "revision_needed")
    assert await change(If_Match='"0"') == (412, "stale_revision")
    status, after = await change(If_Match=before)
    assert (status, after) == (200, (await selection.ask("GET", path)).headers["ETag"])
    assert after != before
    assert await change(If_Match=before) == (412, "stale_revision")
    for table in ("criterion", "call"):
        await selection.house.rows(f"DELETE FROM {table}")  # noqa: S608  # our own tables
    assert await change(If_Match=after) == (412, "stale_revision")
    # Both see none: the second must not replace the first.
    both = await asyncio.gather(change(), change(If_Match='"0"'))
    assert sorted(status for status, _ in both) in ([200, 412], [200, 428])
    (row,) = await selection.house.rows("SELECT revision FROM call")
    assert row["revision"] == 1


async def test_what_a_mission_asks_is_public(selection: "Selection") -> None:
    read = (await selection.ask("GET", f"/missions/{selection.mission}/call")).json()

    assert [one["code"] for one in read["certifications"]] == [
        "home_content",
        "export_control",
        "anti_bribery",
        "litigation",
    ]
    assert [(one["title"]["en"], one["weight"]) for one in read["criteria"]] == [
        ("Fit", 60),
        ("Plan", 40),
    ]
    assert (await selection.ask("GET", f"/missions/{uuid4()}/call")).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"closes_at": "2020-01-01T00:00:00Z"},
        {"participants_max": 1},
        {"timezone": "Mars/Olympus"},
        {"criteria": []},
        {"statement": {"en": "Only English", "zh": ""}},
        {"days_to_confirm": 0},
    ],
)
async def test_a_call_that_makes_no_sense_is_refused_whole(
    selection: "Selection", change: dict[str, Any]
) -> None:
    before = await selection.house.rows("SELECT * FROM call")
    assert (await selection.publish(**change)).status_code == 422
    assert await selection.house.rows("SELECT * FROM call") == before


async def test_a_text_that_changes_later_is_signed_again_beside_the_first(
    selection: "Selection",
) -> None:
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review")
    await selection.certify("home_content", "Stricter")
    path = f"/applications/{company.id}/attestations"

    async def sign(version: int) -> int:
        body = selection.signature(
            signer_name="Second Signer", certifications={"home_content": version}
        )
        seen = f'"{await selection.revision(company)}"'
        return (await selection.ask("POST", path, body, company.who, If_Match=seen)).status_code

    assert await sign(1) == 409
    assert await sign(2) == 200
    assert await sign(2) == 200
    rows = await selection.house.rows(
        "SELECT version, signer_name FROM attestation WHERE code = 'home_content' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [(1, "Sample Signer"), (2, "Second Signer")]
    assert len(await selection.house.rows("SELECT FROM attestation")) == 5


async def test_a_draft_or_a_lost_application_signs_nothing(selection: "Selection") -> None:
    lost = await selection.submitted("ana")
    await selection.led(lost, "reject")
    for company in (lost, await selection.begun("bo")):
        seen = f'"{await selection.revision(company)}"'
        path = f"/applications/{company.id}/attestations"
        answer = await selection.ask(
            "POST", path, selection.signature(), company.who, If_Match=seen
        )
        assert answer.json()["code"] == "illegal_state"
