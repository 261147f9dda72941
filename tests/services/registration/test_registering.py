import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.registration.commands.committing import BATCH_MAX

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

Crowd = dict[str, dict[str, Any]]


async def test_a_burst_never_oversells(house: "House") -> None:
    answers = await asyncio.gather(*(house.register(f"p{number}") for number in range(30)))

    assert Counter(a.status_code for a in answers) == {201: 30}
    assert Counter(a.json()["status"] for a in answers) == {"confirmed": 2, "waitlisted": 28}
    assert sorted(a.json().get("position", 0) for a in answers) == [0, 0, *range(1, 29)]
    assert await house.places() == (2, 28)


async def test_of_more_than_are_read_ahead_each_is_answered_for_what_was_sent(
    house: "House",
) -> None:
    plain = BATCH_MAX + 90
    known = await house.registered("ana")
    async with house.crossing(BATCH_MAX):
        first = [asyncio.create_task(house.register(f"p{number}")) for number in range(plain)]
        while house.rush.queue.waiting < plain:
            await asyncio.sleep(0.01)
        assert house.rush.queue.is_crowded
        others = [
            asyncio.create_task(house.register("q", person={"email": "nobody"})),
            asyncio.create_task(house.register("r", consent=False)),
            asyncio.create_task(house.register("ana")),
            asyncio.create_task(house.register("s", who=house.boss, source="walk_in")),
            asyncio.create_task(house.register("p0", key="same")),
            asyncio.create_task(house.register("p0", key="same")),
        ]
    answers = await asyncio.gather(*first)
    statuses = [(await other).status_code for other in others]

    assert Counter(answer.status_code for answer in answers) == {201: plain}
    assert sorted(answer.json().get("position", 0) for answer in answers) == [0, *range(1, plain)]
    assert statuses[:4] == [422, 422, 200, 201]
    assert set(statuses[4:]) <= {200, 409}
    assert await house.places() == (2, plain)
    assert (await house.statuses())["ana"] == known["status"]


async def test_the_database_itself_refuses_one_place_too_many(house: "House") -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await house.rows("UPDATE programme_item SET taken = 3 WHERE id = $1", house.items["talks"])


async def test_people_register_and_cancel_at_once_and_every_place_is_accounted_for(
    house: "House",
) -> None:
    first = [await house.registered(f"p{number}") for number in range(6)]

    await asyncio.gather(
        *(house.decide(registration["id"], "cancel") for registration in first),
        *(house.register(f"q{number}") for number in range(6)),
    )

    statuses = Counter((await house.statuses()).values())
    assert statuses == {"cancelled": 6, "confirmed": 2, "waitlisted": 4}
    assert await house.places() == (2, 4)


async def test_who_waits_longest_gets_the_place_that_becomes_free(
    house: "House", crowd: Crowd
) -> None:
    assert crowd["dai"]["position"] == 2

    await house.decide(crowd["ana"]["id"], "cancel")
    assert (await house.statuses())["chen"] == "confirmed"
    await house.decide(crowd["bo"]["id"], "cancel")
    assert (await house.statuses())["dai"] == "confirmed"
    assert await house.places() == (2, 0)


async def test_a_newcomer_never_passes_those_who_wait(house: "House", crowd: Crowd) -> None:
    # More places than before, and the list is not empty yet.
    await house.rows("UPDATE programme_item SET capacity = 9 WHERE id = $1", house.items["talks"])

    assert (await house.registered("eve"))["status"] == "waitlisted"
    await house.decide(crowd["dai"]["id"], "cancel")

    statuses = await house.statuses()
    assert (statuses["chen"], statuses["eve"]) == ("confirmed", "confirmed")
    assert await house.places() == (4, 0)


async def test_who_cancels_while_waiting_leaves_the_list(house: "House", crowd: Crowd) -> None:
    await house.decide(crowd["chen"]["id"], "cancel")
    await house.decide(crowd["ana"]["id"], "cancel")

    assert await house.statuses() == {
        "ana": "cancelled",
        "bo": "confirmed",
        "chen": "cancelled",
        "dai": "confirmed",
    }
    assert await house.places() == (2, 0)


async def test_who_registers_again_after_cancelling_queues_behind_everybody(
    house: "House", crowd: Crowd
) -> None:
    await house.decide(crowd["ana"]["id"], "cancel")

    again = await house.register("ana")

    assert again.status_code == 201
    assert again.json()["id"] == crowd["ana"]["id"]
    assert (again.json()["status"], again.json()["position"]) == ("waitlisted", 2)
    assert list(await house.statuses()) == ["bo", "chen", "dai", "ana"]


async def test_two_requests_that_revive_one_registration_take_one_place(house: "House") -> None:
    ana = await house.registered("ana")
    await house.decide(ana["id"], "cancel")

    statuses = await house.meeting(*(house.register("ana") for _ in range(5)))

    assert statuses == [200] * 4 + [201]
    assert await house.places() == (1, 0)


async def test_a_person_known_from_another_item_registers_once_for_a_burst(house: "House") -> None:
    await house.registered("ana", "dinner")

    statuses = await house.meeting(*(house.register("ana") for _ in range(5)))

    assert statuses == [200] * 4 + [201]
    assert await house.places() == (1, 0)


async def test_an_approval_confirms_and_a_rejection_frees_the_place(house: "House") -> None:
    first, second, third = [await house.registered(name, "dinner") for name in ("a", "b", "c")]
    assert (first["status"], third["status"]) == ("pending_approval", "waitlisted")

    assert (await house.decide(first["id"], "approve"))["status"] == "confirmed"
    assert (await house.decide(second["id"], "reject"))["status"] == "rejected"

    # A place from the waiting list needs the same approval.
    assert await house.statuses("dinner") == {
        "a": "confirmed",
        "b": "rejected",
        "c": "pending_approval",
    }
    again = await house.register("b", "dinner")
    assert (again.status_code, again.json()["status"]) == (200, "rejected")


async def test_two_decisions_at_once_are_one(house: "House", crowd: Crowd) -> None:
    path = f"/api/v1/registrations/{crowd['ana']['id']}/cancel"
    statuses = await house.meeting(*(house.post(path, None, house.boss) for _ in range(4)))

    assert statuses == [200, 409, 409, 409]
    assert await house.places() == (2, 1)


async def test_a_form_sent_again_under_another_key_gives_the_first_registration(
    house: "House",
) -> None:
    first = await house.registered("ana")
    second = await house.register(
        "other", person={"email": "ANA@Example.com", "full_name": "Sample ana"}
    )

    assert second.status_code == 200
    assert second.json()["id"] == first["id"]
    assert "sign_in_path" in first
    assert "sign_in_path" not in second.json()


async def test_an_address_tells_a_stranger_nothing_of_its_owner(house: "House") -> None:
    ana = await house.registered("ana")
    await house.registered("us-01", who=house.boss, side="delegation")
    stranger = house.someone("local")
    strangers = [
        await house.register("ana", person={"full_name": "Somebody Else"}),
        await house.register("ana", person={"full_name": "Somebody Else"}, who=stranger),
        await house.register("us-01"),
        await house.register("us-01", who=stranger),
    ]

    assert [(one.status_code, one.json()) for one in strangers] == [
        (202, {"status": "sent_if_known"})
    ] * 4
    assert (await house.told(ana["participant_id"]))[-2:] == ["sign_in.requested"] * 2
    (person,) = await house.rows("SELECT full_name FROM person WHERE email = 'ana@example.com'")
    assert person["full_name"] == "Sample ana"


async def test_what_a_stranger_is_answered_is_the_same_when_it_is_sent_again(
    house: "House",
) -> None:
    await house.registered("ana")
    other = {"full_name": "Somebody Else"}
    answers = [await house.register("ana", key="one", person=other) for _ in range(2)]

    assert [one.status_code for one in answers] == [202, 202]


async def test_the_same_words_tell_nothing_later(house: "House") -> None:
    await house.registered("ana")
    await house.rows(
        "UPDATE registration SET registered_at = registered_at - interval '11 minutes'"
    )

    assert (await house.register("ana")).status_code == 202


async def test_the_owner_and_the_mission_are_told_of_the_first_registration(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    await house.rows("UPDATE registration SET registered_at = registered_at - interval '1 day'")
    owner = house.someone("local", subject=UUID(ana["participant_id"]))
    elsewhere = house.someone("mission_staff", mission_id=uuid4())
    other = {"full_name": "Ana, as She Writes It Now"}
    answers = [
        await house.register("ana", person=other, who=who)
        for who in (
            owner,
            house.someone("mission_staff"),
            elsewhere,
            house.someone("partner_staff"),
        )
    ]

    assert [one.status_code for one in answers] == [200, 200, 202, 202]
    assert [one.json().get("id") for one in answers] == [ana["id"]] * 2 + [None] * 2


async def test_the_same_address_at_once_is_one_person(house: "House") -> None:
    statuses = await house.meeting(*(house.register("ana") for _ in range(5)))

    assert statuses == [200] * 4 + [201]
    assert await house.statuses() == {"ana": "confirmed"}
    assert await house.places() == (1, 0)


async def test_an_address_of_another_role_is_refused(house: "House") -> None:
    delegate = await house.register("us-01", who=house.boss, side="delegation")
    assert delegate.status_code == 201

    answer = await house.register("us-01", who=house.boss)

    assert (answer.status_code, answer.json()["code"]) == (409, "other_role")


async def test_a_sector_the_mission_does_not_have_is_named(house: "House") -> None:
    answer = await house.register("ana", organization={"sectors": ["batteries", "tea"]})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/organization/sectors/1"]
    assert await house.rows("SELECT id FROM person") == []


async def test_a_partner_of_nobody_is_named(house: "House") -> None:
    answer = await house.register("ana", who=house.boss, partner_id=str(uuid4()))

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/partner_id"]


async def test_colleagues_share_one_company_and_what_was_said_first_stays(house: "House") -> None:
    company = {"name": "Sample Cells Co.", "size": "11-50"}
    offer = {"kind": "offer", "sector": "batteries", "text": {"zh": "电芯"}}
    await house.registered("ana", organization=company, listings=[offer])
    await house.registered("bo", organization=company | {"size": "1000+"}, listings=[offer])

    (organization,) = await house.rows("SELECT size FROM organization")
    (listing,) = await house.rows("SELECT content FROM listing")
    assert (organization["size"], listing["content"]) == ("11-50", {"en": "", "zh": "电芯"})


async def test_an_item_that_is_not_there_is_not_found(house: "House") -> None:
    house.items["gone"] = UUID(int=7)
    assert (await house.register("ana", "gone")).status_code == 404
    assert (await house.register("ana", "gone", who=house.boss)).status_code == 404


async def test_consent_is_kept_with_its_text_and_language(house: "House") -> None:
    await house.registered("ana")
    (consent,) = await house.rows("SELECT purpose, text_version, language FROM consent")
    assert consent["language"] == "zh"
    assert consent["text_version"]
    assert (await house.register("bo", consent=False)).status_code == 422
