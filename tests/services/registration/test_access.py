from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from shared.access import Principal, Role

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines

STAFF = {"mission_staff"}
STOP_STAFF = {"mission_staff", "partner_staff", "door_staff"}
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

ROUTES: dict[str, set[str]] = {
    "POST /missions": set(),
    "POST /missions/{mission}/partners": STAFF,
    "POST /missions/{mission}/stops": STAFF,
    "POST /missions/{mission}/staff": STAFF,
    "GET /missions/{mission}/staff": STAFF,
    "POST /stops/{stop}/programme-items": STAFF,
    "GET /stops/{stop}/numbers": STOP_STAFF,
    "GET /stops/{stop}/registrations": STAFF | {"partner_staff"},
    "POST /registrations/{registration}/approve": STAFF,
    "POST /registrations/{registration}/reject": STAFF,
    "POST /registrations/{registration}/cancel": STAFF,
    "POST /registrations/{registration}/check-in": STAFF | {"door_staff"},
    "POST /registrations/{registration}/check-in/undo": STAFF | {"door_staff"},
    "POST /sessions/links": STAFF,
}
"""Who may call what, with this mission's staff and strangers' registrations."""


async def answers(house: "House", lines: "Lines", route: str, who: Principal | None) -> int:
    """Call a route with a body that is right and give the status of its answer."""
    registration = await house.rows("SELECT id FROM registration")
    names = {"mission": house.mission, "stop": house.stop, "registration": registration[0]["id"]}
    bodies: dict[str, Any] = {
        "/missions": lines.mission,
        "partners": {"name": {"en": "Sample", "zh": "示例"}, "kind": "company"},
        "stops": lines.stop,
        "programme-items": lines.item,
        "undo": {"reason": "trial"},
        "links": {"role": "screen", "mission_id": str(house.mission)},
        "staff": {
            "role": "mission_staff",
            "full_name": "Sample Staff",
            "email": "staff@example.com",
            "language": "en",
            "stop_ids": [],
        },
    }
    method, _, path = route.partition(" ")
    body = bodies.get(path, bodies.get(path.rpartition("/")[2]))
    address = f"/api/v1{path.format(**names)}"
    answer = await (house.get(address, who) if method == "GET" else house.post(address, body, who))
    return answer.status_code


@pytest.mark.parametrize("route", ROUTES)
async def test_a_route_is_open_to_the_roles_of_the_table_alone(
    house: "House", lines: "Lines", route: str
) -> None:
    await house.registered("ana", "dinner")
    # Last, as what they may do changes what is there.
    for role in sorted(ROLES, key=lambda role: role in ROUTES[route]):
        who = house.someone(role, partner_id=house.partner if role == "partner_staff" else None)
        status = await answers(house, lines, route, who)
        # 409: the one before was allowed to, and did it.
        assert (status in (200, 201, 409)) == (role in ROUTES[route]), (role, status)
        assert status != 409 or role != "mission_staff" or "registrations" in route

    assert await answers(house, lines, route, None) == 401


@pytest.mark.parametrize("route", ROUTES)
async def test_staff_of_another_mission_or_stop_is_refused(
    house: "House", lines: "Lines", route: str
) -> None:
    await house.registered("ana", "dinner")
    for role in STOP_STAFF:
        stranger = house.someone(role, mission_id=uuid4(), partner_id=house.partner)  # type: ignore[arg-type]  # these are roles
        assert await answers(house, lines, route, stranger) == 403
    for role in STOP_STAFF - STAFF:
        elsewhere = house.someone(role, stop_ids=(uuid4(),), partner_id=house.partner)  # type: ignore[arg-type]  # these are roles
        assert await answers(house, lines, route, elsewhere) == 403


async def test_only_staff_of_every_mission_announces_one(house: "House", lines: "Lines") -> None:
    assert await answers_of_announcing(house, lines, house.someone("mission_staff")) == 403
    assert await answers_of_announcing(house, lines, house.boss) == 201


async def answers_of_announcing(house: "House", lines: "Lines", who: Principal) -> int:
    return (await house.post("/api/v1/missions", lines.mission, who)).status_code


async def test_a_participant_cancels_what_is_his_or_hers_alone(house: "House") -> None:
    ana, bo = await house.registered("ana"), await house.registered("bo")
    path = f"/api/v1/registrations/{ana['id']}/cancel"

    assert (await house.post(path, None, house.person(bo))).status_code == 403
    assert (await house.post(path, None, house.person(ana))).status_code == 200
    assert await house.statuses() == {"ana": "cancelled", "bo": "confirmed"}


async def test_nobody_approves_or_checks_in_himself(house: "House") -> None:
    ana = await house.registered("ana", "dinner")
    for action in ("approve", "check-in"):
        path = f"/api/v1/registrations/{ana['id']}/{action}"
        assert (await house.post(path, None, house.person(ana))).status_code == 403


async def test_a_partner_sees_checks_in_and_cancels_its_own_people_alone(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    theirs = await house.register(
        "ana", who=partner, source="partner_api", partner_id=str(house.partner)
    )
    other = await house.registered("bo")
    assert theirs.status_code == 201

    seen = (await house.get(f"/api/v1/stops/{house.stop}/registrations", partner)).json()["items"]
    assert [item["full_name"] for item in seen] == ["Sample ana"]
    for action in ("check-in", "cancel"):
        path = f"/api/v1/registrations/{theirs.json()['id']}/{action}"
        assert (await house.post(path, None, partner)).status_code == 200
        path = f"/api/v1/registrations/{other['id']}/{action}"
        assert (await house.post(path, None, partner)).status_code == 403


async def test_a_partner_finds_its_own_people_alone_at_the_door(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    await house.register("ana", who=house.boss, partner_id=str(house.partner))
    await house.registered("bo")

    page = await house.page(f"/desk/stops/{house.stop}?q=Sample", partner)

    assert "Sample ana" in page
    assert "Sample bo" not in page


@pytest.mark.parametrize(
    ("role", "source", "side", "statuses"),
    [
        (None, "self", "local", 201),
        (None, "self", "delegation", 401),
        (None, "import", "local", 401),
        ("local", "self", "delegation", 403),
        ("delegate", "walk_in", "local", 403),
        ("door_staff", "walk_in", "local", 201),
        ("door_staff", "import", "local", 403),
        ("partner_staff", "partner_api", "local", 403),
        ("mission_staff", "import", "delegation", 201),
    ],
)
async def test_who_may_register_whom(
    house: "House", role: Role | None, source: str, side: str, statuses: int
) -> None:
    who = house.someone(role) if role else None
    answer = await house.register("ana", who=who, source=source, side=side)
    assert answer.status_code == statuses


async def test_a_list_of_registrations_is_read_page_by_page(house: "House") -> None:
    names = [f"p{number}" for number in range(5)]
    for name in names:
        await house.registered(name)
    found, after = [], 0
    path = f"/api/v1/stops/{house.stop}/registrations?limit=2"
    for _ in range(3):
        page = (await house.get(f"{path}&after={after}", house.boss)).json()
        found += [item["full_name"] for item in page["items"]]
        after = page["next"]

    assert found == [f"Sample {name}" for name in names]
    assert after is None
