import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from services.registration.commands.files import CHUNK_BYTES, ORPHAN_AGE, UNFINISHED_AGE, sweep
from services.registration.domain.sniffing import sniffed

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

PDF = b"%PDF-1.7\n" + b"x" * (CHUNK_BYTES + 100)
LABEL = {"en": "A letter", "zh": "信函"}
QUESTION: dict[str, Any] = {
    "code": "letter",
    "kind": "file",
    "label": LABEL,
    "limits": {"types": ["pdf", "docx"], "bytes_max": 1_000_000},
}


def office(*parts: str) -> bytes:
    """A zip file with these parts."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for part in parts:
            file.writestr(part, "")
    return held.getvalue()


async def begin(house: "House", name: str, count: int, **changes: Any) -> httpx2.Response:
    question = await house.made(f"/missions/{house.mission}/questions", QUESTION | changes)
    path = f"/api/v1/missions/{house.mission}/questions/{question}/files"
    return await house.post(path, {"name": name, "bytes": count})


async def send(
    house: "House", content: bytes, name: str = "letter.pdf", **changes: Any
) -> httpx2.Response:
    """Send a file as our form does, and give the last answer."""
    begun = await begin(house, name, len(content), **changes)
    assert begun.status_code == 201, begun.text
    path = f"/api/v1/missions/{house.mission}/files/{begun.json()['id']}"
    size = begun.json()["chunk_bytes"]
    for number in range(0, -(-len(content) // size)):
        part = content[number * size : (number + 1) * size]
        answer = await house.client.put(f"{path}/chunks/{number}", content=part)
        assert answer.status_code == 200, answer.text
    return await house.post(f"{path}/finish")


async def test_a_file_in_parts_is_read_back_whole_and_never_shown_here(house: "House") -> None:
    sent = (await send(house, PDF, "../../信\u202e函.pdf")).json()
    ana = await house.registered("ana", answers={"letter": sent["id"]})

    path = f"/api/v1/missions/{house.mission}/files/{sent['id']}"
    answer = await house.get(path, house.person(ana))

    assert answer.content == PDF
    assert (sent["type"], sent["bytes"]) == ("pdf", len(PDF))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''%E4%BF%A1%E5%87%BD.pdf"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_file_is_read_by_its_owner_and_by_staff_alone(house: "House") -> None:
    sent = (await send(house, PDF)).json()
    ana = await house.registered(
        "ana",
        who=house.boss,
        source="import",
        partner_id=str(house.partner),
        answers={"letter": sent["id"]},
    )
    bo = await house.registered("bo", answers={"letter": sent["id"]})
    path = f"/api/v1/missions/{house.mission}/files/{sent['id']}"
    partner = house.someone("partner_staff", partner_id=house.partner)

    may = [house.person(ana), house.boss, house.someone("mission_staff"), partner]
    assert [(await house.get(path, who)).status_code for who in may] == [200] * 4
    # Who names another's file has not got it.
    may_not = [
        house.person(bo),
        house.someone("partner_staff"),
        house.someone("door_staff"),
        house.someone("mission_staff", mission_id=house.stop),
    ]
    assert [(await house.get(path, who)).status_code for who in may_not] == [403] * 4
    assert (await house.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7", "pdf"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (office("[Content_Types].xml", "word/document.xml"), "docx"),
        (office("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        (office("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), None),
        (office("word/document.xml"), None),
        (office("anything.txt"), None),
        (b"PK\x03\x04 and nothing more", None),
        (b"<html><script>", None),
        (b"MZ\x90\x00", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_content_is(content: bytes, kind: str | None) -> None:
    assert sniffed(content) == kind


async def test_a_name_does_not_make_a_file_what_it_is_not(house: "House") -> None:
    answer = await send(house, b"<script>alert(1)</script>", "letter.pdf")

    assert (answer.status_code, answer.json()["code"]) == (422, "file_type")


async def test_a_file_too_big_or_of_another_question_is_not_taken(house: "House") -> None:
    answer = await begin(house, "x.pdf", 1_000_001)
    assert answer.json()["errors"][0]["pointer"] == "/bytes"
    text = {"code": "name", "kind": "text", "label": LABEL}
    question = await house.made(f"/missions/{house.mission}/questions", text)
    path = f"/api/v1/missions/{house.mission}/questions/{question}/files"
    assert (await house.post(path, {"name": "x.pdf", "bytes": 10})).status_code == 404


async def test_parts_that_do_not_make_the_file_are_refused(house: "House") -> None:
    begun = await begin(house, "x.pdf", CHUNK_BYTES + 10)
    path = f"/api/v1/missions/{house.mission}/files/{begun.json()['id']}"

    async def put(number: int, count: int) -> int:
        content = PDF[:count]
        return (await house.client.put(f"{path}/chunks/{number}", content=content)).status_code

    assert await put(0, 10) == 422
    assert await put(2, 10) == 422
    assert await put(10, 10) == 422
    assert await put(1, 0) == 422
    assert await put(0, CHUNK_BYTES) == 200
    assert (await house.post(f"{path}/finish")).status_code == 422
    assert [await put(1, 10), await put(1, 10)] == [200, 200]
    assert [(await house.post(f"{path}/finish")).status_code for _ in range(2)] == [200, 200]


async def test_an_answer_names_a_finished_file_of_its_question_alone(house: "House") -> None:
    begun = (await begin(house, "x.pdf", 10)).json()
    other = (await send(house, PDF, code="other")).json()

    for file_id in (begun["id"], other["id"], "no id", "00000000-0000-4000-8000-000000000000"):
        answer = await house.register("ana", answers={"letter": file_id})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/answers/letter"


async def test_a_request_sent_again_names_its_file_again(house: "House") -> None:
    sent = (await send(house, PDF)).json()
    answers = [
        await house.register("ana", key="once", answers={"letter": sent["id"]}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]


async def test_what_no_answer_names_is_swept_when_no_draft_can_name_it(house: "House") -> None:
    sent = [(await send(house, PDF, code=code)).json()["id"] for code in ("one", "two", "three")]
    await house.registered("ana", answers={"one": sent[0], "two": sent[1]})
    # As if the process had died between the registration and the claim.
    await house.rows("UPDATE file SET person_id = NULL WHERE id = $1", sent[1])
    now = datetime.now(UTC)

    assert await sweep(house.database, now + ORPHAN_AGE - timedelta(minutes=1)) == 0
    assert await sweep(house.database, now + ORPHAN_AGE + timedelta(minutes=1)) == 1
    rows = await house.rows("SELECT id::text, person_id FROM file ORDER BY created_at")
    assert [row["id"] for row in rows] == sent[:2]
    assert all(row["person_id"] for row in rows)
    assert await house.rows("SELECT FROM file_chunk WHERE file_id = $1", sent[2]) == []


async def test_what_was_never_finished_is_swept_soon(house: "House") -> None:
    await begin(house, "x.pdf", 10)
    await send(house, PDF, code="other")
    now = datetime.now(UTC)

    assert await sweep(house.database, now + UNFINISHED_AGE - timedelta(minutes=1)) == 0
    assert await sweep(house.database, now + UNFINISHED_AGE + timedelta(minutes=1)) == 1
    (left,) = await house.rows("SELECT type FROM file")
    assert left["type"] == "pdf"


async def test_one_address_leaves_so_many_bytes_a_day_and_those_of_a_form_do_not_count(
    house: "House",
) -> None:
    sent = (await send(house, PDF)).json()
    question = await house.made(f"/missions/{house.mission}/questions", QUESTION | {"code": "more"})
    path = f"/api/v1/missions/{house.mission}/questions/{question}/files"
    body = {"name": "x.pdf", "bytes": 1_000_000}
    answers = [await house.post(path, body) for _ in range(67)]
    # The last byte of the 64 MiB is in the file of which only half fits.
    statuses = [answer.status_code for answer in answers]
    assert statuses == [201] * 66 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 60

    await house.registered("ana", answers={"letter": sent["id"]})
    assert (await house.post(path, body)).status_code == 201


async def test_strangers_cannot_fill_the_disk(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.commands.files.WAITING_BYTES_MAX", len(PDF) + 5)
    sent = (await send(house, PDF)).json()
    answer = await begin(house, "y.pdf", 10, code="more")
    assert (answer.status_code, answer.json()["code"]) == (409, "files_full")

    await house.registered("ana", answers={"letter": sent["id"]})
    assert (await begin(house, "y.pdf", 10, code="again")).status_code == 201
