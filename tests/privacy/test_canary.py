"""A canary walks through a mission; PostgreSQL alone hears of it, and in the end forgets it.

The three services run as processes and log at DEBUG; what they leave in the log, in Redis, in
what goes to Kafka and in their tables is read as a whole.
"""

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from shared.access import Principal

if TYPE_CHECKING:
    from tests.privacy.conftest import House, Mission

CANARIES = (
    "Kanarienvogel",
    "金丝雀",
    "kanarie.vogel@example.com",
    "kanarie.vogel",
    "+86 138 4242 4242",
    "Oberkanarienwart",
    "kanarie-desk@example.com",
    "Kanarie whistles",
)


def traces(places: dict[str, str], canaries: tuple[str, ...] = CANARIES) -> list[str]:
    return [
        f"{canary} in {place}"
        for place, content in places.items()
        for canary in canaries
        if canary.casefold() in content.casefold()
    ]


def canary(**changes: Any) -> dict[str, Any]:
    """Make the body of a registration by somebody unmistakable."""
    body: dict[str, Any] = {
        "side": "local",
        "consent": True,
        "consents": ["cross_border_transfer"],
        "organization": {"name": "Sample Wind Co.", "country": "CN", "sectors": ["batteries"]},
        "person": {
            "full_name": "Kanarienvogel Zhang",
            "native_name": "张金丝雀",
            "latin_name": "Zhang Kanarienvogel",
            "email": "kanarie.vogel@example.com",
            "language": "zh",
            "languages": ["zh", "en"],
            "position": {"en": "Oberkanarienwart", "zh": "首席金丝雀"},
        },
        "listings": [
            {
                "kind": "need",
                "sector": "batteries",
                "text": {"en": "sample battery cells", "zh": "示例电芯"},
            }
        ],
    }
    return body | changes


async def register(house: "House", mission: "Mission", body: object, who: Any = None) -> Any:
    path = f"/api/v1/programme-items/{mission.item}/registrations"
    return await house.ask("registration", "POST", path, body, who, Idempotency_Key=uuid4().hex)


async def asks(house: "House", mission: "Mission") -> None:
    """Ask two things on the form, one of them for a telephone."""
    for code in ("phone", "desk"):
        await house.made(
            "registration",
            f"/api/v1/missions/{mission.id}/questions",
            {"code": code, "kind": "text", "label": {"en": code, "zh": "问题"}},
            mission.boss,
        )


async def walk(house: "House", mission: "Mission") -> tuple[Principal, UUID]:
    """Register the canary and a delegate, let them write, meet and be checked in."""
    await asks(house, mission)
    answers = {"phone": "+86 138 4242 4242", "desk": "kanarie-desk@example.com"}
    bird = await register(house, mission, canary(answers=answers))
    assert bird.status_code == 201, bird.text
    who = Principal("local", UUID(bird.json()["participant_id"]), mission.id, (mission.stop,))
    other = canary(
        side="delegation",
        source="import",
        organization={"name": "Sample Solar Ltd", "country": "US", "sectors": ["batteries"]},
        person={
            "full_name": "Sample Delegate",
            "email": "delegate@example.com",
            "language": "en",
            "languages": ["en"],
        },
        listings=[{"kind": "offer", "sector": "batteries", "text": {"en": "sample cells"}}],
    )
    delegate = await register(house, mission, other, mission.boss)
    assert delegate.status_code == 201, delegate.text
    delegate_id = UUID(delegate.json()["participant_id"])
    link = {"mission_id": str(mission.id), "email": "kanarie.vogel@example.com"}
    await house.ask("registration", "POST", "/api/v1/sessions/requests", link)
    await write(house, mission, who, delegate_id)
    meeting = await meet(house, mission, who.subject)
    deal = {
        "delegate_id": str(delegate_id),
        "local_id": str(who.subject),
        "kind": "mou",
        "note": "Kanarie whistles",
        "evidence": [{"kind": "text", "content": "Kanarie whistles"}],
    }
    await house.made("matching", "/api/v1/outcomes", deal, who)
    check_in = f"/api/v1/registrations/{bird.json()['id']}/check-in"
    await house.made("registration", check_in, None, mission.boss)
    called = await house.ask(
        "matching", "POST", f"/api/v1/meetings/{meeting}/call", None, mission.boss, If_Match='"1"'
    )
    assert called.status_code == 200, called.text
    await mailed(house)
    return who, meeting


async def write(house: "House", mission: "Mission", who: Principal, other: UUID) -> None:
    body = {
        "stop_id": str(mission.stop),
        "participant_id": str(who.subject),
        "counterpart_id": str(other),
    }
    await house.made("matching", "/api/v1/requests", body | {"message": "Kanarie whistles"}, who)

    async def wish() -> bool:
        path = "/api/v1/preferences"
        answer = await house.ask("matching", "PUT", path, body | {"kind": "must_meet"}, who)
        return answer.status_code == 200

    await house.seen(wish)


async def meet(house: "House", mission: "Mission", bird: UUID) -> UUID:
    (row,) = await house.rows(
        "registration", "SELECT starts_at FROM programme_item WHERE id = $1", mission.item
    )
    await house.made(
        "matching",
        "/api/v1/meeting-sessions",
        {
            "programme_item_id": str(mission.item),
            "slug": "morning",
            "starts_at": row["starts_at"].isoformat(),
            "slot_minutes": 25,
            "slots": 2,
            "breaks": [],
            "points": [{"label": "T1", "kind": "table"}],
        },
        mission.boss,
    )
    asked = {"stop_id": str(mission.stop), "seconds_max": 1}
    schedule = await house.made("matching", "/api/v1/schedules", asked, mission.boss)

    async def published() -> bool:
        path = f"/api/v1/schedules/{schedule['id']}/publish"
        answer = await house.ask("matching", "POST", path, None, mission.boss)
        return answer.status_code == 200

    await house.seen(published)
    (meeting,) = await house.rows(
        "matching", "SELECT id FROM meeting WHERE $1 IN (delegate_id, local_id)", bird
    )
    found: UUID = meeting["id"]
    return found


async def mailed(house: "House") -> None:
    """Wait until the canary was written to, and its name has been through every hand."""

    async def look() -> bool:
        rows = await house.rows(
            "notify",
            "SELECT FROM mailbox_message WHERE 'kanarie.vogel@example.com' = ANY(recipients)",
        )
        return len(rows) >= 2

    await house.seen(look)


async def provoke(house: "House", mission: "Mission") -> None:
    """Make things fail with the canary in their hands: 422, 500, and the database's own words."""
    wrong = canary()
    wrong["person"]["language"] = "金丝雀"
    wrong["person"]["email"] = "kanarie.vogel@example.com "
    assert (await register(house, mission, wrong)).status_code == 422
    await house.rows(
        "registration",
        "ALTER TABLE person ADD CONSTRAINT no_second CHECK (email NOT LIKE 'second.%') NOT VALID",
    )
    failing = canary()
    failing["person"] |= {"email": "second.kanarie.vogel@example.com"}
    answer = await register(house, mission, failing)
    assert answer.status_code == 500
    assert traces({"answer": answer.text}) == []
    path = "/api/v1/missions/Kanarienvogel/retention"
    assert (await house.ask("registration", "GET", path, None, mission.boss)).status_code == 422


async def live(house: "House", who: Principal, mission: "Mission") -> None:
    """Open the canary's own day, which fills Redis and asks for names."""
    path = f"/day?stop={mission.stop}"

    async def look() -> bool:
        answer = await house.ask("notify", "GET", path, None, who, Accept="text/html")
        return answer.status_code == 200 and "Sample Solar Ltd" in answer.text

    await house.seen(look)


async def test_nobody_hears_of_the_canary_and_in_the_end_nothing_is_left_of_it(
    house: "House", mission: "Mission"
) -> None:
    who, meeting = await walk(house, mission)
    await live(house, who, mission)
    await provoke(house, mission)

    places = await house.public_places()
    assert "no_second" in places["logs"]
    assert str(who.subject) in places["redis"]
    assert str(who.subject) in places["records"]
    assert traces(places) == []
    # The test looks for what is there: PostgreSQL knows all of it.
    held = {name: await house.dump(name) for name in house.databases}
    assert {trace.rpartition(" in ")[0] for trace in traces(held)} == set(CANARIES)

    path = f"/api/v1/people/{who.subject}/data"
    given = (await house.ask("registration", "GET", path, None, who)).json()
    assert given["missing"] == []
    assert given["matching"]["meeting_request"][0]["message"] == "Kanarie whistles"
    assert given["notify"]["message"]

    path = f"/api/v1/people/{who.subject}/erase"
    assert (await house.ask("registration", "POST", path, None, who)).status_code == 200
    seconds = await forgotten(house, who.subject)

    held = {name: await house.dump(name) for name in house.databases}
    assert traces(held | await house.public_places()) == []
    (row,) = await house.rows("matching", "SELECT state FROM meeting WHERE id = $1", meeting)
    assert row["state"] == "cancelled"
    for service, path in (
        ("registration", f"/api/v1/people/{who.subject}/consents"),
        ("matching", f"/api/v1/requests?stop_id={mission.stop}&participant_id={who.subject}"),
        ("notify", f"/api/v1/live/me?stop_id={mission.stop}"),
    ):
        assert (await house.ask(service, "GET", path, None, who)).status_code == 401
    assert seconds < 60


async def forgotten(house: "House", person_id: UUID) -> float:
    """Wait until the other services have heard of it, and say how long that took."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def look() -> bool:
        for name in ("matching", "notify"):
            if not await house.rows(
                name, "SELECT FROM erased_person WHERE person_id = $1", person_id
            ):
                return False
        return str(person_id) not in await house.redis()

    await house.seen(look)
    return loop.time() - began


@pytest.mark.usefixtures("mission")
async def test_a_leak_is_found_wherever_it_is_planted(house: "House") -> None:
    """The mutants: one leak each, in the letters in which a service would leave it there."""
    assert traces(await house.public_places()) == []

    for place, leak in LEAKS.items():
        before = set(traces(await house.public_places()))
        await leak(house)
        new = set(traces(await house.public_places())) - before
        assert new, place
        assert {trace.rpartition(" in ")[2] for trace in new} == {place.split()[0]}


async def leak_a_key(house: "House") -> None:
    async with Redis.from_url(house.redis_url) as redis:
        await redis.set("live:kanarie.vogel@example.com", "1")


async def leak_a_value(house: "House") -> None:
    async with Redis.from_url(house.redis_url) as redis:
        await redis.hset("live:x", "name", "Kanarienvogel")


async def leak_into_a_stream(house: "House") -> None:
    async with Redis.from_url(house.redis_url) as redis:
        await redis.xadd("live:y", {"d": '{"name": "\\u91d1\\u4e1d\\u96c0"}'})


async def leak_into_a_log(house: "House") -> None:
    with house.logs["notify"].open("ab") as file:
        file.write(b"request failed: Key (full_name)=(Kanarienvogel)")


async def leak_a_record(house: "House") -> None:
    await house.rows(
        "registration",
        "UPDATE outbox SET payload = convert_to('{\"name\": \"\\u91d1\\u4e1d\\u96c0\"}', 'UTF8') "
        "WHERE position = 1",
    )


LEAKS = {
    "records": leak_a_record,
    "redis key": leak_a_key,
    "redis value": leak_a_value,
    "redis stream": leak_into_a_stream,
    "logs": leak_into_a_log,
}
