"""The ledger of outcomes: who states, confirms and disputes, and that a deal is counted once."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from services.matching.store import outcomes as store
from shared.access import Principal
from shared.events import registration as r

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

CONTRACT = {"kind": "contract", "value": "1200000.00", "currency": "USD"}


def between(house: "House", pair: str, **deal: Any) -> dict[str, Any]:
    delegate, local = pair.split()
    people = {
        "delegate_id": str(house.people[delegate]),
        "local_id": str(house.people[local]),
    }
    return people | {"kind": "mou"} | deal


async def state(
    house: "House", pair: str, who: Principal | None = None, **deal: Any
) -> httpx2.Response:
    return await house.ask("POST", "/api/v1/outcomes", who, body=between(house, pair, **deal))


async def word(
    house: "House", outcome: object, act: str, revision: int, who: Principal, **body: Any
) -> httpx2.Response:
    path = f"/api/v1/outcomes/{outcome}/{act}"
    return await house.ask("POST", path, who, body=body, If_Match=f'"{revision}"')


async def read(house: "House", outcome: object, who: Principal | None = None) -> Any:
    return await house.get(f"/outcomes/{outcome}", who)


async def totals(house: "House", who: Principal | None = None) -> Any:
    return await house.get(f"/outcomes/totals?mission_id={house.mission}", who)


async def test_a_deal_is_stated_by_one_side_and_confirmed_by_the_other(house: "House") -> None:
    await house.day()
    answer = await state(house, "dora lin", house.person("dora"), **CONTRACT, note="Signed in May.")
    assert answer.status_code == 201, answer.text
    outcome = answer.json()["id"]
    found = await read(house, outcome, house.person("lin"))
    assert (found["state"], found["value"], found["currency"]) == ("reported", "1200000.00", "USD")
    assert found["stop_id"] == str(house.stop)
    assert found["meeting_id"] == str(await house.meeting("dora lin"))

    answer = await word(house, outcome, "verify", 1, house.person("lin"))
    assert answer.json()["state"] == "verified"
    acts = [(one["act"], one["side"]) for one in answer.json()["history"]]
    assert acts == [("report", "delegation"), ("verify", "local")]
    assert (await house.told(UUID(outcome))) == ["outcome.reported", "outcome.verified"]
    counted = await totals(house)
    assert (counted["deals"], counted["verified"]) == (1, 1)
    assert counted["values"] == [
        {"currency": "USD", "stated": "1200000.00", "verified": "1200000.00"}
    ]
    assert counted["stops"][0]["deals"] == 1


async def test_the_same_deal_told_by_both_sides_is_one_and_confirmed(house: "House") -> None:
    await house.day()
    first = await state(house, "dora lin", house.person("dora"), **CONTRACT)
    second = await state(house, "dora lin", house.person("lin"), **CONTRACT)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert (await read(house, first.json()["id"]))["state"] == "verified"
    assert (await totals(house))["deals"] == 1


async def test_both_sides_at_once_open_one_deal(house: "House") -> None:
    await house.day()
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(
                state(house, "dora lin", house.person(name), **CONTRACT)
                for name in ("dora", "lin") * 4
            )
        )

    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert len(await house.rows("SELECT FROM outcome")) == 1
    said = await house.rows("SELECT revision FROM outcome_statement ORDER BY revision")
    assert [row["revision"] for row in said] == list(range(1, 9))


async def test_two_people_of_one_company_tell_of_one_deal(house: "House") -> None:
    await house.day()
    await house.rows(
        "UPDATE participant SET organization_id = (SELECT organization_id FROM participant "
        "WHERE id = $1) WHERE id = $2",
        house.people["lin"],
        house.people["liu"],
    )
    first = await state(house, "dora lin", house.person("lin"), **CONTRACT)
    second = await state(house, "dora liu", house.person("liu"), **CONTRACT)

    assert first.json()["id"] == second.json()["id"]
    assert (await totals(house))["values"][0]["stated"] == "1200000.00"
    # Its own colleague is no other side.
    assert (await read(house, first.json()["id"]))["state"] == "reported"


async def test_a_deal_that_differs_is_a_new_word_on_the_same_and_confirmed_anew(
    house: "House",
) -> None:
    await house.day()
    outcome = (await state(house, "dora lin", house.person("dora"), kind="mou")).json()["id"]
    await word(house, outcome, "verify", 1, house.person("lin"))
    await word(house, outcome, "report", 2, house.person("lin"), **CONTRACT)
    found = await read(house, outcome)

    assert (found["kind"], found["state"], found["stated_by_side"]) == (
        "contract",
        "reported",
        "local",
    )
    counted = await totals(house)
    assert counted["values"] == [{"currency": "USD", "stated": "1200000.00", "verified": "0"}]
    assert [(one["kind"], one["deals"]) for one in counted["stages"]] == [("contract", 1)]
    assert (await word(house, outcome, "verify", 3, house.person("lin"))).status_code == 409
    assert (await word(house, outcome, "verify", 3, house.person("dora"))).status_code == 200


async def test_another_deal_waits_until_the_first_is_answered(house: "House") -> None:
    await house.day()
    first = (await state(house, "dora lin", house.person("dora"), **CONTRACT)).json()["id"]
    again = CONTRACT | {"is_another": True}
    refused = await state(house, "dora lin", house.person("lin"), **again)
    assert (refused.status_code, refused.json()["code"]) == (409, "answer_first")
    assert first in refused.json()["detail"]

    await word(house, first, "verify", 1, house.person("lin"))
    second = await state(house, "dora lin", house.person("lin"), **again)
    assert second.status_code == 201
    assert (await totals(house))["values"][0] == {
        "currency": "USD",
        "stated": "2400000.00",
        "verified": "1200000.00",
    }
    # Without saying which, the other side means the one that waits for it.
    third = await state(house, "dora lin", house.person("dora"), **CONTRACT)
    assert third.json()["id"] == second.json()["id"]


async def test_what_is_disputed_is_counted_apart_and_what_is_retracted_nowhere(
    house: "House",
) -> None:
    await house.day()
    outcome = (await state(house, "dora lin", house.person("dora"), **CONTRACT)).json()["id"]
    await word(house, outcome, "dispute", 1, house.person("lin"), note="It was a quotation.")
    counted = await totals(house)
    assert (counted["deals"], counted["disputed"], counted["values"]) == (0, 1, [])

    refused = await word(house, outcome, "retract", 2, house.person("lin"))
    assert (refused.status_code, refused.json()["code"]) == (409, "not_own_word")
    await word(house, outcome, "retract", 2, house.person("dora"))
    counted = await totals(house)
    assert (counted["deals"], counted["disputed"]) == (0, 0)
    assert (await word(house, outcome, "verify", 3, house.person("lin"))).status_code == 409


async def test_staff_confirms_and_nobody_confirms_the_own_word(house: "House") -> None:
    await house.day()
    boss, other = house.boss, house.boss
    outcome = (await state(house, "dora lin", boss, **CONTRACT)).json()["id"]
    refused = await word(house, outcome, "verify", 1, boss, side="local")
    assert (refused.status_code, refused.json()["code"]) == (409, "own_word")
    assert (await word(house, outcome, "verify", 1, other)).json()["state"] == "verified"


async def test_evidence_makes_it_evidenced_and_more_of_it_keeps_it_verified(
    house: "House",
) -> None:
    await house.day()
    link = {"kind": "link", "content": "https://example.com/contract"}
    text = {"kind": "attachment", "content": "Contract, folder 7"}
    outcome = (
        await state(house, "dora lin", house.person("dora"), **CONTRACT, evidence=[link])
    ).json()["id"]
    assert (await read(house, outcome))["state"] == "evidenced"
    await word(house, outcome, "verify", 1, house.person("lin"))
    more = CONTRACT | {"evidence": [text]}
    answer = await word(house, outcome, "report", 2, house.person("dora"), **more)
    assert answer.json()["state"] == "verified"
    assert answer.json()["history"][2]["evidence"] == [text]


@pytest.mark.parametrize(
    ("deal", "pointer"),
    [
        ({"kind": "contract", "value": "5"}, "/currency"),
        ({"kind": "contract", "currency": "USD"}, "/value"),
        ({"kind": "contract", "value": "5", "currency": "XYZ"}, "/currency"),
        ({"kind": "contract", "value": "-5", "currency": "USD"}, "/value"),
        ({"kind": "contract", "value": "5.005", "currency": "USD"}, "/value"),
        ({"kind": "nda", "value": "5", "currency": "USD"}, "/value"),
        ({"kind": "handshake"}, "/kind"),
        ({"evidence": [{"kind": "link", "content": "http://x.example"}]}, "/evidence/0"),
        ({"local_id": str(uuid4())}, "/local_id"),
        ({"stop_id": str(uuid4())}, None),
    ],
)
async def test_what_is_no_deal_is_refused_with_its_field(
    house: "House", deal: dict[str, Any], pointer: str | None
) -> None:
    await house.day()
    answer = await state(house, "dora lin", **deal)

    assert answer.status_code == (404 if pointer is None else 422), answer.text
    if pointer:
        assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert await house.rows("SELECT FROM outcome") == []


async def test_two_who_had_no_meeting_say_at_which_stop_it_began(house: "House") -> None:
    without = await state(house, "dave lin")
    assert without.json()["errors"][0]["pointer"] == "/stop_id"
    answer = await state(house, "dave lin", stop_id=str(house.stop))
    assert answer.status_code == 201
    assert (await read(house, answer.json()["id"]))["meeting_id"] is None


async def test_a_request_sent_twice_is_one_word(house: "House") -> None:
    await house.day()
    body = between(house, "dora lin", **CONTRACT)
    boss = house.boss
    answers = [
        await house.ask("POST", "/api/v1/outcomes", boss, body=body, Idempotency_Key="k")
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert len(await house.rows("SELECT FROM outcome_statement")) == 1


async def test_a_word_on_a_revision_that_is_gone_is_refused(house: "House") -> None:
    await house.day()
    outcome = (await state(house, "dora lin", house.person("dora"))).json()["id"]
    await word(house, outcome, "report", 1, house.person("dora"), **CONTRACT)

    late = await word(house, outcome, "verify", 1, house.person("lin"))
    assert (late.status_code, late.json()["code"]) == (412, "stale_revision")


async def test_who_only_says_to_be_of_a_company_reads_and_confirms_none_of_its_deals(
    house: "House",
) -> None:
    await house.day()
    deal = (await state(house, "dora lin", house.person("dora"), **CONTRACT)).json()["id"]
    await house.rows(
        "UPDATE participant SET partner_id = NULL, organization_id = (SELECT organization_id "
        "FROM participant WHERE id = $1) WHERE id = $2",
        house.people["lin"],
        house.people["liu"],
    )
    await house.rows(
        "UPDATE meeting SET state = 'cancelled' WHERE local_id = $1", house.people["liu"]
    )
    stranger = house.person("liu")

    assert (await house.get(f"/outcomes?mission_id={house.mission}", stranger))["items"] == []
    assert (await house.ask("GET", f"/api/v1/outcomes/{deal}", stranger)).status_code == 403
    assert (await word(house, deal, "verify", 1, stranger)).status_code == 403
    assert (await state(house, "dora liu", stranger, **CONTRACT)).status_code == 403
    # Who sat at a table for the company speaks for it.
    await house.rows(
        "UPDATE meeting SET state = 'completed' WHERE local_id = $1", house.people["liu"]
    )
    assert (await word(house, deal, "verify", 1, stranger)).status_code == 200


async def test_people_see_the_deals_of_their_company_and_partners_those_of_their_invitees(
    house: "House",
) -> None:
    await house.day()
    mine = (await state(house, "dora liu", house.person("dora"))).json()["id"]
    other = (await state(house, "dave luo", house.person("dave"))).json()["id"]
    partner = house.someone("partner_staff", partner_id=house.partner)

    async def listed(who: Principal) -> set[str]:
        found = await house.get(f"/outcomes?mission_id={house.mission}", who)
        return {one["id"] for one in found["items"]}

    assert await listed(house.boss) == {mine, other}
    assert await listed(house.person("dora")) == await listed(partner) == {mine}
    assert await listed(house.person("luo")) == {other}
    assert await listed(house.person("lin")) == set()
    assert (await totals(house, partner))["deals"] == 1
    for role in ("door_staff", "interpreter", "screen", "applicant"):
        stranger = house.someone(role)
        assert await listed(stranger) == set()
        assert (await house.ask("GET", f"/api/v1/outcomes/{mine}", stranger)).status_code == 403
        assert (await state(house, "dora liu", stranger)).status_code == 403
    for who in (house.person("lin"), house.someone("mission_staff", mission_id=uuid4())):
        assert (await house.ask("GET", f"/api/v1/outcomes/{mine}", who)).status_code == 403
        assert (await word(house, mine, "verify", 1, who)).status_code == 403
        assert (await state(house, "dora liu", who)).status_code == 403


async def test_deals_are_listed_page_by_page_each_once_and_counted_whole(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.day()
    pairs = ("dora lin", "dora liu", "dora luo", "dave lin", "dave liu")
    opened = [(await state(house, pair, stop_id=str(house.stop))).json()["id"] for pair in pairs]
    # Of one moment, as those of a list that was brought are.
    await house.rows("UPDATE outcome SET opened_at = $1", datetime(2023, 11, 7, 9, tzinfo=UTC))
    monkeypatch.setattr(store, "OUTCOMES_AT_ONCE", 2)

    async def pages(who: Principal | None = None) -> list[list[str]]:
        found, after = [], ""
        while True:
            path = f"/outcomes?mission_id={house.mission}&limit=2{after}"
            answer = await house.get(path, who)
            found.append([one["id"] for one in answer["items"]])
            if answer["next"] is None:
                return found
            after = f"&after={answer['next']}"

    whole = await pages()
    assert [len(one) for one in whole] == [2, 2, 1]
    assert [one for part in whole for one in part] == sorted(opened, reverse=True)
    assert [len(one) for one in await pages(house.person("dora"))] == [2, 1]
    assert await pages(house.person("lin")) == [[opened[3], opened[0]]]
    assert (await totals(house))["deals"] == 5
    assert (await totals(house, house.person("dora")))["deals"] == 3


async def test_a_partner_speaks_for_whom_it_invited(house: "House") -> None:
    await house.day()
    partner = house.someone("partner_staff", partner_id=house.partner)
    outcome = (await state(house, "dora liu", house.person("dora"))).json()["id"]
    answer = await word(house, outcome, "verify", 1, partner)
    assert answer.json()["history"][1]["side"] == "local"
    wrong = await word(house, outcome, "dispute", 2, partner, side="delegation")
    assert wrong.status_code == 422


async def test_no_event_tells_what_a_deal_is_worth(house: "House") -> None:
    await house.day()
    note = {"note": "canary", "evidence": [{"kind": "text", "content": "canary"}]}
    await state(house, "dora lin", house.person("dora"), **CONTRACT, **note)
    payloads = await house.rows("SELECT payload FROM outbox WHERE type LIKE '%outcome%'")

    assert len(payloads) == 1
    assert b"canary" not in payloads[0]["payload"]
    assert b"1200000" not in payloads[0]["payload"]


async def test_what_was_said_is_not_rewritten_and_can_be_forgotten(house: "House") -> None:
    await house.day()
    said = {"note": "canary", "evidence": [{"kind": "text", "content": "canary"}]}
    outcome = (await state(house, "dora lin", house.person("dora"), **CONTRACT, **said)).json()[
        "id"
    ]
    for change in (
        "UPDATE outcome_statement SET value = 1",
        "UPDATE outcome_statement SET note = 'other'",
        """UPDATE outcome_statement SET evidence = '[{"kind": "text", "content": "other"}]'""",
        "DELETE FROM outcome_statement",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await house.rows(change)
    erased = r.PersonErased(
        person_id=house.people["lin"], mission_id=house.mission, erased_at=house.slot(1)
    )
    await house.hear((erased, 9))

    found = await read(house, outcome)
    assert (found["value"], found["state"]) == ("1200000.00", "evidenced")
    assert (found["history"][0]["note"], found["history"][0]["evidence"]) == (None, [])
