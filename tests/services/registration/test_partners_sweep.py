"""With one partner's key every route is tried on what is another's: nothing is told or changed."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from shared.access import SCOPES, Principal
from tests.sweeping import Call, calls

if TYPE_CHECKING:
    import httpx2

    from tests.services.registration.conftest import House, Lines

MARK = "Bravo"
REFUSED = (403, 404)


async def invited(house: "House", name: str, item: UUID, partner: UUID) -> dict[str, Any]:
    """Have a partner bring somebody whose facts are known when they are seen."""
    body = house.sign_up(
        name,
        source="partner_api",
        partner_id=str(partner),
        person={"full_name": f"{MARK} {name}", "email": f"{MARK}.{name}@example.com"},
        organization={"name": f"{MARK} Cells Co."},
    )
    path = f"/api/v1/programme-items/{item}/registrations"
    answer = await house.post(path, body, house.boss, key=uuid4().hex)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def partner_of(house: "House", name: str) -> UUID:
    body = {"name": {"en": name, "zh": name}, "kind": "company"}
    return await house.made(f"/missions/{house.mission}/partners", body)


async def tried(house: "House", key: str, call: Call) -> "httpx2.Response":
    headers = {
        "Authorization": f"Bearer {key}",
        "If-Match": '"1"',
        "Idempotency-Key": uuid4().hex,
    }
    body: dict[str, Any] | None = None if call.method in ("GET", "DELETE") else {}
    return await house.client.request(
        call.method, call.path, params=dict(call.query), json=body, headers=headers
    )


def tells_nothing(answer: "httpx2.Response") -> bool:
    """Say whether an answer is a refusal, or a list without a line."""
    return answer.status_code in REFUSED or not any(answer.json().values())


async def everything(house: "House") -> list[Any]:
    """Read what could have been changed."""
    tables = ("registration", "person", "partner_organization", "partner_role", "api_key")
    return [
        await house.rows(
            f"SELECT to_jsonb(t) - 'last_used_at' AS row FROM {table} AS t ORDER BY 1"  # noqa: S608
        )
        for table in tables
    ]


async def test_a_key_finds_nothing_of_another_partner(house: "House", lines: "Lines") -> None:
    # Ours hosts the stop, so that it may all that a partner may; theirs brings people there, and
    # leads a stop of its own.
    ours, theirs = house.partner, await partner_of(house, "Sample Chamber")
    roles = [{"partner_id": str(theirs), "role": "lead"}]
    stop = await house.made(f"/missions/{house.mission}/stops", lines.stop | {"roles": roles})
    item = await house.made(f"/stops/{stop}/programme-items", lines.item)
    answer = await house.post(
        f"/api/v1/partners/{ours}/keys", {"name": "All", "scopes": list(SCOPES)}, house.boss
    )
    key = answer.json()["key"]
    answer = await house.post(
        f"/api/v1/partners/{theirs}/keys", {"name": MARK, "scopes": ["events:read"]}, house.boss
    )
    at_ours = await invited(house, "here", house.items["talks"], theirs)
    at_theirs = await invited(house, "there", item, theirs)
    app: Any = house.client._transport.app  # type: ignore[attr-defined]  # the app that the client calls
    served = app.openapi()["paths"]
    before = await everything(house)

    theirs_alone = {
        "partner_id": theirs,
        "owner": theirs,
        "key_id": answer.json()["id"],
        "registration_id": at_ours["id"],
        "participant_id": at_ours["participant_id"],
        "person_id": at_ours["participant_id"],
    }
    elsewhere = theirs_alone | {
        "stop_id": stop,
        "item_id": item,
        "programme_item_id": item,
        "registration_id": at_theirs["id"],
        "participant_id": at_theirs["participant_id"],
        "person_id": at_theirs["participant_id"],
    }
    shared = {"stop_id": house.stop, "item_id": house.items["talks"], "mission_id": house.mission}
    tried_calls = 0
    for ids in (theirs_alone | shared, elsewhere, elsewhere | {"mission_id": house.mission}):
        for call in calls(served, ids):
            found = await tried(house, key, call)
            assert MARK.lower() not in found.text.lower(), (str(call), found.text)
            if call.is_public or not call.named:
                continue
            tried_calls += 1
            is_theirs = call.named & theirs_alone.keys() or (
                "stop_id" in call.named and ids["stop_id"] == stop
            )
            if call.method == "GET" and is_theirs:
                assert tells_nothing(found), (str(call), found.status_code, found.text)
            elif call.method != "GET":
                assert found.status_code >= 400, (str(call), found.status_code, found.text)
    assert tried_calls > 150
    assert await everything(house) == before


async def test_pages_hold_nothing_of_another_partner_either(house: "House") -> None:
    theirs = await partner_of(house, "Sample Chamber")
    brought = await invited(house, "here", house.items["talks"], theirs)
    who = Principal(
        "partner_staff", uuid4(), house.mission, (house.stop,), partner_id=house.partner
    )
    stop = f"/desk/stops/{house.stop}"
    for path in (
        *(stop, f"{stop}?q={MARK}", f"{stop}/registrations", f"{stop}/registrations?q={MARK}"),
        *(f"{stop}/places", f"{stop}/partners", f"/partner/{house.partner}", "/desk"),
        f"/desk/registrations.csv?stop_id={house.stop}",
    ):
        answer = await house.client.get(path, headers=house.browser(who))
        assert answer.status_code == 200, (path, answer.status_code)
        assert f"{MARK} " not in answer.text, path
    # Whoever knows an address may register its owner, and learns nothing by that.
    guessed = house.sign_up("bravo.here", source="partner_api", partner_id=str(house.partner))
    guessed["person"]["email"] = f"{MARK}.here@example.com"
    talks = f"/api/v1/programme-items/{house.items['dinner']}/registrations"
    again = await house.post(talks, guessed, house.boss, key=uuid4().hex)
    assert again.json()["participant_id"] == brought["participant_id"]
    for path in (
        f"/desk/registrations/{again.json()['id']}",
        *(f"/desk/registrations/{brought['id']}", f"/partner/{theirs}", f"/partner/{theirs}/keys"),
        f"{stop}/registrations?partner_id={theirs}",
        f"/desk/registrations.csv?stop_id={house.stop}&partner_id={theirs}",
    ):
        answer = await house.client.get(path, headers=house.browser(who))
        assert answer.status_code in REFUSED, (path, answer.status_code)
