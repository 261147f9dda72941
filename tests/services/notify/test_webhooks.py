"""Webhooks: signed so that others' libraries verify it, in order, and never lost in silence."""

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import standardwebhooks
from pydantic_core import from_json

from services.notify.commands.webhook_sending import TEST, Couriers
from services.notify.commands.webhooks import Hooks
from services.notify.domain.webhooks import (
    FAILING_MAX,
    JITTER,
    PAUSES,
    REFUSALS_MAX,
    REST_MAX,
    Health,
    Outcome,
    next_attempt,
    retry_after,
)
from shared.access import Principal
from shared.events import registration as r
from shared.events.base import Event
from shared.http import now
from shared.log.records import Envelope
from shared.postgres import Database
from tests.services.notify.partners import NOW, Mission, append
from tests.services.notify.receivers import Receiver, always, receiving, status

API = "/api/v1/webhooks"
SECOND = timedelta(seconds=1)


@dataclass
class Stage:
    """A partner that hosts a stop, its webhooks, and who delivers to them."""

    database: Database
    browser: Any
    mission: Mission
    partner: Principal
    couriers: Couriers

    async def tell(self, *events: Event) -> list[Envelope]:
        return await append(self.database, events)

    async def ask(self, method: str, path: str = "", **content: Any) -> httpx2.Response:
        answer: httpx2.Response = await self.browser.send(
            method, f"{API}{path}", self.partner, **content
        )
        return answer

    async def add(self, url: str, **facts: Any) -> dict[str, Any]:
        answer = await self.ask("POST", json={"url": url, **facts})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def edit(self, hook: str, revision: int, **facts: Any) -> httpx2.Response:
        token = self.browser.tokens.sign(self.partner, "session", datetime.now(UTC))
        headers = {"Authorization": f"Bearer {token}", "If-Match": f'"{revision}"'}
        answer: httpx2.Response = await self.browser.client.patch(
            f"{API}/{hook}", json=facts, headers=headers
        )
        return answer

    async def deliver(self, at: datetime | None = None) -> int:
        """Deliver what is due at a time, all of it."""
        total = 0
        for id_ in await self.couriers.due(at or now()):
            while count := await self.couriers.round(id_, at or now()):
                total += count
        return total

    def somebody(self, person: UUID | None = None) -> r.ParticipantEvent:
        return self.mission.somebody(r.ParticipantPending, self.mission.host, person)


@pytest.fixture
def stage(database: Database, hooks: Hooks, browser: Any, world: Any) -> Stage:
    mission = Mission(world)
    partner = Principal("partner_staff", uuid4(), world.mission, (world.stop,), mission.host)
    return Stage(database, browser, mission, partner, Couriers(database, hooks))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(always(204)) as receiver:
        yield receiver


def signed(received: Any) -> bytes:
    """Give the bytes that are signed, as the specification has them."""
    headers = received.headers
    return f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body


def signatures(received: Any, scheme: str) -> list[bytes]:
    parts = [one.split(",") for one in received.headers["webhook-signature"].split(" ")]
    return [base64.b64decode(text) for name, text in parts if name == scheme]


def openssl(folder: Path, content: bytes, *arguments: str) -> str:
    """Ask an implementation of somebody else's, in another language."""
    (folder / "content").write_bytes(content)
    done = subprocess.run(
        ["openssl", *arguments, str(folder / "content")], capture_output=True, check=False
    )
    return done.stdout.decode() + done.stderr.decode()


async def test_others_verify_what_we_sign(stage: Stage, receiver: Receiver, tmp_path: Path) -> None:
    hook = await stage.add(receiver.url)
    await stage.tell(stage.somebody())
    assert await stage.deliver() == 1
    (received,) = receiver.received
    body = standardwebhooks.Webhook(hook["secret"]).verify(received.body, received.headers)
    assert body.keys() == {"type", "timestamp", "data"}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(hook["secret"]).verify(received.body + b" ", received.headers)
    key = base64.b64decode(hook["secret"].removeprefix("whsec_")).hex()
    told = openssl(
        tmp_path,
        signed(received),
        *("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}", "-hex"),
    )
    assert told.strip().endswith(signatures(received, "v1")[0].hex())


async def test_a_public_key_verifies_what_we_sign_with_ours(
    stage: Stage, receiver: Receiver, tmp_path: Path
) -> None:
    hook = await stage.add(receiver.url, scheme="v1a")
    await stage.tell(stage.somebody())
    await stage.deliver()
    (received,) = receiver.received
    # As openssl reads a key: a SubjectPublicKeyInfo of Ed25519 (RFC 8410) is this and 32 bytes.
    raw = base64.b64decode(hook["secret"].removeprefix("whpk_"))
    (tmp_path / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    (tmp_path / "signature").write_bytes(signatures(received, "v1a")[0])
    arguments = (
        *("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", str(tmp_path / "key")),
        *("-rawin", "-sigfile", str(tmp_path / "signature"), "-in"),
    )
    assert "Verified Successfully" in openssl(tmp_path, signed(received), *arguments)
    assert "Failure" in openssl(tmp_path, signed(received) + b" ", *arguments)


async def test_both_secrets_sign_for_a_day_after_a_rotation(
    stage: Stage, receiver: Receiver
) -> None:
    hook = await stage.add(receiver.url)
    rotated = (await stage.ask("POST", f"/{hook['id']}/rotate")).json()
    assert rotated["secret"] != hook["secret"]
    await stage.tell(stage.somebody())
    await stage.deliver()
    for secret in (hook["secret"], rotated["secret"]):
        received = receiver.received[0]
        standardwebhooks.Webhook(secret).verify(received.body, received.headers)
    async with stage.database.transaction() as connection:
        await connection.execute(
            "UPDATE webhook_secret SET expires_at = expires_at - '1 day'::interval"
        )
    await stage.tell(stage.somebody())
    await stage.deliver()
    received = receiver.received[1]
    standardwebhooks.Webhook(rotated["secret"]).verify(received.body, received.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(hook["secret"]).verify(received.body, received.headers)


async def test_what_is_told_is_thin_and_of_the_types_that_were_named(
    stage: Stage, receiver: Receiver
) -> None:
    await stage.add(receiver.url, types=["matching.meeting.called.v1"])
    meeting = stage.mission.world.meeting("called")
    await stage.tell(
        *stage.mission.stops(), stage.somebody(), stage.mission.world.meeting(), meeting
    )
    await stage.deliver()
    (received,) = receiver.received
    body = from_json(received.body)
    assert body["type"] == "matching.meeting.called.v1"
    assert body["data"] == {
        "meeting_id": str(meeting.meeting_id),
        "stop_id": str(stage.mission.world.stop),
        "mission_id": str(stage.mission.world.mission),
        "version": 1,
        "link": f"/api/v1/events/{received.id}",
    }


async def test_an_aggregate_is_told_in_order_and_others_go_on(stage: Stage) -> None:
    ill, well = uuid4(), uuid4()
    is_ill = True

    def answer(received: Any) -> bytes:
        return status(400 if is_ill and str(ill).encode() in received.body else 200)

    async with receiving(answer) as receiver:
        await stage.add(receiver.url)
        told = await stage.tell(*(stage.somebody(one) for one in (ill, well, ill, well, ill)))
        ids = [str(one.event_id) for one in told]
        await stage.deliver()
        assert receiver.ids() == [ids[0], ids[1], ids[3]]
        assert await stage.deliver() == 0
        is_ill = False
        await stage.deliver(now() + 6 * SECOND)
        assert receiver.ids()[3:] == [ids[0], ids[2], ids[4]]


async def test_what_is_refused_again_and_again_does_not_hold_what_comes_after_it(
    stage: Stage,
) -> None:
    ids: list[str] = []
    async with receiving(lambda one: status(422 if one.id == ids[0] else 200)) as receiver:
        hook = await stage.add(receiver.url)
        person = uuid4()
        told = await stage.tell(*(stage.somebody(person) for _ in range(2)), stage.somebody())
        ids += [str(one.event_id) for one in told]
        at = now()
        for pause in (timedelta(), *PAUSES[: REFUSALS_MAX - 1]):
            at += pause * (1 + JITTER) + SECOND
            assert ids[1] not in receiver.ids()
            await stage.deliver(at)
        assert receiver.ids().count(ids[0]) == REFUSALS_MAX
        assert at - now() < timedelta(hours=1)
        # At once, and what was given up can be sent again.
        await stage.deliver(at + SECOND)
        assert receiver.ids()[-1] == ids[1]
        failed = await stage.ask("GET", f"/{hook['id']}/deliveries?shown=failed")
        assert [one["event_id"] for one in failed.json()["items"]] == [ids[0]]


async def test_one_that_holds_others_is_skipped_by_hand(stage: Stage) -> None:
    async with receiving(always(500)) as receiver:
        hook = await stage.add(receiver.url)
        person = uuid4()
        told = await stage.tell(*(stage.somebody(person) for _ in range(2)))
        await stage.deliver()
        waiting = f"/{hook['id']}/deliveries?shown=waiting"
        # What holds others stands before them.
        (first, second) = (await stage.ask("GET", waiting)).json()["items"]
        assert [one["event_id"] for one in (first, second)] == [str(one.event_id) for one in told]
        after = await stage.ask("GET", f"{waiting}&after={first['id']}")
        assert [one["id"] for one in after.json()["items"]] == [second["id"]]
        receiver.answer = always(200)
        skip = f"/{hook['id']}/deliveries/{first['id']}/skip"
        assert (await stage.ask("POST", skip)).status_code == 204
        await stage.deliver(now() + 6 * SECOND)
        assert receiver.ids() == [str(one.event_id) for one in told]
        (failed,) = (await stage.ask("GET", f"/{hook['id']}/deliveries?shown=failed")).json()[
            "items"
        ]
        assert failed["id"] == first["id"]
        for path in (skip, f"/{hook['id']}/deliveries/{first['id'] + 10**9}/skip"):
            assert (await stage.ask("POST", path)).status_code == 404


@pytest.mark.parametrize(("code", "state"), [(500, "failed"), (200, "delivered")])
async def test_what_is_skipped_while_it_is_sent_stays_so_unless_it_was_taken(
    stage: Stage, code: int, state: str
) -> None:
    skipped = asyncio.Event()
    async with receiving(always(code), until=skipped) as receiver:
        path = f"/{(await stage.add(receiver.url))['id']}/deliveries"
        await stage.tell(stage.somebody())
        delivering = asyncio.ensure_future(stage.deliver())
        while not receiver.received:
            await asyncio.sleep(0.01)
        (one,) = (await stage.ask("GET", path)).json()["items"]
        assert (await stage.ask("POST", f"{path}/{one['id']}/skip")).status_code == 204
        skipped.set()
        await delivering
        (one,) = (await stage.ask("GET", path)).json()["items"]
        assert (one["state"], len(one["tried"])) == (state, 1)


async def test_a_courier_that_dies_is_followed_by_another_with_the_same_id(
    stage: Stage, hooks: Hooks, receiver: Receiver
) -> None:
    class Dies(Couriers):
        async def _note(self, webhook_id: UUID, tried: Any) -> None:
            del webhook_id, tried
            raise ConnectionResetError

    dying = replace(stage, couriers=Dies(stage.database, hooks))
    await stage.add(receiver.url)
    await stage.tell(stage.somebody())
    with pytest.raises(ConnectionResetError):
        await dying.deliver()
    assert await stage.deliver() == 0, "the lease of the one that died is not over"
    assert await stage.deliver(now() + 121 * SECOND) == 1
    assert len(receiver.received) == 2
    assert len(set(receiver.ids())) == 1
    assert await stage.deliver(now() + 400 * SECOND) == 0


async def test_who_is_gone_is_told_nothing_more_and_all_of_it_when_he_is_back(stage: Stage) -> None:
    async with receiving(always(410)) as receiver:
        hook = await stage.add(receiver.url)
        path = f"/{hook['id']}"
        await stage.tell(stage.somebody())
        await stage.deliver()
        await stage.tell(stage.somebody())
        assert await stage.deliver(now() + timedelta(hours=1)) == 0
        shown = (await stage.ask("GET", path)).json()
        assert (shown["state"], shown["reason"], shown["waiting"]) == ("disabled", "gone", 2)
        receiver.answer = always(200)
        answer = await stage.edit(hook["id"], shown["revision"], state="active")
        assert answer.json()["state"] == "active"
        stale = await stage.edit(hook["id"], shown["revision"], state="paused")
        assert stale.status_code == 412
        assert await stage.deliver(now() + timedelta(hours=1)) == 2


async def test_the_log_has_what_was_sent_and_said_and_sends_again(stage: Stage) -> None:
    since = now().isoformat()
    async with receiving(always(500, "X-Trace: 42")) as receiver:
        hook = await stage.add(receiver.url)
        path = f"/{hook['id']}"
        told = await stage.tell(stage.somebody(), stage.somebody())
        await stage.deliver()
        (second, first) = (await stage.ask("GET", f"{path}/deliveries")).json()["items"]
        assert [one["event_id"] for one in (first, second)] == [str(one.event_id) for one in told]
        (tried,) = first["tried"]
        assert tried["status"] == 500
        assert "X-Trace: 42".lower() in tried["response_head"]
        assert f"webhook-id: {first['event_id']}" in tried["request_head"]
        receiver.answer = always(200)
        again = f"{path}/deliveries/{first['id']}/replay"
        assert (await stage.ask("POST", again)).status_code == 204
        await stage.deliver(now() + REST_MAX)
        waiting = await stage.ask("GET", f"{path}/deliveries?shown=waiting")
        far = await stage.ask("GET", f"{path}/deliveries?after={2**63 - 1}")
        assert [one["id"] for one in far.json()["items"]] == [second["id"], first["id"]]
        assert waiting.json()["items"] == []
        count = len(receiver.received)
        queued = await stage.ask("POST", f"{path}/replay", json={"since": since})
        assert queued.json() == {"queued": 2}
        await stage.deliver(now() + REST_MAX)
        assert len(receiver.received) == count + 2
        other = f"{path}/deliveries/{first['id'] + 10**9}/replay"
        assert (await stage.ask("POST", other)).status_code == 404


async def test_what_was_given_up_is_listed_and_sent_again(stage: Stage, receiver: Receiver) -> None:
    receiver.answer = always(500)
    hook = await stage.add(receiver.url)
    await stage.tell(stage.somebody())
    async with stage.database.transaction() as connection:
        await connection.execute("UPDATE webhook_delivery SET attempts = $1", len(PAUSES))
    await stage.deliver()
    path = f"/{hook['id']}"
    (failed,) = (await stage.ask("GET", f"{path}/deliveries?shown=failed")).json()["items"]
    assert failed["attempts"] == len(PAUSES) + 1
    receiver.answer = always(200)
    queued = await stage.ask("POST", f"{path}/replay", json={"failed": True})
    assert queued.json() == {"queued": 1}
    await stage.deliver(now() + REST_MAX)
    assert receiver.ids() == [failed["event_id"]] * 2


async def test_a_test_is_sent_at_once_and_its_answer_shown(
    stage: Stage, receiver: Receiver
) -> None:
    hook = await stage.add(receiver.url)
    path = f"/{hook['id']}/test"
    told = (await stage.ask("POST", path)).json()
    assert (told["state"], told["status"]) == ("delivered", 204)
    (received,) = receiver.received
    body = standardwebhooks.Webhook(hook["secret"]).verify(received.body, received.headers)
    assert body["type"] == TEST
    receiver.answer = always(302, "Location: http://127.0.0.1:1/")
    told = (await stage.ask("POST", path)).json()
    assert (told["state"], told["status"]) == ("failed", 302)


async def test_a_secret_is_shown_once_and_stored_sealed(stage: Stage, receiver: Receiver) -> None:
    hook = await stage.add(receiver.url)
    key = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    assert len(key) == 32
    for path in ("", f"/{hook['id']}"):
        assert hook["secret"] not in (await stage.ask("GET", path)).text
    async with stage.database.reading() as connection:
        (row,) = await connection.fetch("SELECT sealed FROM webhook_secret")
    assert key not in row["sealed"]


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"url": "http://example.org/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://user:x@example.org/"}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "https://example.org/", "types": ["no.such.event"]}, "/types/0"),
        ({"url": "https://example.org/", "colour": "red"}, "/colour"),
        ({"url": "https://example.org/", "name": "x" * 101}, "/name"),
    ],
)
async def test_what_is_wrong_is_named(stage: Stage, facts: dict[str, Any], pointer: str) -> None:
    answer = await stage.ask("POST", json=facts)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_webhook_that_is_asked_for_again_is_there_once_and_its_secret_untold(
    stage: Stage,
) -> None:
    token = stage.browser.tokens.sign(stage.partner, "session", datetime.now(UTC))

    async def add(key: str, url: str = "https://example.org/hook") -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        answer: httpx2.Response = await stage.browser.client.post(
            API, json={"url": url}, headers=headers
        )
        return answer

    first, again, other = await add("one"), await add("one"), await add("two")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 201)
    assert first.json()["secret"].startswith("whsec_")
    assert again.json() == {k: v for k, v in first.json().items() if k != "secret"}
    assert again.headers["Idempotent-Replayed"] == "true"
    listed = (await stage.ask("GET")).json()["items"]
    assert [one["id"] for one in listed] == [first.json()["id"], other.json()["id"]]
    assert (await add("one", "https://example.org/other")).status_code == 422
    assert (await stage.ask("DELETE", f"/{first.json()['id']}")).status_code == 204
    assert (await add("one")).status_code == 404


async def test_nobody_else_has_a_partners_webhooks(
    stage: Stage, person: Any, receiver: Receiver
) -> None:
    hook = await stage.add(receiver.url)
    other = replace(stage.partner, partner_id=stage.mission.supporter)
    reader = replace(stage.partner, role="partner_system", scopes=("events:read",))
    for who in (other, reader, person("door_staff"), person("delegate")):
        for method, path in (
            ("GET", f"{API}/{hook['id']}"),
            ("DELETE", f"{API}/{hook['id']}"),
            ("POST", f"{API}/{hook['id']}/rotate"),
            ("POST", f"{API}/{hook['id']}/test"),
            ("GET", f"{API}/{hook['id']}/deliveries"),
            ("GET", f"{API}?partner_id={stage.mission.host}"),
        ):
            assert (await stage.browser.send(method, path, who)).status_code == 403, (who, path)
    assert receiver.received == []
    staff = person("mission_staff")
    listed = (
        await stage.browser.send("GET", f"{API}?partner_id={stage.mission.host}", staff)
    ).json()
    assert [one["id"] for one in listed["items"]] == [hook["id"]]
    assert (await stage.browser.send("GET", API, staff)).json()["items"] == []
    key = replace(stage.partner, role="partner_system", scopes=("webhooks:write",))
    assert (await stage.browser.send("DELETE", f"{API}/{hook['id']}", key)).status_code == 204
    assert (await stage.ask("GET", f"/{hook['id']}")).status_code == 404


def test_attempts_come_when_the_specification_says_and_then_no_more() -> None:
    """Standard Webhooks 1.0, "Deliverability and reliability": 75 h in all."""
    failed = Outcome(500)
    waits = []
    for attempts in range(1, 10):
        again = next_attempt((attempts, 0), failed, NOW, 0)
        assert again is not None
        waits.append((again - NOW) / SECOND)
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert next_attempt((10, 0), failed, NOW, 0) is None
    refused = Outcome(404)
    first = [next_attempt((count, count), refused, NOW, 0) for count in (1, 2, 3, 4)]
    assert first == [*(NOW + pause for pause in PAUSES[:3]), None]
    # A refusal after a long outage is one of the first.
    assert next_attempt((9, 1), refused, NOW, 0) == NOW + PAUSES[0]
    for code in (401, 403, 429, 500):
        assert next_attempt((4, 3), Outcome(code), NOW, 0) is not None
    spread = next_attempt((1, 0), failed, NOW, 1)
    assert spread is not None
    assert timedelta(seconds=5) < spread - NOW < timedelta(seconds=6)
    throttled = next_attempt((1, 0), Outcome(429, timedelta(minutes=7)), NOW, 0)
    assert throttled == NOW + timedelta(minutes=7)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("120", 120), ("0", 0), (None, None), ("soon", None), ("-5", None), ("1.5", None)),
        ("Wed, 12 Apr 2023 01:02:00 GMT", 120),
        ("Wed, 12 Apr 2023 00:00:00 GMT", 0),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_read(text: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(text, NOW) == expected


def test_an_endpoint_rests_longer_and_longer_and_is_given_up_after_five_days() -> None:
    health, at, failed = Health(), NOW, Outcome(None)
    rests = []
    while health.state == "active":
        health = health.after([failed] * 3, at)
        if health.resting_until:
            rests.append((health.resting_until - at) / SECOND)
            at = health.resting_until
    assert rests[:8] == [5, 10, 20, 40, 80, 160, 320, 600]
    assert max(rests) == REST_MAX / SECOND
    assert health.reason == "failing"
    assert FAILING_MAX <= at - NOW < FAILING_MAX + 2 * REST_MAX
    assert Health(failures=9, failing_since=NOW).after([failed, Outcome(200)], at) == Health()


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_an_endpoint_that_is_too_busy_is_left_alone(code: int) -> None:
    health = Health().after([Outcome(200), Outcome(code, timedelta(minutes=3))], NOW)
    assert health.resting_until == NOW + timedelta(minutes=3)
    assert health.failures == 0
