from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from shared.access import Principal, Role

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

STAFF = {"mission_staff"}
DOOR = STAFF | {"door_staff"}
STOP_STAFF = DOOR | {"partner_staff"}
PARTNER = STAFF | {"partner_staff"}
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
    "POST /meeting-sessions": STAFF,
    "GET /meeting-sessions?stop_id={stop}": STOP_STAFF,
    "POST /meeting-sessions/{session}/points/{point}/close": DOOR,
    "GET /interpreters?stop_id={stop}": STOP_STAFF,
    "GET /recommendations?stop_id={stop}&participant_id={liu}": PARTNER,
    "PUT /preferences": PARTNER,
    "GET /preferences?stop_id={stop}&participant_id={liu}": PARTNER,
    "POST /requests": PARTNER,
    "GET /requests?stop_id={stop}&participant_id={liu}": PARTNER,
    "POST /requests/{request}/accept": STAFF,
    "POST /requests/{request}/decline": STAFF,
    "POST /requests/{request}/cancel": PARTNER,
    "PUT /company-preferences": PARTNER,
    "GET /company-preferences?stop_id={stop}&participant_id={liu}": PARTNER,
    "GET /unmet-wishes?stop_id={stop}&participant_id={liu}": PARTNER,
    "GET /quotas?stop_id={stop}": STAFF,
    "PUT /quotas": STAFF,
    "PUT /quotas/people": STAFF,
    "POST /exclusions": STAFF,
    "GET /exclusions?mission_id={mission}": STAFF,
    "POST /exclusions/{exclusion}/lift": STAFF,
    "POST /vetoes": {"partner_staff"},
    "GET /vetoes?stop_id={stop}": PARTNER,
    "POST /vetoes/{veto}/lift": STAFF,
    "POST /schedules": STAFF,
    "GET /schedules?stop_id={stop}": STAFF,
    "GET /schedules/{schedule}": STAFF,
    "POST /schedules/{schedule}/publish": STAFF,
    "GET /meetings?stop_id={stop}": STOP_STAFF,
    "GET /meetings?stop_id={stop}&participant_id={liu}": STOP_STAFF,
    "GET /meetings/{meeting}": STOP_STAFF,
    "GET /partners/{partner}/meetings?stop_id={stop}": PARTNER,
    "GET /meetings/{meeting}/options": DOOR,
    "POST /meetings/{meeting}/call": DOOR,
    "POST /meetings/{meeting}/start": DOOR,
    "POST /meetings/{meeting}/finish": DOOR,
    "POST /meetings/{meeting}/cancel": DOOR,
    "POST /meetings/{meeting}/no-show": DOOR,
    "POST /meetings/{meeting}/delay": DOOR,
    "POST /meetings/{meeting}/move": DOOR,
    "POST /repairs": DOOR,
    "GET /repairs?stop_id={stop}": DOOR,
    "GET /repairs/{repair}": DOOR,
    "POST /repairs/{repair}/accept": DOOR,
    "POST /repairs/{repair}/reject": DOOR,
    "POST /repairs/{repair}/again": DOOR,
    "POST /repairs/{repair}/offers/1/accept": DOOR,
    "GET /repair-rules?stop_id={stop}": DOOR,
    "PUT /repair-rules": STAFF,
    "GET /absences?stop_id={stop}": DOOR,
    "POST /absences/{absence}/end": DOOR,
}
"""Who may call what for a stranger, whom the partner brought."""


async def apart(house: "House", table: str, columns: str, values: str) -> UUID:
    """Keep dora and lin apart, by hand."""
    found, dora, lin = uuid4(), house.people["dora"], house.people["lin"]
    places = {"$3": house.mission if table == "exclusion" else house.partner, "$4": house.stop}
    await house.rows(
        f"INSERT INTO {table} (id, one_id, other_id, {columns}, reason, stated_by, stated_role, "  # noqa: S608
        f"stated_at) VALUES ('{found}', $1, $2, {values}, 'Sample', $1, 'mission_staff', now())",
        *(dora, lin),
        *(places[name] for name in ("$3", "$4") if name in values),
    )
    return found


async def company(house: "House", name: str) -> UUID:
    (row,) = await house.rows(
        "SELECT organization_id FROM participant WHERE id = $1", house.people[name]
    )
    found: UUID = row["organization_id"]
    return found


async def disturbed(house: "House") -> dict[str, UUID]:
    """Let a repair be proposed that could offer one meeting, and somebody be away, by hand."""
    found = {"repair": uuid4(), "absence": uuid4()}
    offer = {
        "delegate_id": str(house.people["dave"]),
        "local_id": str(house.people["lin"]),
        "session_id": str(house.session),
        "to": {
            "starts_at": house.slot(4).isoformat(),
            "ends_at": house.slot(5).isoformat(),
            "point_id": str(house.points["T1"]),
        },
        "interpreter_needed": False,
    }
    nothing = dict.fromkeys(("touched", "left", "additions", "unfitted", "people"), ())
    proven = dict.fromkeys(("drops_proven", "moves_proven", "is_nearest"), True)
    await house.rows(
        "INSERT INTO repair (id, stop_id, state, happened, proposal, people, proposed_at, "
        "proposed_by) VALUES ($1, $2, 'open', $3, $4, '{}', now(), $1)",
        found["repair"],
        house.stop,
        {"kind": "late", "subject_id": str(house.people["dave"])},
        nothing | proven | {"offers": [offer]},
    )
    await house.rows(
        "INSERT INTO absence (id, stop_id, resource_id, during, kind, noted_at) VALUES "
        "($1, $2, $3, tstzrange('2023-01-01', '2023-01-02'), 'late', now())",
        found["absence"],
        house.stop,
        house.people["dave"],
    )
    return found


class Doors:
    """The routes with all that their paths and bodies name."""

    def __init__(self, house: "House", names: dict[str, Any]) -> None:
        self.house = house
        self.names = names

    @classmethod
    async def of(cls, house: "House") -> "Doors":
        await house.day()
        liu, dora = house.people["liu"], house.people["dora"]
        request = uuid4()
        await house.rows(
            "INSERT INTO meeting_request (id, stop_id, participant_id, counterpart_id, status, "
            "requested_at) VALUES ($1, $2, $3, $4, 'pending', now())",
            request,
            house.stop,
            liu,
            dora,
        )
        await house.rows("UPDATE stop SET hosts = ARRAY[$1::uuid]", house.partner)
        names = {
            "stop": house.stop,
            "mission": house.mission,
            "partner": house.partner,
            "exclusion": await apart(house, "exclusion", "mission_id, kind", "$3, 'people'"),
            "veto": await apart(house, "veto", "stop_id, partner_id", "$4, $3"),
            "company": await company(house, "dave"),
            "session": house.session,
            "point": house.points["T2"],
            "liu": liu,
            "dora": dora,
            "request": request,
            "meeting": await house.meeting("dora liu"),
            "schedule": await house.proposed(),
            **await disturbed(house),
        }
        return cls(house, names)

    def body(self, path: str) -> Any:
        one = {"stop_id": str(self.house.stop), "participant_id": str(self.names["liu"])}
        pair = one | {"counterpart_id": str(self.house.people["dave"])}
        bodies: dict[str, Any] = {
            "preferences": pair | {"kind": "meet"},
            "requests": pair,
            "company-preferences": one
            | {"organization_id": str(self.names["company"]), "kind": "meet"},
            "quotas": {"stop_id": str(self.house.stop), "side": "local", "maximum": 3},
            "people": one | {"maximum": 3},
            "exclusions": {
                "mission_id": str(self.house.mission),
                "kind": "people",
                "one_id": pair["participant_id"],
                "other_id": pair["counterpart_id"],
                "reason": "Sample",
            },
            "vetoes": pair | {"reason": "Sample"},
            "schedules": {"stop_id": str(self.house.stop)},
            "close": {"from_slot": 4},
            "repairs": {
                "stop_id": one["stop_id"],
                "happened": {"kind": "point_lost", "point_id": str(self.names["point"])},
            },
            "repair-rules": {"stop_id": one["stop_id"], "meetings_max": 2},
            "delay": {"minutes": 5},
            "no-show": {"absent": [str(self.names["liu"])]},
            "move": {
                "starts_at": self.house.slot(3).isoformat(),
                "point_id": str(self.names["point"]),
            },
        }
        return bodies.get(path.rpartition("/")[2])

    async def knock(self, route: str, who: Principal) -> httpx2.Response:
        method, _, path = route.partition(" ")
        if route == "POST /meeting-sessions":
            return await self.session(who)
        headers = {} if method == "GET" else {"If_Match": '"1"'}
        headers |= {"Idempotency_Key": uuid4().hex} if method == "POST" else {}
        address = f"/api/v1{path.format(**self.names)}"
        return await self.house.ask(method, address, who, body=self.body(path), **headers)

    async def session(self, who: Principal) -> httpx2.Response:
        body = {
            "programme_item_id": str(self.house.item),
            "slug": f"s-{who.role.replace('_', '-')}",
            "starts_at": self.house.slot(6).isoformat(),
            "slot_minutes": 20,
            "slots": 1,
            "points": [{"label": who.role, "kind": "table"}],
        }
        return await self.house.ask("POST", "/api/v1/meeting-sessions", who, body=body)


@pytest.mark.parametrize("route", ROUTES)
async def test_a_route_is_open_to_the_roles_of_the_table_alone(house: "House", route: str) -> None:
    doors = await Doors.of(house)
    # Last, as what they may do changes what is there.
    for role in sorted(ROLES, key=lambda role: role in ROUTES[route]):
        partner = house.partner if role == "partner_staff" else None
        answer = await doors.knock(route, house.someone(role, partner_id=partner))
        # 404, 409 and 412: the state, or the one before who was allowed to.
        is_in = answer.status_code in (200, 201, 202, 204, 404, 409, 412)
        assert is_in == (role in ROUTES[route]), (role, answer.text)
        assert is_in or answer.status_code == 403
    unsigned = await house.client.request(
        route.partition(" ")[0], f"/api/v1{route.partition(' ')[2].format(**doors.names)}"
    )
    assert unsigned.status_code == 401


@pytest.mark.parametrize("route", ROUTES)
async def test_staff_of_another_mission_stop_or_partner_is_refused(
    house: "House", route: str
) -> None:
    doors = await Doors.of(house)
    for role in ("mission_staff", "partner_staff", "door_staff"):
        strangers = [house.someone(role, mission_id=uuid4(), partner_id=house.partner)]
        if role != "mission_staff":
            strangers.append(house.someone(role, stop_ids=(uuid4(),), partner_id=house.partner))
        for stranger in strangers:
            assert (await doors.knock(route, stranger)).status_code == 403
    # What is for the partner that brought somebody is for no other.
    if ROUTES[route] == PARTNER and "vetoes" not in route:
        other = house.someone("partner_staff", partner_id=uuid4())
        assert (await doors.knock(route, other)).status_code == 403


OWN = [
    "GET /recommendations?stop_id={stop}&participant_id={liu}",
    "GET /preferences?stop_id={stop}&participant_id={liu}",
    "GET /requests?stop_id={stop}&participant_id={liu}",
    "GET /meetings?stop_id={stop}&participant_id={liu}",
    "GET /meetings/{meeting}",
    "PUT /preferences",
    "POST /requests/{request}/cancel",
]


@pytest.mark.parametrize("route", OWN)
async def test_a_participant_reaches_what_is_his_or_hers_alone(house: "House", route: str) -> None:
    doors = await Doors.of(house)

    assert (await doors.knock(route, house.person("lin"))).status_code == 403
    assert (await doors.knock(route, house.person("liu"))).status_code == 200


async def test_an_interpreter_sees_the_meetings_to_interpret_alone(house: "House") -> None:
    await house.day()
    ivy = house.someone("interpreter", subject=house.helpers["ivy"])
    path = f"/meetings?stop_id={house.stop}"
    found = (await house.get(f"{path}&participant_id={ivy.subject}", ivy))["items"]

    assert {one["interpreter_id"] for one in found} == {str(ivy.subject)}
    assert len(found) == 2
    for pair, status in (("dora lin", 200), ("dave luo", 403)):
        address = f"/api/v1/meetings/{await house.meeting(pair)}"
        assert (await house.ask("GET", address, ivy)).status_code == status
    other = f"/api/v1{path}&participant_id={house.people['lin']}"
    assert (await house.ask("GET", other, ivy)).status_code == 403


@pytest.mark.parametrize("path", ["meetings", "schedules", "requests"])
async def test_what_nobody_knows_is_not_found(house: "House", path: str) -> None:
    command = {"meetings": "call", "schedules": "publish", "requests": "accept"}[path]
    address = f"/api/v1/{path}/{uuid4()}/{command}"

    assert (await house.ask("POST", address, If_Match='"1"')).status_code == 404


@pytest.mark.parametrize("path", ["meeting-sessions", "interpreters", "meetings", "schedules"])
async def test_a_stop_is_not_found_until_it_is_known(house: "House", path: str) -> None:
    assert (await house.ask("GET", f"/api/v1/{path}?stop_id={uuid4()}")).status_code == 404
