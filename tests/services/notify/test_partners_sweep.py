"""Every route is tried with keys of each scope: on what is the partner's own, and on another's."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.notify.commands import planning
from services.notify.store import facts, messages
from services.notify.store.messages import News
from shared.access import SCOPES, KeyScope, Principal
from shared.events import registration as r
from shared.keys import SECRET_BYTES, Holder, Keyring, Shown, Standing, digest_of, written
from shared.postgres import Database
from tests.services.notify.partners import NOW, Mission, append
from tests.serving import behind_an_address
from tests.sweeping import Call, calls

HOOKS: KeyScope = "webhooks:write"
OPEN: dict[str, KeyScope] = {
    "POST /calendars": "meetings:read",
    "GET /live/stops/{stop_id}": "meetings:read",
    "GET /events": "events:read",
    "GET /events/{event_id}": "events:read",
    "GET /webhooks": HOOKS,
    "POST /webhooks": HOOKS,
    "GET /webhooks/{webhook_id}": HOOKS,
    "PATCH /webhooks/{webhook_id}": HOOKS,
    "GET /webhooks/{webhook_id}/deliveries": HOOKS,
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay": HOOKS,
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/skip": HOOKS,
    "POST /webhooks/{webhook_id}/replay": HOOKS,
    "POST /webhooks/{webhook_id}/rotate": HOOKS,
    "POST /webhooks/{webhook_id}/test": HOOKS,
    "DELETE /webhooks/{webhook_id}": HOOKS,
}
"""What a key opens, and with which scope; every other route is closed to all keys."""
OF_THE_PARTNER = {"GET /events", "GET /webhooks", "POST /webhooks"}
"""Open with a key for whatever stop: what they tell is narrowed to it."""
BY_TOKEN = {"GET /calendars/me.ics", "GET /calendars/stops/{stop_id}.ics"}
"""What an address opens by itself: whatever key comes with it, it is no such token."""
MARK = "Bravo"


@dataclass
class Keys:
    """The keys that registration knows."""

    known: dict[UUID, tuple[bytes, Standing]] = field(default_factory=dict)

    async def ask(self, key: Shown) -> Standing:
        digest, standing = self.known.get(key.key_id, (b"", Standing(state="unknown")))
        return standing if key.digest == digest else Standing(state="unknown")

    def of(self, who: Principal, expires_at: datetime | None = None) -> str:
        secret = secrets.token_bytes(SECRET_BYTES)
        holder = Holder.model_validate(
            {
                **{"mission_id": who.mission_id, "partner_id": who.partner_id},
                **{"stop_ids": who.stop_ids, "scopes": who.scopes, "expires_at": expires_at},
            }
        )
        self.known[who.subject] = (digest_of(secret), Standing(state="valid", holder=holder))
        return written(who.subject, secret)

    def broken(self, who: Principal) -> list[tuple[str, str]]:
        """Give keys that open nothing, each after the code of its refusal."""
        whole = self.of(who)
        expired = self.of(replace(who, subject=uuid4()), datetime.now(UTC) - timedelta(seconds=1))
        gone = replace(who, subject=uuid4())
        revoked = self.of(gone)
        self.known[gone.subject] = (self.known[gone.subject][0], Standing(state="revoked"))
        return [
            ("key_expired", expired),
            ("key_revoked", revoked),
            # With its checksum, but never made; and with the id of one that was.
            ("key_unknown", written(uuid4(), secrets.token_bytes(SECRET_BYTES))),
            ("key_unknown", written(who.subject, secrets.token_bytes(SECRET_BYTES))),
            ("key_malformed", whole[:-1]),
            ("key_malformed", whole[:-1] + ("1" if whole[-1] == "0" else "0")),
        ]


@dataclass
class Stage:
    """Two partners of one stop: ours has a second one, and theirs a third."""

    client: httpx2.AsyncClient
    served: Any
    keys: Keys
    mission: Mission
    message: int
    ours: dict[str, object]
    theirs: dict[str, object]

    def holder(self, *scopes: KeyScope) -> Principal:
        world = self.mission.world
        return Principal(
            *("partner_system", uuid4(), world.mission, (world.stop,)),
            partner_id=self.mission.supporter,
            scopes=scopes,
        )

    def calls(self, ids: dict[str, object]) -> list[Call]:
        """Give every call; what takes something away comes last."""
        found = {call.route: call for call in calls(self.served, ids)}
        told = calls(self.served, ids | {"delivery_id": self.message})
        found |= {call.route: call for call in told if call.template.startswith("/deliveries")}
        return sorted(found.values(), key=lambda call: call.method == "DELETE")

    async def ask(self, key: str, call: Call, ids: dict[str, object]) -> tuple[int, str]:
        """Ask; of a stream only the beginning is read."""
        asked = self.client.stream(
            call.method,
            call.path,
            params=dict(call.query),
            json=None if call.method in ("GET", "DELETE") else bodies(ids).get(call.route),
            headers={"Authorization": f"Bearer {key}", "If-Match": '"1"'},
        )
        async with asked as answer:
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                return answer.status_code, await anext(answer.aiter_text())
            return answer.status_code, (await answer.aread()).decode()


def bodies(ids: dict[str, object]) -> dict[str, Any]:
    """Give a body that is right for each route that takes one."""
    texts = {"en": "Sample", "zh": "示例"}
    mail = {"subject": "Sample", "body": "Sample"}
    return {
        "POST /calendars": {"stop_id": str(ids["stop_id"])},
        "PUT /messages/announcements/{announcement_id}": {
            **{"stop_id": str(ids["stop_id"]), "subject": texts, "body": texts},
        },
        "PUT /messages/rules/{mission_id}": {
            **{"channels": ["email"], "fallback": [], "urgent_minutes": 60},
            **{"quiet_from": "22:00", "quiet_until": "07:00", "asks_for_results": True},
        },
        "PUT /messages/settings": {"channels": ["email"]},
        "PUT /messages/subscriptions": {
            "endpoint": "https://push.example.org/1",
            "keys": {"p256dh": "abc", "auth": "abc"},
        },
        "PUT /messages/templates/{mission_id}/{name}": {"en": mail, "zh": mail},
        "POST /webhooks": {"url": "https://127.0.0.1:1/", "partner_id": str(ids["partner_id"])},
        "PATCH /webhooks/{webhook_id}": {"name": "CRM"},
        "POST /webhooks/{webhook_id}/replay": {"failed": True},
    }


async def hook(browser: Any, who: Principal, name: str, **owner: str) -> str:
    """Add a webhook that is told whatever its owner may see."""
    body = {"url": f"https://127.0.0.1:1/{name}", "name": name} | owner
    answer = await browser.send("POST", "/api/v1/webhooks", who, json=body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


@pytest.fixture
async def stage(database: Database, browser: Any, planned: Any) -> AsyncIterator[Stage]:
    mission = Mission(planned)
    ours, theirs = mission.supporter, mission.host
    here, there = mission.stops()
    third = here.model_copy(update={"stop_id": uuid4(), "partners": (theirs,)})
    await append(
        database, [here, there.model_copy(update={"hosts": (ours,), "partners": (ours,)}), third]
    )
    async with database.transaction() as connection:
        await facts.put_stop(connection, third, 1)
        news = News.of("sign_in", planned.delegate, planned.mission)
        await planning.tell(connection, [news], NOW)
        message = await connection.fetchval("SELECT id FROM message")
        await messages.end(connection, message, "failed", "550 No such user")
    everything: list[dict[str, object]] = []
    for partner, stop, name in ((ours, planned.stop, "Ours"), (theirs, third.stop_id, MARK)):
        who = Principal("partner_system", uuid4(), planned.mission, (planned.stop,), partner)
        made = await hook(browser, replace(who, scopes=(HOOKS,)), name)
        person = mission.somebody(r.ParticipantPending, partner)
        (told,) = await append(database, [person])
        async with database.transaction() as connection:
            delivery = await connection.fetchval(
                "SELECT max(id) FROM webhook_delivery WHERE webhook_id = $1", UUID(made)
            )
        everything.append(
            {
                **{"mission_id": planned.mission, "partner_id": partner, "stop_id": stop},
                **{"webhook_id": made, "delivery_id": delivery, "event_id": told.event_id},
                **{"person_id": person.key, "name": "confirmed", "token": "no-token"},
                **{"announcement_id": uuid4(), "endpoint": "https://push.example.org/1"},
            }
        )
    app = browser.client._transport.app
    keys = Keys()
    app.state.keys = Keyring(keys.ask)
    async with behind_an_address(app) as address, httpx2.AsyncClient(base_url=address) as client:
        yield Stage(client, app.openapi()["paths"], keys, mission, message, *everything)


async def written_down(database: Database) -> list[Any]:
    """Read what could have been changed."""
    async with database.reading() as connection:
        tables = await connection.fetchval(
            "SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'public'"
        )
        return [
            await connection.fetch(f"SELECT to_jsonb(t)::text FROM {table} AS t ORDER BY 1")  # noqa: S608
            for table in tables
        ]


async def test_a_key_opens_what_its_scope_says_and_nothing_else(stage: Stage) -> None:
    everything = stage.calls(stage.ours)
    assert OPEN.keys() | BY_TOKEN < {call.route for call in everything}
    opened: dict[str, set[str]] = {}
    # Last, as it takes the webhook away.
    for scope in (None, *sorted(SCOPES, key=lambda scope: scope == HOOKS)):
        key = stage.keys.of(stage.holder(*([scope] if scope else ())))
        for call in everything:
            status, text = await stage.ask(key, call, stage.ours)
            if call.route in BY_TOKEN:
                assert status == 401, (str(call), text)
            elif status != 403:
                assert 200 <= status < 300, (scope, str(call), text)
                opened.setdefault(call.route, set()).add(str(scope))
    assert opened == {route: {scope} for route, scope in OPEN.items()}


async def test_a_key_that_is_none_any_more_opens_nothing(stage: Stage, database: Database) -> None:
    before = await written_down(database)
    for code, key in stage.keys.broken(stage.holder(*SCOPES)):
        for call in stage.calls(stage.ours):
            status, text = await stage.ask(key, call, stage.ours)
            assert status == 401, (code, str(call), text)
            assert call.route in BY_TOKEN or f'"{code}"' in text, (str(call), text)
    assert await written_down(database) == before


async def test_a_key_finds_nothing_of_another_partner(stage: Stage, database: Database) -> None:
    key = stage.keys.of(stage.holder(*SCOPES))
    secret = [str(stage.theirs[name]) for name in ("webhook_id", "event_id", "person_id")]
    before = await written_down(database)
    for call in stage.calls(stage.theirs):
        status, text = await stage.ask(key, call, stage.theirs)
        assert not [one for one in (MARK, *secret) if one in text], (str(call), text)
        # The feed is everybody's: there only what it tells can be wrong.
        is_refused = status in (401,) if call.route in BY_TOKEN else status in (403, 404)
        assert is_refused or call.route == "GET /events", (str(call), status, text)
    assert await written_down(database) == before


async def test_a_key_for_another_stop_finds_nothing_of_this_one(
    stage: Stage, database: Database, browser: Any
) -> None:
    world = stage.mission.world
    who = replace(stage.holder(*SCOPES), stop_ids=(world.other_stop,))
    staff = Principal("mission_staff", uuid4(), world.mission)
    of_staff = await hook(browser, staff, "For all stops", partner_id=str(who.partner_id))
    key = stage.keys.of(who)
    before = await written_down(database)
    for ids in (stage.ours, stage.ours | {"webhook_id": of_staff}):
        for call in stage.calls(ids):
            if call.route == "POST /webhooks":
                continue
            status, text = await stage.ask(key, call, ids)
            secret = [str(ids[name]) for name in ("webhook_id", "event_id", "person_id")]
            assert not [one for one in secret if one in text], (str(call), text)
            if call.route not in OF_THE_PARTNER | BY_TOKEN:
                assert status in (403, 404), (str(call), status, text)
    assert await written_down(database) == before
    both = stage.keys.of(replace(who, subject=uuid4(), stop_ids=(world.stop, world.other_stop)))
    ids = stage.ours | {"webhook_id": of_staff}
    (call,) = [one for one in stage.calls(ids) if one.route == "GET /webhooks/{webhook_id}"]
    assert (await stage.ask(both, call, ids))[0] == 200


async def test_who_works_at_one_stop_of_a_partner_has_webhooks_of_that_one_alone(
    stage: Stage, database: Database, browser: Any
) -> None:
    world = stage.mission.world
    of_both = replace(
        stage.holder(),
        role="partner_staff",
        scopes=(),
        stop_ids=(world.stop, world.other_stop),
    )
    of_one = replace(of_both, subject=uuid4(), stop_ids=(world.other_stop,))
    both, own = await hook(browser, of_both, "Both"), await hook(browser, of_one, "Own")
    listed = (await browser.get("/api/v1/webhooks", of_one)).json()["items"]
    assert [one["id"] for one in listed] == [own]
    before = await written_down(database)
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
    ):
        answer = await browser.send(method, f"/api/v1/webhooks/{both}{path}", of_one)
        assert answer.status_code == 403, (method, path)
    assert await written_down(database) == before
    # Of what happens at the other stop the one of both hears alone.
    await append(database, [stage.mission.somebody(r.ParticipantPending, of_both.partner_id)])
    async with database.reading() as connection:
        told = await connection.fetch(
            "SELECT webhook_id FROM webhook_delivery WHERE webhook_id = ANY($1::uuid[])",
            [UUID(both), UUID(own)],
        )
    assert [str(row["webhook_id"]) for row in told] == [both]
