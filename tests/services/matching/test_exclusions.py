"""Exclusions and vetoes: hard everywhere, and told to neither side."""

import json
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.commands import publishing, scheduling
from services.matching.commands.stating import Rules, state
from services.matching.domain.barring import Barred
from services.matching.domain.reports import Found
from services.matching.domain.timetable import solve
from services.matching.domain.unmet import Around, unmet
from services.matching.domain.wishes import CompanyWish, PreferenceKind, Wish, Wishes
from services.matching.store.people import everything
from shared.access import Principal
from shared.events import registration as r
from shared.http import now

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

REASON = "Competitors since the canary case 金丝雀"


@pytest.fixture
async def host(house: "House") -> Principal:
    """Staff of the partner that hosts the stop."""
    planned = house.stop_planned().model_copy(update={"hosts": (house.partner,)})
    await house.hear((planned, 2))
    return house.someone("partner_staff", partner_id=house.partner)


async def exclude(house: "House", pair: str, **facts: Any) -> Any:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {
        "mission_id": str(house.mission),
        "stop_id": str(house.stop),
        "kind": "people",
        "one_id": one,
        "other_id": other,
        "reason": REASON,
        **facts,
    }
    return await house.ask("POST", "/api/v1/exclusions", body=body)


async def exclude_companies(house: "House", pair: str, **facts: Any) -> Any:
    async with house.database.reading() as connection:
        one, other = [
            str(
                await connection.fetchval(
                    "SELECT organization_id FROM participant WHERE id = $1", house.people[name]
                )
            )
            for name in pair.split()
        ]
    return await exclude(house, pair, kind="companies", one_id=one, other_id=other, **facts)


async def veto(house: "House", pair: str, who: Principal) -> Any:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    return await house.ask("POST", "/api/v1/vetoes", who, body=body | {"reason": REASON})


async def part(house: "House", what: str, pair: str, host: Principal) -> Any:
    return await (exclude(house, pair) if what == "exclusion" else veto(house, pair, host))


async def must_meet(house: "House", pair: str) -> None:
    await prefer(house, pair, "must_meet")


async def refuse(house: "House", pair: str) -> None:
    await prefer(house, pair, "no_thanks")


async def prefer(house: "House", pair: str, kind: str) -> None:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    answer = await house.ask("PUT", "/api/v1/preferences", body=body | {"kind": kind})
    assert answer.status_code == 200, answer.text


async def solved(house: "House") -> tuple[set[str], dict[str, str]]:
    """Give the pairs of a new schedule, and why wishes are not in it."""
    async with house.database.reading() as connection:
        stated = await state(connection, house.stop, house.mission, 2)
    solution = solve(stated.problem)
    names = {person: name for name, person in house.people.items()}
    missing = unmet(stated.problem, solution, Around(stated.wishes, stated.met, stated.barred))
    pairs = {
        f"{names[one.delegate_id]} {names[one.local_id]}"
        for one in scheduling.entries_of(stated, solution)
    }
    return pairs, {
        f"{names[one.participant_id]} {names[one.counterpart_id]}": one.code
        for one in missing
        if one.counterpart_id
    }


@pytest.mark.parametrize("kind", ["people", "companies"])
@pytest.mark.parametrize("where", ["stop", "mission"])
async def test_two_who_are_excluded_never_meet_whatever_they_wish(
    house: "House", kind: str, where: str
) -> None:
    await must_meet(house, "dora lin")
    assert "dora lin" in (await solved(house))[0]
    facts = {} if where == "stop" else {"stop_id": None}
    make = exclude if kind == "people" else exclude_companies
    made = await make(house, "dora lin", **facts)

    assert (made.status_code, made.json()["reason"]) == (201, REASON)
    pairs, why = await solved(house)
    assert "dora lin" not in pairs
    assert why == {"dora lin": "excluded"}

    lifted = await house.ask("POST", f"/api/v1/exclusions/{made.json()['id']}/lift")
    assert lifted.status_code == 200
    assert lifted.json()["lifted_at"]
    assert "dora lin" in (await solved(house))[0]
    again = await house.ask("POST", f"/api/v1/exclusions/{made.json()['id']}/lift")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")


async def test_an_exclusion_at_one_stop_is_none_at_another(house: "House") -> None:
    await must_meet(house, "dora lin")
    other = house.stop_planned().model_copy(update={"stop_id": uuid4(), "slug": "nanjing"})
    await house.hear((other, 1))
    assert (await exclude(house, "dora lin", stop_id=str(other.stop_id))).status_code == 201

    assert "dora lin" in (await solved(house))[0]


async def test_a_pair_is_excluded_once_and_again_after_it_was_lifted(house: "House") -> None:
    first = await exclude(house, "dora lin")
    twice = await exclude(house, "lin dora")
    assert (twice.status_code, twice.json()["code"]) == (409, "already_barred")
    await house.ask("POST", f"/api/v1/exclusions/{first.json()['id']}/lift")

    assert (await exclude(house, "lin dora")).status_code == 201
    found = (await house.get(f"/exclusions?mission_id={house.mission}"))["items"]
    assert [one["lifted_at"] is None for one in found] == [True, False]


@pytest.mark.parametrize(
    ("pair", "facts", "pointer"),
    [
        ("lin liu", {}, "/other_id"),
        ("dora lin", {"other_id": str(uuid4())}, "/other_id"),
        ("dora lin", {"one_id": str(uuid4())}, "/one_id"),
        ("dora lin", {"kind": "companies"}, "/one_id"),
        ("dora lin", {"reason": ""}, "/reason"),
        ("dora lin", {"reason": "x" * 1_001}, "/reason"),
    ],
)
async def test_who_cannot_be_kept_apart_is_named(
    house: "House", pair: str, facts: dict[str, Any], pointer: str
) -> None:
    refused = await exclude(house, pair, **facts)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert await house.rows("SELECT FROM exclusion") == []


async def test_a_stop_of_another_mission_is_named(house: "House") -> None:
    boss = house.someone("mission_staff", mission_id=None)
    body = {
        "mission_id": str(uuid4()),
        "stop_id": str(house.stop),
        "kind": "people",
        "one_id": str(house.people["dora"]),
        "other_id": str(house.people["lin"]),
        "reason": REASON,
    }
    refused = await house.ask("POST", "/api/v1/exclusions", boss, body=body)

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/stop_id")


async def test_a_host_vetoes_a_pair_and_the_organiser_sees_and_lifts_it(
    house: "House", host: Principal
) -> None:
    await must_meet(house, "dora lin")
    made = await veto(house, "lin dora", host)
    assert (made.status_code, made.json()["partner_id"]) == (201, str(house.partner))
    pairs, why = await solved(house)
    assert "dora lin" not in pairs
    assert why == {"dora lin": "vetoed"}
    twice = await veto(house, "dora lin", host)
    assert (twice.status_code, twice.json()["code"]) == (409, "already_barred")

    (seen,) = (await house.get(f"/vetoes?stop_id={house.stop}"))["items"]
    assert (seen["reason"], seen["stated_by"]) == (REASON, str(host.subject))
    path = f"/api/v1/vetoes/{seen['id']}/lift"
    assert (await house.ask("POST", path, host)).status_code == 403
    lifted = await house.ask("POST", path)
    assert lifted.status_code == 200
    assert lifted.json()["lifted_at"]
    assert "dora lin" in (await solved(house))[0]


async def test_a_partner_that_does_not_host_the_stop_has_no_veto(
    house: "House", host: Principal
) -> None:
    supporter = house.someone("partner_staff", partner_id=uuid4())
    assert (await veto(house, "dora lin", supporter)).status_code == 403
    assert (await veto(house, "dora lin", house.boss)).status_code == 403
    assert (await veto(house, "dora lin", host)).status_code == 201

    assert (await house.get(f"/vetoes?stop_id={house.stop}", supporter))["items"] == []
    assert len((await house.get(f"/vetoes?stop_id={house.stop}", host))["items"]) == 1


async def test_a_veto_is_of_two_sides_who_are_here(house: "House", host: Principal) -> None:
    same = await veto(house, "lin luo", host)
    assert (same.status_code, same.json()["errors"][0]["pointer"]) == (422, "/counterpart_id")
    house.people["nobody"] = uuid4()
    assert (await veto(house, "dora nobody", host)).status_code == 404


@pytest.mark.parametrize("what", ["exclusion", "veto"])
async def test_a_version_made_before_is_not_published(
    house: "House", host: Principal, what: str
) -> None:
    new = await house.proposed(house.entry("dora lin", 1, "T1", "ivy"))
    made = await (
        exclude(house, "dora lin") if what == "exclusion" else veto(house, "dora lin", host)
    )
    assert (made.status_code, made.json()["meetings"]) == (201, [])
    refused = await house.ask("POST", f"/api/v1/schedules/{new}/publish")

    assert (refused.status_code, refused.json()["code"]) == (409, "stale_schedule")
    assert await house.states() == {}


@pytest.mark.parametrize("what", ["exclusion", "veto"])
async def test_a_meeting_that_stands_is_named_not_moved_and_left_out_of_the_next_version(
    house: "House", host: Principal, what: str
) -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    made = await (
        exclude(house, "lin dora") if what == "exclusion" else veto(house, "lin dora", host)
    )
    assert made.json()["meetings"] == [str(meeting)]

    body = {"starts_at": house.slot(4).isoformat(), "point_id": str(house.points["T2"])}
    moved = await house.order(meeting, "move", 1, body)
    assert (moved.status_code, moved.json()["code"]) == (409, "barred")
    assert REASON not in moved.text
    # A version that would leave it where it is does not fit either.
    kept = [house.entry("dora lin", 1, "T1", "ivy"), house.entry("dora liu", 2, "T1", "ivy")]
    stays = await house.proposed(*kept, house.entry("dave luo", 1, "T2"))
    refused = await house.ask("POST", f"/api/v1/schedules/{stays}/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "stale_schedule")
    assert "dora lin" not in (await solved(house))[0]


async def test_a_meeting_that_is_fixed_does_not_hold_up_the_others(house: "House") -> None:
    await house.day()
    assert (await house.order(await house.meeting("dora lin"), "call", 1)).status_code == 200
    await exclude(house, "dora lin")
    kept = [house.entry("dora lin", 1, "T1", "ivy"), house.entry("dora liu", 2, "T1", "ivy")]

    assert (await house.published(*kept, house.entry("dave luo", 2, "T2")))["changed"] == 1


async def test_why_a_wish_is_not_fulfilled_is_told_to_staff_and_not_to_participants(
    house: "House", host: Principal
) -> None:
    assert (await exclude(house, "dora lin")).status_code == 201
    assert (await veto(house, "dora luo", host)).status_code == 201
    for other in ("lin", "luo", "liu"):
        await must_meet(house, f"dora {other}")
    await refuse(house, "liu dora")
    async with house.database.reading() as connection:
        stated = await state(connection, house.stop, house.mission, 1)
    solution = solve(stated.problem)
    missing = unmet(stated.problem, solution, Around(stated.wishes, stated.met, stated.barred))
    schedule = await house.proposed()
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE schedule SET state = 'draft'")
    await house.found(schedule, Found.of([], missing))
    await publishing.publish(house.database, schedule, now)

    path = f"/unmet-wishes?stop_id={house.stop}&participant_id={house.people['dora']}"
    to_staff = (await house.get(path))["items"]
    to_dora = (await house.get(path, house.person("dora")))["items"]
    codes = sorted(one["reason"]["code"] for one in to_staff)
    assert codes == ["excluded", "refused", "vetoed"]
    assert [one["reason"]["code"] for one in to_dora] == ["not_scheduled"] * 3
    assert len({json.dumps(one["reason"]) for one in to_dora}) == 1
    assert to_dora[0]["reason"]["zh"]
    other = f"/unmet-wishes?stop_id={house.stop}&participant_id={house.people['lin']}"
    assert (await house.get(other, house.person("lin")))["items"] == []
    assert (await house.ask("GET", f"/api/v1{path}", house.person("lin"))).status_code == 403


def visible(house: "House", name: str) -> list[str]:
    person = house.people[name]
    query = f"?stop_id={house.stop}&participant_id={person}"
    lists = ("recommendations", "preferences", "company-preferences", "requests", "meetings")
    return [f"/api/v1/{path}{query}" for path in lists]


async def shown(house: "House", name: str) -> list[str]:
    """Read all that a participant can read, as text."""
    who = house.person(name)
    return [(await house.ask("GET", path, who)).text for path in visible(house, name)]


async def test_neither_side_learns_of_an_exclusion_a_veto_or_a_no(
    house: "House", host: Principal
) -> None:
    before = {name: await shown(house, name) for name in ("dora", "lin", "luo")}
    assert (await exclude(house, "dora lin")).status_code == 201
    assert (await exclude_companies(house, "dave lin", stop_id=None)).status_code == 201
    assert (await veto(house, "dora luo", host)).status_code == 201
    await refuse(house, "liu dora")

    assert {name: await shown(house, name) for name in before} == before
    # Nor by asking: a request is made and waits as any other does.
    for other in ("lin", "luo", "liu"):
        ids = {"participant_id": str(house.people["dora"])}
        ids["counterpart_id"] = str(house.people[other])
        made = await house.ask(
            "POST",
            "/api/v1/requests",
            house.person("dora"),
            body={"stop_id": str(house.stop), **ids},
            Idempotency_Key=other,
        )
        assert (made.status_code, made.json()["status"]) == (201, "pending")
    # Nor in events, nor in what one is given about oneself.
    rows = await house.rows("SELECT payload FROM outbox")
    told = b" ".join(row["payload"] for row in rows).decode()
    assert not {word for word in ("金丝雀", "no_thanks", "exclu", "veto") if word in told}
    async with house.database.reading() as connection:
        for name in ("dora", "lin", "luo"):
            held = json.dumps(await everything(connection, house.people[name]), default=str)
            assert "canary" not in held
            assert "no_thanks" not in held


async def test_with_somebody_erased_what_was_written_about_the_pair_is_gone(
    house: "House", host: Principal
) -> None:
    await exclude(house, "dora lin")
    await exclude(house, "dave luo")
    await veto(house, "dave lin", host)
    lin = house.people["lin"]
    erased = r.PersonErased(person_id=lin, mission_id=house.mission, erased_at=house.slot(1))
    await house.hear((erased, 9))

    assert len(await house.rows("SELECT FROM exclusion")) == 1
    assert await house.rows("SELECT FROM veto") == []


PEOPLE = [UUID(int=n) for n in range(1, 7)]
FIRMS = [UUID(int=10 + n) for n in range(3)]
pairs = st.frozensets(
    st.tuples(st.sampled_from(PEOPLE[:3]), st.sampled_from(PEOPLE[3:])).map(frozenset), max_size=4
)
of_firms = st.frozensets(st.frozensets(st.sampled_from(FIRMS), min_size=2, max_size=2), max_size=2)
kinds: st.SearchStrategy[PreferenceKind] = st.sampled_from(get_args(PreferenceKind))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_who_may_meet_is_neither_refused_nor_excluded_nor_vetoed(data: st.DataObject) -> None:
    firm = {person: data.draw(st.sampled_from(FIRMS)) for person in PEOPLE}
    barred = Barred(data.draw(pairs), data.draw(of_firms), data.draw(pairs), firm)
    two = st.permutations(PEOPLE).map(lambda order: order[:2])
    stated: list[Wish] = [
        Wish(one, other, kind, again=data.draw(st.booleans()))
        for one, other in data.draw(st.lists(two, max_size=6))
        for kind in get_args(PreferenceKind)
        if data.draw(st.booleans())
    ]
    companies = [
        CompanyWish(person, data.draw(st.sampled_from(FIRMS)), data.draw(kinds))
        for person in data.draw(st.lists(st.sampled_from(PEOPLE), unique=True, max_size=3))
    ]
    met = set(data.draw(pairs))
    rules = Rules(Wishes(stated, companies, firm), barred, met)

    for one in PEOPLE[:3]:
        for other in PEOPLE[3:]:
            said = {
                wish.kind
                for wish in stated
                if {wish.participant_id, wish.counterpart_id} == {one, other}
            }
            said |= {
                wish.kind
                for wish in companies
                if (wish.participant_id, wish.organization_id)
                in {(one, firm[other]), (other, firm[one])}
            }
            pair = frozenset((one, other))
            is_kept_apart = (
                "no_thanks" in said
                or pair in barred.people | barred.vetoed | met
                or frozenset((firm[one], firm[other])) in barred.companies
            )
            assert not (is_kept_apart and rules.may_meet(one, other))
            if not is_kept_apart and not met:
                assert rules.may_meet(one, other)
