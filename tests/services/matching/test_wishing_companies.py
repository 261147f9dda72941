"""Several people of one company: anybody of them will do, each is met, and none twice."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.matching.commands import scheduling
from services.matching.commands.stating import state
from services.matching.domain.timetable import solve
from shared.access import Principal
from shared.events.registration import OrganizationFacts
from tests.services.matching import conftest

if TYPE_CHECKING:
    from tests.services.matching.conftest import House


@pytest.fixture(autouse=True)
def colleague(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know a second person at the company of lin, who speaks English."""
    people = {**conftest.PEOPLE, "lan": ("local", "need", "batteries", ("zh", "en"))}
    monkeypatch.setattr(conftest, "PEOPLE", people)


@pytest.fixture
async def firm(house: "House") -> UUID:
    """The company of lin and lan."""
    firm = OrganizationFacts(
        organization_id=uuid4(),
        name="Sample Cells Ltd.",
        native_name="示例电芯公司",
        country="CN",
        sectors=("batteries",),
    )
    await house.hear(*((house.confirmed(n, organization=firm), 3) for n in ("lin", "lan")))
    return firm.organization_id


async def wish(
    house: "House", name: str, firm: UUID, kind: str, who: Principal | None = None
) -> Any:
    body = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people[name]),
        "organization_id": str(firm),
        "kind": kind,
    }
    return await house.ask("PUT", "/api/v1/company-preferences", who, body=body)


async def prefer(house: "House", pair: str, **more: Any) -> None:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other, **more}
    answer = await house.ask("PUT", "/api/v1/preferences", body={"kind": "must_meet", **body})
    assert answer.status_code == 200, answer.text


async def solved(house: "House") -> tuple[Any, set[str]]:
    async with house.database.reading() as connection:
        stated = await state(connection, house.stop, house.mission, 2)
    names = {person: name for name, person in house.people.items()}
    entries = scheduling.entries_of(stated, solve(stated.problem))
    return stated, {f"{names[one.delegate_id]} {names[one.local_id]}" for one in entries}


async def test_a_wish_for_a_company_is_met_by_who_shares_a_language(
    house: "House", firm: UUID
) -> None:
    said = await wish(house, "dora", firm, "must_meet", house.person("dora"))
    assert (said.status_code, said.json()["on_behalf_of"]) == (200, None)
    _, pairs = await solved(house)

    # Dora speaks English: lan needs no interpreter, and one of the two is enough.
    assert "dora lan" in pairs
    assert "dora lin" not in pairs
    path = f"/company-preferences?stop_id={house.stop}&participant_id={house.people['dora']}"
    (seen,) = (await house.get(path, house.person("dora")))["items"]
    assert seen == said.json()


async def test_two_of_a_company_meet_two_delegates_at_once(house: "House", firm: UUID) -> None:
    del firm
    body = {"slug": "evening", "starts_at": house.slot(6).isoformat(), "slots": 1, "breaks": []}
    assert (await house.add_session(**body)).status_code == 201
    await prefer(house, "dora lin")
    await prefer(house, "dave lan")
    _, pairs = await solved(house)

    assert {"dora lin", "dave lan"} <= pairs


async def test_nobody_meets_a_company_twice_unless_that_is_wanted(
    house: "House", firm: UUID
) -> None:
    del firm
    await prefer(house, "dora lin")
    await prefer(house, "dora lan")
    stated, pairs = await solved(house)
    assert len(pairs & {"dora lin", "dora lan"}) == 1

    await prefer(house, "dora lin", again=True)
    stated, pairs = await solved(house)
    assert {"dora lin", "dora lan"} <= pairs
    assert {c.again for c in stated.problem.candidates} == {True, False}


async def test_who_has_met_a_company_is_no_candidate_for_another_of_it(
    house: "House", firm: UUID
) -> None:
    del firm
    await house.published(house.entry("dora lin", 1, "T1", "ivy"))
    answer = await house.order(await house.meeting("dora lin"), "call", 1)
    assert answer.status_code == 200
    stated, pairs = await solved(house)
    lan = house.people["lan"]

    assert pairs & {"dora lin", "dora lan"} == {"dora lin"}
    assert house.people["dora"] not in {
        c.delegate_id for c in stated.problem.candidates if c.local_id == lan
    }
    await prefer(house, "dora lan", again=True)
    assert {"dora lin", "dora lan"} <= (await solved(house))[1]


async def test_a_no_to_a_company_is_one_to_all_of_it_and_final(house: "House", firm: UUID) -> None:
    dora = house.person("dora")
    assert (await wish(house, "dora", firm, "no_thanks", dora)).status_code == 200
    again = await wish(house, "dora", firm, "meet", dora)
    assert (again.status_code, again.json()["code"]) == (409, "final")
    await prefer(house, "lin dora")
    stated, pairs = await solved(house)

    assert not pairs & {"dora lin", "dora lan"}
    assert stated.wishes.is_refused(house.people["lan"], house.people["dora"])


@pytest.mark.parametrize("name", ["dora", "lin"])
async def test_a_company_that_is_not_on_the_other_side_is_named(
    house: "House", firm: UUID, name: str
) -> None:
    refused = await wish(house, name, uuid4() if name == "dora" else firm, "meet")

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/organization_id"


async def test_what_one_states_about_a_company_is_read_by_nobody_else(
    house: "House", firm: UUID
) -> None:
    await wish(house, "dora", firm, "no_thanks")
    path = f"/company-preferences?stop_id={house.stop}&participant_id={house.people['dora']}"

    assert (await house.ask("GET", f"/api/v1{path}", house.person("lin"))).status_code == 403
    partner = house.someone("partner_staff", partner_id=house.partner)
    assert (await wish(house, "dora", firm, "meet", partner)).status_code == 403
