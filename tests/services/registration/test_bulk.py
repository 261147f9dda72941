import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.registration.commands import bulk, deciding

if TYPE_CHECKING:
    from shared.access import Principal
    from tests.services.registration.conftest import House

PATH = "/api/v1/registrations/bulk-decisions"
ROLES = ("mission_staff", "partner_staff", "door_staff", "delegate", "local", "screen", "service")


def order(house: "House", decision: str = "approve", **more: Any) -> dict[str, Any]:
    filter_ = {"stop_id": str(house.stop)} | more.pop("filter", {})
    return {"decision": decision, "filter": filter_, **more}


async def ordered(
    house: "House", body: dict[str, Any], who: "Principal | None" = None, key: str = ""
) -> str:
    answer = await house.post(PATH, body, who or house.boss, key=key or uuid4().hex)
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    return job


async def worked(house: "House", now: datetime | None = None) -> None:
    while await bulk.work(house.database, now or datetime.now(UTC)):
        pass


async def read(
    house: "House", job: str, who: "Principal | None" = None, query: str = ""
) -> dict[str, Any]:
    answer = await house.get(f"{PATH}/{job}{query}", who or house.boss)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def guests(house: "House", count: int = 4) -> dict[str, str]:
    """Register people to the dinner: two wait for approval, the others for a place."""
    names = ["ana", "bo", "chen", "dai", "eva", "fan"][:count]
    return {name: (await house.registered(name, "dinner"))["id"] for name in names}


async def test_all_that_match_are_decided_and_each_is_told_what_became_of_it(
    house: "House",
) -> None:
    ids = await guests(house)

    job = await ordered(house, order(house))
    assert (await read(house, job))["finished_at"] is None
    await worked(house)
    found = await read(house, job)

    assert (found["total"], found["done"], found["refused"]) == (4, 2, 2)
    assert found["finished_at"] is not None
    assert [(row["registration_id"], row["outcome"], row["reason"]) for row in found["items"]] == [
        (ids["ana"], "done", None),
        (ids["bo"], "done", None),
        (ids["chen"], "refused", "illegal_state"),
        (ids["dai"], "refused", "illegal_state"),
    ]
    assert list((await house.statuses("dinner")).values()) == [
        "confirmed",
        "confirmed",
        "waitlisted",
        "waitlisted",
    ]
    assert await house.places("dinner") == (2, 2)


async def test_a_selection_is_decided_alone(house: "House") -> None:
    ids = await guests(house)

    job = await ordered(house, order(house, "reject", registration_ids=[ids["bo"], ids["dai"]]))
    await worked(house)

    assert (await read(house, job))["done"] == 2
    # Chen moved up to the place that became free.
    assert await house.statuses("dinner") == {
        "ana": "pending_approval",
        "bo": "rejected",
        "chen": "pending_approval",
        "dai": "rejected",
    }


async def test_a_filter_narrows_what_is_decided(house: "House") -> None:
    await guests(house)
    await house.registered("gao", "talks")

    only = {"status": ["pending_approval"], "item_id": str(house.items["dinner"])}
    job = await ordered(house, order(house, "reject", filter=only))
    await worked(house)

    assert (await read(house, job))["total"] == 2
    assert (await house.statuses("talks"))["gao"] == "confirmed"


async def test_places_never_run_over_while_others_register(house: "House") -> None:
    await guests(house, 6)

    await ordered(house, order(house, "cancel", filter={"status": ["pending_approval"]}))
    await asyncio.gather(worked(house), *(house.register(f"late{n}", "dinner") for n in range(4)))
    await ordered(house, order(house))
    await worked(house)

    statuses = list((await house.statuses("dinner")).values())
    assert statuses.count("confirmed") + statuses.count("pending_approval") == 2
    assert await house.places("dinner") == (2, statuses.count("waitlisted"))


async def test_a_job_cut_off_after_deciding_goes_on_and_does_nothing_twice(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await guests(house, 2)
    job = await ordered(house, order(house))
    started = datetime.now(UTC)
    decided: list[str] = []
    decide = deciding.decide

    async def cut(database: Any, registration_id: Any, *rest: Any) -> Any:
        if decided:
            raise ConnectionResetError
        answer = await decide(database, registration_id, *rest)
        decided.append(str(registration_id))
        return answer

    with monkeypatch.context() as broken:
        broken.setattr(deciding, "decide", cut)
        with pytest.raises(ConnectionResetError):
            await bulk.work(house.database, started)
    assert decided == [ids["ana"]]
    assert (await read(house, job))["done"] == 0

    # Nobody knows yet that whoever worked on it is gone.
    assert not await bulk.work(house.database, started + bulk.LEASE / 2)
    await worked(house, started + bulk.LEASE + timedelta(seconds=1))

    assert (await read(house, job))["done"] == 2
    trail = await house.rows(
        "SELECT subject_id FROM audit_entry WHERE action = 'registration.approve' ORDER BY at, id"
    )
    assert [str(entry["subject_id"]) for entry in trail] == [ids["ana"], ids["bo"]]
    assert sum(event == "participant.confirmed" for event in await house.told()) == 2


async def test_two_processes_share_a_long_job(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 1)
    await guests(house, 6)
    job = await ordered(house, order(house, "cancel"))

    while (await read(house, job))["finished_at"] is None:
        await asyncio.gather(*(bulk.work(house.database, datetime.now(UTC)) for _ in range(2)))

    found = await read(house, job)
    assert (found["done"], found["refused"]) == (6, 0)
    assert await house.places("dinner") == (0, 0)
    ends = await house.rows("SELECT details FROM audit_entry WHERE action = 'bulk.finished'")
    assert [entry["details"]["done"] for entry in ends] == [6]


async def test_an_order_sent_again_is_one_job(house: "House") -> None:
    await guests(house, 2)

    jobs = {await ordered(house, order(house), key="same") for _ in range(2)}

    assert len(jobs) == 1
    assert len(await house.rows("SELECT FROM bulk_job")) == 1


async def test_what_has_the_state_already_is_done(house: "House") -> None:
    await guests(house, 2)
    for _ in range(2):
        job = await ordered(house, order(house))
        await worked(house)

    assert (await read(house, job))["done"] == 2
    assert sum(event == "participant.confirmed" for event in await house.told()) == 2


async def test_nothing_is_decided_when_the_list_is_not_what_was_seen(house: "House") -> None:
    await guests(house, 2)

    answer = await house.post(PATH, order(house, total=1), house.boss, key="a")

    assert (answer.status_code, answer.json()["code"]) == (409, "list_changed")
    assert await house.rows("SELECT FROM bulk_job") == []
    assert await bulk.work(house.database, datetime.now(UTC)) is False


async def test_a_preview_counts_states_and_what_they_allow(house: "House") -> None:
    await guests(house)
    await house.registered("gao", "talks")

    answer = await house.post(f"{PATH}/preview", order(house, "reject"), house.boss)

    assert answer.json() == {
        "total": 5,
        "by_status": {"pending_approval": 2, "waitlisted": 2, "confirmed": 1},
        "allowed": 4,
    }
    assert await house.rows("SELECT FROM bulk_job") == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"decision": "reinstate"}, "/decision"),
        ({"filter": {}}, "/filter/mission_id"),
        ({"filter": {"stop_id": "{stop}", "stauts": ["confirmed"]}}, "/filter/stauts"),
        ({"registration_ids": []}, "/registration_ids"),
        ({"registration_ids": ["{ana}", "{stranger}"]}, "/registration_ids/1"),
    ],
)
async def test_a_wrong_order_is_refused_and_the_field_named(
    house: "House", change: dict[str, Any], pointer: str
) -> None:
    ids = await guests(house, 1)
    known = {"{stop}": str(house.stop), "{ana}": ids["ana"], "{stranger}": str(uuid4())}
    body = order(house) | change
    if "stop_id" in body["filter"]:
        body["filter"] = {**body["filter"], "stop_id": str(house.stop)}
    if "registration_ids" in body:
        body["registration_ids"] = [known[one] for one in body["registration_ids"]]

    answer = await house.post(PATH, body, house.boss, key="a")

    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert await house.rows("SELECT FROM bulk_job") == []


async def test_a_registration_of_another_stop_is_not_in_the_list(
    house: "House", lines: Any
) -> None:
    ids = await guests(house, 1)
    other = await house.made(f"/missions/{house.mission}/stops", lines.stop)

    body = order(house, filter={"stop_id": str(other)}, registration_ids=[ids["ana"]])
    answer = await house.post(PATH, body, house.boss, key="a")

    assert answer.status_code == 422


async def test_who_decides_approves_many_and_nobody_else(house: "House") -> None:
    await guests(house, 1)
    for role in ROLES:
        who = house.someone(role, partner_id=house.partner)  # type: ignore[arg-type]  # these are roles
        for path in (PATH, f"{PATH}/preview"):
            answer = await house.post(path, order(house), who, key=uuid4().hex)
            # The partner leads the stop.
            may = role in ("mission_staff", "partner_staff")
            assert (answer.status_code < 300) == may, (role, path)
    guest = house.someone("partner_staff", partner_id=uuid4())
    assert (await house.post(PATH, order(house), guest, key="a")).status_code == 403
    assert (await house.post(PATH, order(house), None, key="a")).status_code == 401
    stranger = house.someone("mission_staff", mission_id=uuid4())
    assert (await house.post(PATH, order(house), stranger, key="a")).status_code == 403


async def test_a_partner_cancels_its_own_people_alone(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    await house.register(
        "ana", "dinner", who=partner, source="partner_api", partner_id=str(house.partner)
    )
    others = await house.registered("bo", "dinner")

    job = await ordered(house, order(house, "cancel"), partner)
    await worked(house)
    picked = order(house, "cancel", registration_ids=[others["id"]])

    assert (await read(house, job, partner))["total"] == 1
    assert (await house.statuses("dinner"))["bo"] == "pending_approval"
    assert (await house.post(PATH, picked, partner, key="b")).status_code == 422


async def test_a_partner_does_not_see_what_others_ordered(house: "House") -> None:
    await guests(house, 1)
    job = await ordered(house, order(house))
    partner = house.someone("partner_staff", partner_id=house.partner)

    assert (await house.get(f"{PATH}/{job}", partner)).status_code == 404
    assert (await house.get(f"{PATH}/{job}", house.someone("door_staff"))).status_code == 403


async def test_what_became_of_many_is_read_page_by_page(house: "House") -> None:
    await guests(house, 5)
    job = await ordered(house, order(house))
    await worked(house)

    first = await read(house, job, query="?limit=3")
    second = await read(house, job, query=f"?limit=3&after={first['next']}")

    assert [row["place"] for row in first["items"] + second["items"]] == [1, 2, 3, 4, 5]
    assert second["next"] is None
