"""A partner's system that says what a test wants it to, and a connector to it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

from services.registration.commands.connectors.syncing import Syncer

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

TOKEN = "their-secret-token"
EVENT = "/api/v1/organizers/bureau/events/talks"
NOBODY = UUID(int=0)
SINCE = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass
class Answer:
    """What a system answers, instead of what it holds."""

    status: int
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Peer:
    """A small pretix: orders as its API gives them, changed by the test, and what we sent it."""

    address: str = ""
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    """What the next requests are answered, each once."""
    page_size: int = 50
    clock: datetime = SINCE

    def order(self, code: str, **changes: Any) -> None:
        """Place an order of one ticket, or change it; what is said of a position is its own."""
        self.clock += timedelta(minutes=10)
        known = self.orders.get(code) or {
            "code": code,
            "status": "p",
            "email": f"{code.lower()}@example.com",
            "locale": "en",
            "invoice_address": None,
            "positions": [ticket(len(self.orders) + 1, code)],
        }
        position = {name: changes.pop(name) for name in list(changes) if name in TICKET}
        known["positions"][0] |= position
        self.orders[code] = known | changes | {"last_modified": self.clock.isoformat()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        headers = dict(scope["headers"])
        self.tokens.add(headers[b"authorization"].decode())
        path, query = scope["path"], scope["query_string"].decode()
        answer = self.answers.pop(0) if self.answers else self.answer(scope, path, query, body)
        start = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        content = json.dumps(answer.content).encode()
        start.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": start})
        await send({"type": "http.response.body", "body": content})

    def answer(self, scope: Any, path: str, query: str, body: bytes) -> Answer:
        if scope["method"] != "GET":
            return self.write(scope["method"], path, json.loads(body or b"null"))
        self.asked.append(f"{path}?{query}")
        if path == f"{EVENT}/orders/":
            return Answer(200, self.page(dict(p.split("=") for p in query.split("&"))))
        if path.startswith(f"{EVENT}/orders/"):
            code = path.split("/")[-2]
            return Answer(200, self.orders[code]) if code in self.orders else Answer(404)
        return Answer(200, NAMED.get(path.removeprefix(EVENT), {"next": None, "results": []}))

    def page(self, asked: dict[str, str]) -> dict[str, Any]:
        found = sorted(self.orders.values(), key=lambda one: one["last_modified"])
        if since := asked.get("modified_since"):
            since = since.replace("%3A", ":").replace("%2B", "+")
            found = [one for one in found if one["last_modified"] >= since]
        start = (int(asked["page"]) - 1) * self.page_size
        rest = found[start + self.page_size :]
        return {"next": "more" if rest else None, "results": found[start : start + self.page_size]}

    def write(self, method: str, path: str, body: Any) -> Answer:
        self.sent.append((method, path.removeprefix(EVENT), body))
        if path.endswith("/redeem/"):
            number = int(path.split("/")[-3])
            for order in self.orders.values():
                for one in order["positions"]:
                    if one["id"] == number and not one["checkins"]:
                        one["checkins"] = [
                            {"list": 5, "type": "entry", "datetime": body["datetime"]}
                        ]
                        self.order(order["code"])
        elif path.endswith("/mark_canceled/"):
            self.order(path.split("/")[-3], status="c")
        return Answer(200, {})


TICKET = frozenset(
    [
        "attendee_name",
        "attendee_email",
        "company",
        "country",
        "item",
        "checkins",
        "canceled",
        "answers",
    ]
)
NAMED = {
    "/items/": {"next": None, "results": [{"id": 1, "name": {"en": "Talks", "zh": "洽谈"}}]},
    "/questions/": {
        "next": None,
        "results": [
            {
                "id": 7,
                "identifier": "SECTOR",
                "question": {"en": "Your field"},
                "options": [{"answer": {"en": "Energy storage"}}],
            }
        ],
    },
}


def ticket(number: int, code: str) -> dict[str, Any]:
    return {
        "id": 100 + number,
        "positionid": 1,
        "item": 1,
        "attendee_name": f"Sample {code}",
        "attendee_email": None,
        "company": f"Sample {code} Co.",
        "country": "CN",
        "addon_to": None,
        "canceled": False,
        "answers": [
            {"question": 7, "question_identifier": "SECTOR", "answer": "Energy storage"},
        ],
        "checkins": [],
    }


@dataclass
class Room:
    """The service, a system, and a connector of the house's partner to it."""

    house: "House"
    peer: Peer
    syncer: Syncer
    id: UUID = NOBODY

    @property
    def staff(self) -> Any:
        return self.house.someone("partner_staff", partner_id=self.house.partner)

    def body(self, **changes: Any) -> dict[str, Any]:
        return {
            "kind": "pretix",
            "stop_id": str(self.house.stop),
            "place": {
                "address": self.peer.address,
                "organizer": "bureau",
                "event": "talks",
                "check_in_list": 5,
            },
            "token": TOKEN,
            "pushes": ["check_in", "cancel"],
            "field_map": self.field_map(),
        } | changes

    def field_map(self, **changes: Any) -> dict[str, Any]:
        fields = {"full_name": "attendee_name", "email": "email", "company": "company"}
        fields |= {"country": "country", "language": "locale", "sectors": "question.SECTOR"}
        return {
            "items": {"1": str(self.house.items["talks"])},
            "fields": fields,
            "values": {"sectors": {"Energy storage": "batteries"}},
        } | changes

    async def connect(self, **changes: Any) -> None:
        path = f"/api/v1/partners/{self.house.partner}/connectors"
        answer = await self.house.post(path, self.body(**changes), self.staff)
        assert answer.status_code == 201, answer.text
        self.id = UUID(answer.json()["id"])

    async def sync(self) -> None:
        """Work on the connector now, and then until nothing is due, as its loop does."""
        await self.house.post(f"/api/v1/connectors/{self.id}/sync", None, self.staff)
        now = datetime.now(UTC) + timedelta(seconds=1)
        while await self.syncer.work(now):
            pass

    async def state(self) -> dict[str, Any]:
        answer = await self.house.get(f"/api/v1/connectors/{self.id}", self.staff)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    async def conflicts(self) -> dict[str, str]:
        """Give the reason of each conflict by the id there."""
        answer = await self.house.get(f"/api/v1/connectors/{self.id}/conflicts", self.staff)
        return {one["remote_id"]: one["conflict"] for one in answer.json()["items"]}

    async def decide(self, remote_id: str, decision: str) -> int:
        path = f"/api/v1/connectors/{self.id}/conflicts/{remote_id}"
        return (await self.house.post(path, {"decision": decision}, self.staff)).status_code

    async def links(self) -> dict[str, asyncpg.Record]:
        rows = await self.house.rows(
            "SELECT link.*, r.status, r.source, r.checked_in_at, r.revision AS ours, "
            "person.full_name, person.email "
            "FROM connector_link AS link LEFT JOIN registration AS r ON r.id = registration_id "
            "LEFT JOIN person ON person.id = r.person_id ORDER BY remote_id"
        )
        return {row["remote_id"]: row for row in rows}

    async def statuses(self) -> dict[str, str]:
        return {one: row["status"] for one, row in (await self.links()).items()}
