from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest

from shared.access import Principal, Tokens

if TYPE_CHECKING:
    from shared.access import Role
    from tests.services.registration.conftest import House

SESSIONS = "/api/v1/sessions"


async def redeem(house: "House", path: str) -> httpx2.Response:
    return await house.post(SESSIONS, {"token": path.removeprefix("/sign-in?token=")})


def now() -> datetime:
    return datetime.now(UTC)


async def test_a_link_becomes_a_session_of_what_is_on_file_now(house: "House") -> None:
    ana = await house.registered("ana")

    answer = await redeem(house, ana["sign_in_path"])

    assert answer.status_code == 201
    session = answer.json()
    assert (session["role"], session["subject"]) == ("local", ana["participant_id"])
    assert (session["mission_id"], session["stop_ids"]) == (str(house.mission), [str(house.stop)])
    headers = {"Authorization": f"Bearer {session['token']}"}
    path = f"/api/v1/registrations/{ana['id']}/cancel"
    assert (await house.client.post(path, headers=headers)).status_code == 200


async def test_a_link_cannot_promise_more_than_is_on_file(house: "House") -> None:
    ana = await house.registered("ana")
    token = house.tokens.sign(
        house.someone("mission_staff", subject=ana["participant_id"]), "link", now()
    )

    assert (await redeem(house, token)).json()["role"] == "local"


@pytest.mark.parametrize("role", ["delegate", "mission_staff"])
async def test_a_link_of_a_person_who_is_gone_signs_nobody_in(house: "House", role: "Role") -> None:
    token = house.tokens.sign(house.someone(role), "link", now())
    assert (await redeem(house, token)).status_code == 401


@pytest.mark.parametrize("flaw", ["expired", "a session", "another key", "unsigned", "no token"])
async def test_what_is_no_link_of_ours_signs_nobody_in(house: "House", flaw: str) -> None:
    who = house.boss
    token = {
        "expired": house.tokens.sign(who, "link", now() - timedelta(days=31)),
        "a session": house.tokens.sign(who, "session", now()),
        "another key": Tokens("k" * 64).sign(who, "link", now()),
        "unsigned": house.tokens.sign(who, "link", now()).rpartition(".")[0] + ".",
        "no token": "hello",
    }[flaw]

    answer = await redeem(house, token)

    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")


async def test_a_link_is_no_session(house: "House") -> None:
    token = house.tokens.sign(house.boss, "link", now())
    answer = await house.client.get(
        f"/api/v1/missions/{house.mission}/staff", headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer x.y.z", "token"])
async def test_an_authorization_that_is_none_is_refused(house: "House", header: str) -> None:
    answer = await house.client.get("/api/v1/missions", headers={"Authorization": header})
    assert answer.status_code == 401


async def test_a_screen_signs_in_without_being_somebody(house: "House") -> None:
    body = {"role": "screen", "mission_id": str(house.mission), "stop_ids": [str(house.stop)]}
    path = (await house.post(f"{SESSIONS}/links", body, house.boss)).json()["path"]

    session = (await redeem(house, path)).json()

    assert (session["role"], session["stop_ids"]) == ("screen", [str(house.stop)])


async def test_a_link_for_a_person_gives_that_persons_role(house: "House") -> None:
    ana = await house.registered("ana")
    body = {
        "role": "local",
        "mission_id": str(house.mission),
        "subject": ana["participant_id"],
    }
    path = (await house.post(f"{SESSIONS}/links", body, house.boss)).json()["path"]

    assert (await redeem(house, path)).json()["subject"] == ana["participant_id"]
    for change, status in (
        ({"role": "mission_staff"}, 422),
        ({"role": "service", "subject": None}, 422),
        ({"subject": str(uuid4())}, 404),
    ):
        answer = await house.post(f"{SESSIONS}/links", body | change, house.boss)
        assert answer.status_code == status


async def test_asking_for_a_link_says_nothing_about_who_is_known(house: "House") -> None:
    ana = await house.registered("ana")
    answers = [
        await house.post(f"{SESSIONS}/requests", {"mission_id": str(house.mission), "email": email})
        for email in ("ANA@example.com", "nobody@example.com")
    ]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert await house.told(ana["participant_id"]) == [
        "participant.confirmed",
        "sign_in.requested",
    ]
    assert len(await house.rows("SELECT FROM outbox WHERE type LIKE '%sign_in%'")) == 1


async def test_a_token_carries_no_personal_data(house: "House") -> None:
    ana = await house.registered("ana")
    who = replace(house.person(ana), partner_id=house.partner)
    token = house.tokens.sign(who, "session", now())

    assert house.tokens.read(token, "session") == who
    assert Principal(who.role, who.subject, who.mission_id, who.stop_ids, who.partner_id) == who
