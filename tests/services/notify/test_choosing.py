"""How people and missions choose how to tell, by API and on pages."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.notify.channels.base import Reach
from services.notify.domain.rules import Rules, Wishes
from services.notify.resources import Resources
from services.notify.store import subscriptions, wishes
from shared.access import Principal
from shared.postgres import Database

REACH = Reach(
    frozenset(("email", "web_push", "sms", "print")), "key", ("https://push.example.org",)
)
SETTINGS = "/api/v1/messages/settings"
RULES = {
    "channels": ["email", "sms"],
    "fallback": ["print"],
    "urgent_minutes": 90,
    "digest_at": None,
    "quiet_from": "23:30",
    "quiet_until": "06:00",
    "asks_for_results": False,
}


def base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
async def reaching(browse: Any, resources: Resources) -> AsyncIterator[Any]:
    """A browser on an installation with all channels of one's own."""
    async with browse(replace(resources, reach=REACH)) as browser:
        yield browser


@pytest.fixture
def delegate(person: Any, world: Any) -> Principal:
    found: Principal = person("delegate", world.delegate)
    return found


async def wished(database: Database, who: Principal) -> Wishes:
    async with database.reading() as connection:
        return (await wishes.of_people(connection, [who.subject]))[who.subject]


async def test_what_somebody_chose_is_there_again(
    reaching: Any, delegate: Principal, database: Database
) -> None:
    body = {"channels": ["sms"], "language": "zh", "phone": "+8613800000000"}
    assert (await reaching.send("PUT", SETTINGS, delegate, json=body)).status_code == 204
    found = (await reaching.get(SETTINGS, delegate)).json()
    assert {name: found[name] for name in body} == body
    assert found["available"] == ["email", "web_push", "sms"]
    assert await wished(database, delegate) == Wishes(("sms",), "zh", "+8613800000000")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channels": ["sms"]}, "/phone"),
        ({"channels": ["email"], "phone": "138"}, "/phone"),
        ({"channels": []}, "/channels"),
        ({"channels": ["print"]}, "/channels/0"),
        ({"language": "de"}, "/language"),
    ],
)
async def test_what_cannot_be_is_named(
    reaching: Any, delegate: Principal, body: Any, pointer: str
) -> None:
    answer = await reaching.send("PUT", SETTINGS, delegate, json=body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_no_channel_is_chosen_that_is_not_there(browser: Any, delegate: Principal) -> None:
    answer = await browser.send("PUT", SETTINGS, delegate, json={"channels": ["web_push"]})
    assert answer.json()["errors"][0]["pointer"] == "/channels"


async def test_a_form_says_the_same_and_keeps_what_was_typed(
    reaching: Any, delegate: Principal, database: Database
) -> None:
    path = "/messages/settings"
    form = {
        "channels": ["email", "sms"],
        "phone": "+86 138-0000 0000",
        "language": "en",
        "announcements": "true",
    }
    assert (await reaching.send("POST", path, delegate, data=form)).status_code == 303
    expected = Wishes(("email", "sms"), "en", "+8613800000000")
    assert await wished(database, delegate) == expected
    wrong = await reaching.send("POST", path, delegate, data=form | {"phone": "call me"})
    assert wrong.status_code == 422
    assert 'value="call me"' in wrong.text
    assert await wished(database, delegate) == expected


async def test_the_page_offers_what_there_is(reaching: Any, browser: Any, delegate: Any) -> None:
    assert 'value="sms"' in (await reaching.get("/messages/settings", delegate, "zh")).text
    few = (await browser.get("/messages/settings", delegate)).text
    assert 'value="sms"' not in few
    assert 'id="push"' not in few
    worker = await reaching.get("/messages/worker.js", None)
    assert worker.headers["content-type"].startswith("text/javascript")


async def test_a_browser_is_kept_and_forgotten_by_its_owner_alone(
    reaching: Any, delegate: Principal, person: Any, database: Database
) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    path, endpoint = "/api/v1/messages/subscriptions", "https://push.example.org/1"
    keys = {"p256dh": base64url(point), "auth": base64url(bytes(16))}

    async def put(**facts: Any) -> Any:
        return await reaching.send(
            "PUT", path, delegate, json={"endpoint": endpoint, "keys": keys} | facts
        )

    async def kept() -> list[str]:
        async with database.reading() as connection:
            found = await subscriptions.of_person(connection, delegate.subject)
        return [one.endpoint for one in found]

    elsewhere = await put(endpoint="https://127.0.0.1/1")
    assert elsewhere.json()["errors"][0]["pointer"] == "/endpoint"
    for broken in ({"p256dh": "AAAA"}, {"auth": "AAAA"}, {"auth": "é"}):
        assert (await put(keys=keys | broken)).json()["errors"][0]["pointer"] == "/keys"
    assert (await put()).status_code == (await put()).status_code == 204
    assert await kept() == [endpoint]
    other = person("local", uuid4())
    await reaching.send("DELETE", path, other, params={"endpoint": endpoint})
    assert await kept() == [endpoint]
    await reaching.send("DELETE", path, delegate, params={"endpoint": endpoint})
    assert await kept() == []


async def rule(
    browser: Any, who: Principal, path: str, seen: int | None, **changed: Any
) -> httpx2.Response:
    headers = {} if seen is None else {"If-Match": f'"{seen}"'}
    answer: httpx2.Response = await browser.send(
        "PUT", path, who, json=RULES | changed, headers=headers
    )
    return answer


@pytest.mark.usefixtures("planned")
async def test_staff_says_how_its_mission_tells_and_nobody_else_does(
    reaching: Any, person: Any, world: Any, delegate: Principal
) -> None:
    path, staff = f"/api/v1/messages/rules/{world.mission}", person("mission_staff")
    found = (await reaching.get(path, staff)).json()
    assert found["urgent_minutes"] == Rules().urgent.total_seconds() / 60
    assert (await rule(reaching, staff, path, 0)).status_code == 204
    assert (await reaching.get(path, staff)).json() == RULES
    assert (await rule(reaching, delegate, path, 1)).status_code == 403
    other = f"/api/v1/messages/rules/{uuid4()}"
    everywhere = Principal("mission_staff", uuid4())
    assert (await rule(reaching, everywhere, other, 0)).status_code == 404


@pytest.mark.usefixtures("planned")
async def test_rules_are_changed_on_the_revision_that_was_seen(
    reaching: Any, person: Any, world: Any
) -> None:
    path, staff = f"/api/v1/messages/rules/{world.mission}", person("mission_staff")
    assert (await rule(reaching, staff, path, None)).status_code == 428
    assert (await rule(reaching, staff, path, 1)).status_code == 412
    both = await asyncio.gather(*(rule(reaching, staff, path, 0) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [204, 412]
    for seen in (1, 2):
        assert (await reaching.get(path, staff)).headers["etag"] == f'"{seen}"'
        assert (await rule(reaching, staff, path, seen)).headers["etag"] == f'"{seen + 1}"'
    late = await rule(reaching, staff, path, 1, urgent_minutes=5)
    assert (late.status_code, late.json()["code"]) == (412, "stale_revision")
    assert (await reaching.get(path, staff)).json() == RULES


@pytest.mark.usefixtures("planned")
async def test_who_leaves_a_switch_out_does_not_switch_it_on(
    reaching: Any, person: Any, world: Any
) -> None:
    path, staff = f"/api/v1/messages/rules/{world.mission}", person("mission_staff")
    await rule(reaching, staff, path, 0)
    without = {name: value for name, value in RULES.items() if name != "asks_for_results"}
    answer = await reaching.send("PUT", path, staff, json=without, headers={"If-Match": '"1"'})
    assert answer.status_code == 422
    assert "asks_for_results" in answer.text
    assert (await reaching.get(path, staff)).json()["asks_for_results"] is False


@pytest.mark.usefixtures("planned")
async def test_the_form_of_the_rules_writes_them_and_no_colleagues_over(
    reaching: Any, person: Any, world: Any, registration: Any
) -> None:
    page, staff = f"/desk/missions/{world.mission}/messages", person("mission_staff")
    form = {
        "channels": ["email"],
        "fallback": ["print", "sms"],
        "urgent_hours": "1.5",
        "digest_at": "",
        "quiet_from": "22:00",
        "quiet_until": "07:30",
        "asks_for_results": "yes",
        "revision": "0",
    }
    assert (await reaching.send("POST", page, staff, data=form)).status_code == 303
    found = (await reaching.get(f"/api/v1/messages/rules/{world.mission}", staff)).json()
    assert found == RULES | {
        "channels": ["email"],
        "fallback": ["sms", "print"],
        "quiet_from": "22:00",
        "quiet_until": "07:30",
        "asks_for_results": True,
    }
    shown = (await reaching.get(page, staff)).text
    assert 'value="1.5"' in shown
    assert 'value="07:30"' in shown
    wrong = await reaching.send("POST", page, staff, data=form | {"channels": []})
    assert wrong.status_code == 422
    registration.know(staff.subject, "staff@example.org", name="Sample Staff")
    other = person("mission_staff")
    late = await reaching.send("POST", page, other, data=form | {"urgent_hours": "3"})
    assert late.status_code == 409
    assert "Changed meanwhile by Sample Staff" in late.text
    assert 'value="3"' in late.text
    kept = (await reaching.get(f"/api/v1/messages/rules/{world.mission}", staff)).json()
    assert kept == found
    # Whoever has read that may decide again, on what is there now.
    assert 'name="revision" value="1"' in late.text
    again = form | {"urgent_hours": "3", "revision": "1"}
    assert (await reaching.send("POST", page, other, data=again)).status_code == 303
