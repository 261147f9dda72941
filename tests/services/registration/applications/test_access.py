from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from shared.access import Principal, Role

if TYPE_CHECKING:
    from tests.services.registration.applications.conftest import Company, Selection

ROLES: tuple[Role, ...] = (
    "mission_staff",
    "partner_staff",
    "door_staff",
    "applicant",
    "delegate",
    "local",
    "interpreter",
    "screen",
    "service",
)
STAFF = {"mission_staff"}
OWN = {"applicant", "delegate"}

ROUTES: dict[str, set[str]] = {
    "PUT /missions/{mission}/call": STAFF,
    "PUT /missions/{mission}/certifications/litigation": STAFF,
    "PUT /missions/{mission}/reserve-list": STAFF,
    "GET /missions/{mission}/applications": STAFF,
    "GET /applications/{application}": STAFF | OWN,
    "PUT /applications/{application}": OWN,
    "POST /applications/{application}/submit": OWN,
    "POST /applications/{application}/attestations": OWN,
    "POST /applications/{application}/decisions": STAFF | OWN,
    "PUT /applications/{application}/review": STAFF,
    "GET /applications/{application}/reviews": STAFF,
    "POST /applications/{application}/letters": STAFF,
    "GET /applications/{application}/letters": STAFF | OWN,
    "POST /letters/{letter}/revoke": STAFF,
    "GET /letters/{letter}/pdf": STAFF | OWN,
}
"""Who may call what, about his or her own application and in the own mission."""

PAGES: dict[str, set[str]] = {
    "/applications/{application}": OWN,
    "/desk/missions/{mission}/applications": STAFF,
    "/desk/missions/{mission}/call": STAFF,
    "/desk/applications/{application}": STAFF,
}


@pytest.fixture
async def ana(selection: "Selection") -> "Company":
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review", "select")
    assert (await selection.letter(company)).status_code == 201
    return company


async def names(selection: "Selection", company: "Company") -> dict[str, Any]:
    (letter,) = await selection.house.rows("SELECT id FROM letter ORDER BY serial LIMIT 1")
    return {"mission": selection.mission, "application": company.id, "letter": letter["id"]}


async def status_of(
    selection: "Selection", company: "Company", route: str, who: Principal | None
) -> int:
    method, _, path = route.partition(" ")
    address = path.format(**await names(selection, company))
    body = None if method == "GET" else selection.body_of(path)
    return (await selection.ask(method, address, body, who, If_Match='"0"')).status_code


@pytest.mark.parametrize("route", ROUTES)
async def test_a_route_is_open_to_the_roles_of_the_table_alone(
    selection: "Selection", ana: "Company", route: str
) -> None:
    for role in ROLES:
        who = Principal(role, ana.who.subject, selection.mission, (selection.stop,))
        status = await status_of(selection, ana, route, who)
        # 409: the state forbids it; 412: the revision is none. Both come after the right to do it.
        assert (status in (200, 201, 409, 412)) == (role in ROUTES[route]), (role, status)
        assert (status == 403) == (role not in ROUTES[route]), (role, status)
    assert await status_of(selection, ana, route, None) == 401


@pytest.mark.parametrize("route", ROUTES)
async def test_strangers_are_refused(selection: "Selection", ana: "Company", route: str) -> None:
    elsewhere = Principal("mission_staff", uuid4(), uuid4())
    other = Principal("applicant", uuid4(), selection.mission)
    for who in (elsewhere, other):
        assert await status_of(selection, ana, route, who) == 403


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_is_shown_to_the_roles_of_the_table_alone(
    selection: "Selection", ana: "Company", page: str
) -> None:
    path = page.format(**await names(selection, ana))
    for role in ROLES:
        who = Principal(role, ana.who.subject, selection.mission, (selection.stop,))
        answer = await selection.house.client.get(path, headers=selection.house.browser(who))
        assert answer.status_code == (200 if role in PAGES[page] else 403), role
    answer = await selection.house.client.get(path, headers=selection.house.browser(None))
    assert answer.status_code == 401


async def test_an_applicant_is_no_member_of_staff(selection: "Selection") -> None:
    await selection.begun("ana")
    path = f"/missions/{selection.mission}/staff"
    found = (await selection.ask("GET", path, who=selection.staff)).json()["items"]
    assert [one["role"] for one in found] == []


async def test_a_contact_registers_as_a_delegate_once_the_company_has_confirmed(
    selection: "Selection", ana: "Company"
) -> None:
    item = {
        "slug": "talks",
        "kind": "matchmaking",
        "title": {"en": "Talks", "zh": "洽谈"},
        "starts_at": "2030-11-07T02:15:00Z",
        "ends_at": "2030-11-07T04:45:00Z",
        "capacity": 9,
    }
    house = selection.house
    house.items["talks"] = await house.made(f"/stops/{selection.stop}/programme-items", item)

    async def register() -> int:
        answer = await house.register("ana", who=selection.staff, side="delegation")
        return answer.status_code

    assert await register() == 409
    await selection.led(ana, "confirm")
    assert await register() == 201
    (row,) = await house.rows("SELECT person_id FROM registration")
    assert row["person_id"] == ana.who.subject
