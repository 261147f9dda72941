"""With one partner's key every route is tried on what is another's: nothing is told or changed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.access import SCOPES
from tests.sweeping import calls

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

THEIRS = "Liu Co."
TABLES = (
    "meeting booking absence repair preference company_preference meeting_request veto exclusion "
    "outcome outcome_statement meeting_report schedule quota personal_quota"
)


async def everything(house: "House") -> list[Any]:
    """Read what could have been changed."""
    return [
        await house.rows(f"SELECT to_jsonb(t)::text AS row FROM {table} AS t ORDER BY 1")  # noqa: S608
        for table in TABLES.split()
    ]


async def test_a_key_finds_nothing_of_another_partner(house: "House") -> None:
    # The partner of the house brought liu; ours is no host here, and brought nobody.
    await house.day()
    who = house.someone("partner_system", partner_id=uuid4(), scopes=tuple(SCOPES))
    app: Any = house.client._transport.app  # type: ignore[attr-defined]  # the app that the client calls
    served = app.openapi()["paths"]
    before = await everything(house)

    ids = {
        "mission_id": house.mission,
        "stop_id": house.stop,
        "meeting_id": await house.meeting("dora liu"),
        "participant_id": house.people["liu"],
        "person_id": house.people["liu"],
        "partner_id": house.partner,
        "session_id": house.session,
    }
    theirs = {"meeting_id", "participant_id", "person_id"}
    stranger = house.someone(
        "partner_system", partner_id=uuid4(), scopes=tuple(SCOPES), stop_ids=(uuid4(),)
    )
    tried = 0
    for caller in (who, stranger):
        token = house.tokens.sign(caller, "session", datetime.now(UTC))
        for call in calls(served, ids):
            found = await house.client.request(
                call.method,
                call.path,
                params=dict(call.query),
                json=None if call.method in ("GET", "DELETE") else {},
                headers={
                    "Authorization": f"Bearer {token}",
                    "If-Match": '"1"',
                    "Idempotency-Key": uuid4().hex,
                },
            )
            assert THEIRS not in found.text, (str(call), found.text)
            if call.is_public or not call.named:
                continue
            tried += 1
            told = found.status_code not in (403, 404)
            if call.method == "GET" and (call.named & theirs or caller is stranger):
                is_empty = found.status_code == 200 and not any(
                    value for name, value in found.json().items() if name not in ids
                )
                assert not told or is_empty, (str(call), found.status_code, found.text)
            elif call.method != "GET":
                assert found.status_code >= 400, (str(call), found.status_code, found.text)
    assert tried > 60
    assert await everything(house) == before
