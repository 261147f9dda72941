"""The page on which mission staff sets a stop's places, and the one for walk-ins at its door."""

import io
import re
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from services.registration.pages.places import span

if TYPE_CHECKING:
    from tests.services.registration.conftest import House


def shown(**changes: Any) -> dict[str, Any]:
    """The form as the page shows it, with what somebody changes."""
    fields = {"capacity": "2", "requires_approval": "", "opens_at": "", "closes_at": ""}
    fields |= {"hold": "", "hold_unit": "hours", "offer": "", "offer_unit": "hours"}
    return {f"was_{name}": value for name, value in fields.items()} | fields | changes


async def change(house: "House", **changes: Any) -> httpx2.Response:
    path = f"/desk/stops/{house.stop}/places/{house.items['talks']}"
    return await house.send(path, shown(**changes), house.boss)


async def terms(house: "House") -> dict[str, Any]:
    path = f"/api/v1/programme-items/{house.items['talks']}/places"
    content: dict[str, Any] = (await house.get(path, house.boss)).json()
    return content


async def test_times_are_typed_by_the_clock_of_the_stop(house: "House") -> None:
    answer = await change(house, opens_at="2023-11-01T09:00", offer="90", offer_unit="minutes")

    assert answer.status_code == 303
    found = await terms(house)
    assert datetime.fromisoformat(found["opens_at"]) == datetime(2023, 11, 1, 1, tzinfo=UTC)
    assert (found["offer_seconds"], found["capacity"]) == (5400, 2)
    page = await house.page(f"/desk/stops/{house.stop}/places", house.boss)
    assert 'value="2023-11-01T09:00"' in page


async def test_what_stood_as_it_was_does_not_overwrite_what_somebody_else_changed(
    house: "House",
) -> None:
    await change(house, capacity="9")
    await change(house, hold="2", hold_unit="days")

    found = await terms(house)
    assert (found["capacity"], found["hold_seconds"]) == (9, 172_800)


async def test_who_waits_gets_the_places_that_are_added(
    house: "House", crowd: dict[str, dict[str, Any]]
) -> None:
    assert len(crowd) == 4
    await change(house, capacity="3")
    assert list((await house.statuses()).values()) == ["confirmed"] * 3 + ["waitlisted"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"capacity": "many"}, "Give the number of places"),
        ({"capacity": "100001"}, "Give the number of places"),
        ({"opens_at": "tomorrow"}, "not a day and time"),
        ({"opens_at": "2023-11-02T09:00", "closes_at": "2023-11-01T09:00"}, "close after it opens"),
        ({"offer": "400", "offer_unit": "days"}, "a year at most"),
        ({"offer": "1", "offer_unit": "years"}, "a year at most"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_changed(
    house: "House", changes: dict[str, str], says: str
) -> None:
    before = await terms(house)
    answer = await change(house, **changes)
    assert answer.status_code == 409
    assert says in answer.text
    assert await terms(house) == before


async def test_seats_are_kept_for_a_partner_and_the_door_and_freed(house: "House") -> None:
    path = f"/desk/stops/{house.stop}/places/{house.items['talks']}/seats"
    kept = await house.send(f"{path}/{house.partner}", {"seats": "1"}, house.boss)
    late = {"seats": "1", "releases_at": "2099-11-07T08:00"}
    door = await house.send(f"{path}/door", late, house.boss)
    more = await house.send(f"{path}/door", {"seats": "2"}, house.boss)

    assert [answer.status_code for answer in (kept, door, more)] == [303, 303, 409]
    assert "Too few places are free" in more.text
    assert "Sample Bureau" in more.text
    assert ((await terms(house))["reserved"], (await terms(house))["free"]) == (2, 0)
    await house.send(f"{path}/door", {"release": "yes"}, house.boss)
    assert (await terms(house))["free"] == 1


async def test_only_mission_staff_changes_places(house: "House") -> None:
    door, partner = house.someone("door_staff"), house.someone("partner_staff")
    path = f"/desk/stops/{house.stop}/places"
    for who in (door, partner):
        assert '<form method="post" action="/desk' not in await house.page(path, who)
        item = f"{path}/{house.items['talks']}"
        assert (await house.send(item, shown(capacity="9"), who)).status_code == 403
        assert (await house.send(f"{item}/seats/door", {"seats": "1"}, who)).status_code == 403
    assert (await terms(house))["capacity"] == 2


def test_a_span_is_written_in_the_largest_unit_it_is_whole_in() -> None:
    spans = [span(seconds) for seconds in (None, 60, 5400, 7200, 86_400, 90_000)]
    assert spans == [
        ("", "hours"),
        ("1", "minutes"),
        ("90", "minutes"),
        ("2", "hours"),
        ("1", "days"),
        ("25", "hours"),
    ]


async def come(house: "House", name: str = "王小明", **changes: Any) -> httpx2.Response:
    form = {
        "key": name,
        "name": name,
        "company": "示例电池公司",
        "item": str(house.items["talks"]),
        "languages": ["zh"],
        "language": "zh",
        "consent": "yes",
    }
    path = f"/desk/stops/{house.stop}/walk-in"
    return await house.send(path, form | changes, house.someone("door_staff"))


async def said(house: "House", answer: httpx2.Response) -> str:
    assert answer.status_code == 303, answer.text
    page = await house.page(answer.headers["location"], house.someone("door_staff"))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


async def test_who_walks_in_is_registered_and_checked_in_at_once(house: "House") -> None:
    answer = await come(house, consents=["cross_border_transfer"])

    assert "Let them in" in await said(house, answer)
    (row,) = await house.rows(
        "SELECT r.*, person.full_name, person.native_name, person.email FROM registration AS r "
        "JOIN person ON person.id = r.person_id"
    )
    assert (row["status"], row["source"], row["native_name"]) == ("confirmed", "walk_in", "王小明")
    assert row["checked_in_at"] is not None
    purposes = await house.rows("SELECT purpose FROM consent ORDER BY purpose")
    assert [one["purpose"] for one in purposes] == [
        "cross_border_transfer",
        "share_profile_with_the_other_side",
    ]


async def test_who_gave_no_address_is_written_to_by_nobody(house: "House") -> None:
    await come(house)
    (row,) = await house.rows("SELECT id, email FROM person")
    assert "@" not in row["email"]
    service = house.someone("service", mission_id=None, stop_ids=())
    answer = await house.get(f"/internal/contacts?ids={row['id']}", service)
    assert answer.json()["items"][0]["email"] == ""


async def test_who_gave_no_address_has_an_empty_cell_and_edits_the_rest(house: "House") -> None:
    await come(house)
    (row,) = await house.rows("SELECT id, person_id FROM registration")
    for kind in ("csv", "xlsx"):
        path = f"/desk/registrations.{kind}?stop_id={house.stop}"
        answer = await house.client.get(path, headers=house.browser(house.boss))
        assert answer.status_code == 200
        content = answer.content if kind == "csv" else unzipped(answer.content)
        assert "王小明".encode() in content
        assert b"walk-in:" not in content

    read = await house.get(f"/api/v1/registrations/{row['id']}", house.boss)
    person = read.json()["person"]
    assert person["email"] == ""
    headers = house.headers(house.boss) | {"If-Match": read.headers["ETag"]}
    body = {"person": person | {"full_name": "Wang Xiaoming"}}
    path = f"/api/v1/registrations/{row['id']}"
    edited = await house.client.patch(path, json=body, headers=headers)
    assert edited.status_code == 200, edited.text
    owner = house.someone("local", subject=row["person_id"])
    page = f"/status/{row['id']}/edit"
    assert "walk-in:" not in await house.page(page, owner)
    assert "None given" in await house.page(page, owner)
    form = {
        "revision": "2",
        "full_name": "Wang Xiaoming",
        "native_name": "王小明",
        "position": "Director",
        "languages": ["zh"],
        "organization_name": "示例电池公司",
        "country": "CN",
        "sectors": ["batteries"],
    }
    saved = await house.send(page, form, owner)
    assert saved.headers.get("location") == "/status?saved=yes", saved.text
    (now,) = await house.rows("SELECT email, full_name, position FROM person")
    assert (now["full_name"], "Director" in now["position"].values()) == ("Wang Xiaoming", True)
    assert now["email"].startswith("walk-in:")


def unzipped(content: bytes) -> bytes:
    """Give all that is in a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return b"".join(file.read(name) for name in file.namelist())


async def test_the_same_form_sent_twice_is_one_person(house: "House") -> None:
    first, second = await come(house), await come(house)
    assert first.headers["location"] == second.headers["location"]
    assert len(await house.rows("SELECT FROM registration")) == 1


async def test_the_door_says_honestly_when_no_place_is_free(
    house: "House", crowd: dict[str, dict[str, Any]]
) -> None:
    assert crowd
    page = await house.page(f"/desk/stops/{house.stop}/walk-in", house.someone("door_staff"))
    assert "No place is free" in page

    text = await said(house, await come(house))

    assert "Do not let them in yet" in text
    assert "Number 3 on the waiting list" in text
    assert await house.places() == (2, 3)


async def test_a_seat_kept_for_the_door_passes_the_line(house: "House") -> None:
    keeping = f"/desk/stops/{house.stop}/places/{house.items['talks']}/seats/door"
    await house.send(keeping, {"seats": "1"}, house.boss)
    for name in ("ana", "bo"):
        await house.registered(name)
    assert "Let them in" in await said(house, await come(house))


async def test_what_needs_approval_is_not_entered_by_the_door(house: "House") -> None:
    answer = await come(house, item=str(house.items["dinner"]))
    assert "the organizer has to approve" in await said(house, answer)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "Give the name."),
        ("company", " ", "Give the company."),
        ("company", "x" * 201, "Give the company."),
        ("other_name", "Wang\x07", "not one line of letters"),
        ("item", "", "Choose what they come for."),
        ("languages", [], "Choose one language at least."),
        ("email", "nonsense", "not an e-mail address"),
        ("sector", "nonsense", "Choose a sector from the list"),
        ("consent", "", "Without this agreement"),
    ],
)
async def test_what_is_missing_at_the_door_is_said_beside_its_field(
    house: "House", field: str, value: Any, says: str
) -> None:
    answer = await come(house, **{field: value})
    assert answer.status_code == 422
    assert says in answer.text
    assert await house.rows("SELECT FROM registration") == []


async def test_walk_ins_are_for_those_who_work_at_that_door(house: "House") -> None:
    path = f"/desk/stops/{house.stop}/walk-in"
    await house.page(path, house.someone("local"), status=403)
    await house.page(path, house.someone("door_staff", stop_ids=()), status=403)
