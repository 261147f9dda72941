"""What people try who mean no good: each is a way in that was open once, or nearly."""

import time
from typing import TYPE_CHECKING, Any

import pytest

from services.registration.commands.files import CHUNK_BYTES
from services.registration.domain.patterns import matches, parsed

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

FILE = {"code": "letter", "kind": "file", "label": {"en": "A letter", "zh": "信函"}}


async def test_a_partner_that_knows_an_address_gets_no_hold_of_the_person(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    ana = await house.registered("ana", person={"position": {"en": "Deputy of something"}})
    brought: dict[str, Any] = {
        "who": partner,
        "source": "partner_api",
        "partner_id": str(house.partner),
    }
    theirs = await house.register("ana", "dinner", **brought)
    await house.post(f"/api/v1/registrations/{ana['id']}/cancel", None, house.person(ana))
    again = await house.register("ana", **brought)
    assert (theirs.status_code, again.status_code) == (201, 201)

    for path in (f"/registrations/{theirs.json()['id']}", f"/registrations/{ana['id']}"):
        assert (await house.get(f"/api/v1{path}", partner)).status_code == 403
        headers = house.headers(partner) | {"If-Match": '"1"'}
        change = {"person": house.sign_up("ana")["person"] | {"full_name": "Somebody Else"}}
        answer = await house.client.patch(f"/api/v1{path}", json=change, headers=headers)
        assert answer.status_code == 403
    path = f"/api/v1/participants/{ana['participant_id']}/badges"
    assert (await house.post(path, None, partner)).status_code == 403
    # A badge opens every door that its owner may pass, at every stop.
    headers = house.browser(partner)
    for path in ("badges.pdf", f"badges.pdf?participant={ana['participant_id']}"):
        answer = await house.client.get(f"/desk/stops/{house.stop}/{path}", headers=headers)
        assert answer.status_code == 404, path
    path = f"/desk/registrations.csv?stop_id={house.stop}"
    table = (await house.client.get(path, headers=headers)).text
    assert "Sample ana" in table
    assert "ana@example.com" not in table
    assert "Deputy of something" not in table


@pytest.mark.parametrize("way", ["one", "list", "group"])
async def test_nobody_but_the_mission_makes_a_delegate(house: "House", way: str) -> None:
    """Whoever travels was selected: neither a door nor a partner's key adds to them."""
    partner = house.someone("partner_staff", partner_id=house.partner)
    theirs = {"source": "partner_api", "partner_id": str(house.partner)}
    for who, brought in ((partner, theirs), (house.someone("door_staff"), {"source": "walk_in"})):
        body = house.sign_up("ana", side="delegation", **brought)
        path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
        if way == "list":
            path, body = f"{path}/bulk", {"registrations": [body]}
        elif way == "group":
            path = path.replace("registrations", "groups")
            person = body.pop("person")
            body["people"] = [person, person | {"email": "bo@example.com"}]
        answer = await house.post(path, body, who, key=way)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await house.rows("SELECT FROM person") == []


async def test_an_erased_member_of_staff_registers_no_list(house: "House") -> None:
    staff = {
        "role": "partner_staff",
        "full_name": "Sample Staff",
        "email": "staff@example.com",
        "language": "en",
        "stop_ids": [str(house.stop)],
        "partner_id": str(house.partner),
    }
    gone = await house.made(f"/missions/{house.mission}/staff", staff)
    who = house.someone("partner_staff", subject=gone, partner_id=house.partner)
    await house.post(f"/api/v1/people/{gone}/erase", None, house.boss)

    path = f"/api/v1/programme-items/{house.items['talks']}/registrations/bulk"
    row = house.sign_up("ana", source="partner_api", partner_id=str(house.partner))
    answer = await house.post(path, {"registrations": [row]}, who, key="k")

    assert answer.status_code == 401
    assert await house.statuses() == {}


async def test_files_that_are_only_announced_take_no_room_from_others(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.commands.files.WAITING_BYTES_MAX", CHUNK_BYTES + 10)
    question = await house.made(f"/missions/{house.mission}/questions", FILE)
    path = f"/api/v1/missions/{house.mission}"
    begun = [
        await house.post(f"{path}/questions/{question}/files", {"name": "x", "bytes": CHUNK_BYTES})
        for _ in range(3)
    ]
    assert [answer.status_code for answer in begun] == [201] * 3

    parts = [
        await house.client.put(
            f"{path}/files/{answer.json()['id']}/chunks/0", content=b"x" * CHUNK_BYTES
        )
        for answer in begun
    ]
    assert [answer.status_code for answer in parts] == [200, 409, 409]


async def test_a_registration_that_ended_keeps_its_file_through_an_edit(house: "House") -> None:
    question = await house.made(f"/missions/{house.mission}/questions", FILE)
    path = f"/api/v1/missions/{house.mission}"
    begun = await house.post(f"{path}/questions/{question}/files", {"name": "x.pdf", "bytes": 9})
    file = f"{path}/files/{begun.json()['id']}"
    await house.client.put(f"{file}/chunks/0", content=b"%PDF-1.7\n")
    await house.post(f"{file}/finish")
    ana = await house.registered("ana", answers={"letter": begun.json()["id"]})
    dinner = await house.registered("ana", "dinner")
    await house.decide(ana["id"], "cancel")

    headers = house.headers(house.boss) | {"If-Match": '"1"'}
    change = {"person": house.sign_up("ana")["person"] | {"full_name": "Sample Anna"}}
    answer = await house.client.patch(
        f"/api/v1/registrations/{dinner['id']}", json=change, headers=headers
    )

    assert answer.status_code == 200, answer.text
    assert (await house.get(file, house.boss)).content == b"%PDF-1.7\n"


def test_no_pattern_of_staff_makes_a_match_slow() -> None:
    patterns = [".*" * 20, "[a-z]*" * 20, "a{0,200}" * 19 + "b"]
    began = time.thread_time()
    found = [matches(parsed(pattern), "a" * 4_000) for pattern in patterns]

    assert found == [True, True, False]
    # Thirty seconds when every place is gone on from one by one.
    assert time.thread_time() - began < 3


async def test_no_cache_that_others_share_keeps_what_the_api_says(house: "House") -> None:
    ana = await house.registered("ana")
    for path, who in (
        (f"/registrations/{ana['id']}", house.person(ana)),
        (f"/people/{ana['participant_id']}/consents", house.person(ana)),
        (f"/stops/{house.stop}/registrations", house.boss),
        (f"/registrations?stop_id={house.stop}", house.boss),
    ):
        answer = await house.get(f"/api/v1{path}", who)
        assert answer.status_code == 200
        assert "private" in answer.headers["cache-control"], path


@pytest.mark.parametrize(
    "query",
    [
        "since=0001-01-01T00:00:00",
        "since=9999-12-31T23:59:59-12:00",
        # The beginning and the end of the calendar in a cursor of one's own making.
        "cursor=WyJuZXdlc3QiLCIwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCIsIjAwMDEtMDEtMDFUMDA6MDA6MDArMTQ6MDAiLDBd",
        "cursor=WyJuZXdlc3QiLCIwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCIsIjk5OTktMTItMzFUMjM6NTk6NTktMTI6MDAiLDBd",
    ],
)
async def test_the_ends_of_the_calendar_break_no_list(house: "House", query: str) -> None:
    for path in ("/api/v1/registrations?", f"/desk/stops/{house.stop}/registrations?"):
        answer = await house.get(f"{path}stop_id={house.stop}&{query}", house.boss)
        assert answer.status_code == 422


async def test_what_people_write_is_text_on_every_page_that_shows_it(house: "House") -> None:
    nasty = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
    ana = await house.registered(
        "ana",
        "dinner",
        person={"full_name": nasty, "native_name": nasty, "position": {"en": nasty, "zh": nasty}},
        organization={"name": nasty, "native_name": nasty, "size": "<b>1</b>"},
        listings=[
            {"kind": "offer", "sector": "batteries", "text": {"en": nasty, "zh": nasty}},
        ],
    )
    await house.registered("bo", organization={"name": f"{nasty} Co.", "native_name": nasty})
    question = FILE | {"code": "odd", "kind": "text", "label": {"en": nasty, "zh": nasty}}
    await house.made(f"/missions/{house.mission}/questions", question)
    me: Any = house.person(ana)
    pages = [
        (f"/desk/stops/{house.stop}", house.boss),
        (f"/desk/stops/{house.stop}?q=script", house.boss),
        (f"/desk/stops/{house.stop}/registrations", house.boss),
        (f"/desk/stops/{house.stop}/form", house.boss),
        (f"/desk/stops/{house.stop}/scan", house.boss),
        (f"/desk/registrations/{ana['id']}", house.boss),
        (f"/desk/missions/{house.mission}/companies", house.boss),
        (f"/desk/missions/{house.mission}/companies?q=script", house.boss),
        (f"/desk/audit?mission_id={house.mission}", house.boss),
        (f"/desk/people/{ana['participant_id']}/privacy", house.boss),
        (f"/status/{ana['id']}/edit", me),
        ("/status", me),
        ("/my/badge", me),
        ("/my/privacy", me),
        ("/my/privacy/data", me),
        ("/missions/sample/stops/guangzhou/register", None),
    ]
    for path, who in pages:
        for language in ("en", "zh"):
            shown = await house.page(path, who, lang=language)
            assert "<script>alert" not in shown, path
            assert "<img src=x" not in shown, path
            assert "<b>1</b>" not in shown, path
