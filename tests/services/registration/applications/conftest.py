"""A mission that takes applications, and the companies and reviewers of a test."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from shared.access import Principal

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

CODES = ("home_content", "export_control", "anti_bribery", "litigation")
TODAY = datetime.now(UTC).date()
STARTS_ON = TODAY + timedelta(days=60)


def mission(starts_on: date = STARTS_ON) -> dict[str, Any]:
    return {
        "slug": "outbound",
        "title": {"en": "Outbound Mission", "zh": "出访代表团"},
        "summary": {"en": "Sample companies travel.", "zh": "示例企业出访。"},
        "organizer": {"en": "Sample Center", "zh": "示例中心"},
        "starts_on": starts_on.isoformat(),
        "ends_on": (starts_on + timedelta(days=5)).isoformat(),
        "home_country": "US",
        "host_country": "CN",
        "sectors": {"batteries": {"en": "Batteries", "zh": "电池"}},
    }


def call(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "statement": {"en": "We go to meet buyers.\n\nIt is a pilot.", "zh": "我们前往对接买家。"},
        "fee": {"en": "USD 500", "zh": "500美元"},
        "questions": [
            {
                "code": "experience",
                "text": {"en": "Your experience abroad?", "zh": "海外经验？"},
                "is_needed": True,
            }
        ],
        "criteria": [
            {"title": {"en": "Fit", "zh": "契合度"}, "weight": 60},
            {"title": {"en": "Plan", "zh": "计划"}, "weight": 40},
        ],
        "timezone": "America/New_York",
        "opens_at": (now - timedelta(days=1)).isoformat(),
        "closes_at": (now + timedelta(days=10)).isoformat(),
        "decide_on": (TODAY + timedelta(days=30)).isoformat(),
        "participants_min": 2,
        "participants_max": 2,
        "days_to_confirm": 7,
    } | changes


@dataclass
class Company:
    """An application and the person who writes it."""

    id: UUID
    who: Principal
    revision: int = 1


@dataclass
class Selection:
    """A mission with a call that is open, all texts published, and two places."""

    house: "House"
    mission: UUID
    stop: UUID

    @property
    def staff(self) -> Principal:
        """Make a member of this mission's staff, another one each time."""
        return Principal("mission_staff", uuid4(), self.mission)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        who: Principal | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """Call the API."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.house.client.request(
            method, f"/api/v1{path}", json=body, headers=self.house.headers(who) | headers
        )

    def body_of(self, path: str) -> Any:
        """Give a body that is right for a path of the API."""
        bodies: dict[str, Any] = {
            "call": call(),
            "litigation": {"en": "Text", "zh": "文本"},
            "reserve-list": {"order": []},
            "submit": self.signature(),
            "attestations": self.signature(),
            "decisions": {"action": "withdraw"},
            "review": {"abstain": True},
            "letters": self.invitee(),
            "revoke": None,
        }
        return bodies.get(path.rpartition("/")[2], self.written())

    async def publish(self, **changes: Any) -> httpx2.Response:
        path = f"/missions/{self.mission}/call"
        seen = (await self.ask("GET", path)).headers.get("ETag", '"0"')
        return await self.ask("PUT", path, call(**changes), self.staff, If_Match=seen)

    async def certify(self, code: str, text: str = "Text") -> httpx2.Response:
        body = {"en": f"{text} {code}", "zh": f"{text}之{code}"}
        path = f"/missions/{self.mission}/certifications/{code}"
        return await self.ask("PUT", path, body, self.staff)

    def starting(self, name: str, **changes: Any) -> dict[str, Any]:
        return {
            "full_name": f"Sample {name.title()}",
            "email": f"{name}@example.com",
            "language": "en",
            "company": f"{name.title()} Inc.",
            "consent": True,
        } | changes

    async def start(self, name: str, **changes: Any) -> httpx2.Response:
        path = f"/missions/{self.mission}/applications"
        return await self.ask(
            "POST", path, self.starting(name, **changes), Idempotency_Key=f"key {name}"
        )

    async def begun(self, name: str, **changes: Any) -> Company:
        answer = await self.start(name, **changes)
        assert answer.status_code == 201, answer.text
        content = answer.json()
        who = Principal("applicant", UUID(content["contact_id"]), self.mission)
        return Company(UUID(content["id"]), who)

    def written(self, name: str = "ana", **changes: Any) -> dict[str, Any]:
        """Make the body of an application; what `changes` gives for a part is merged into it."""
        body: dict[str, Any] = {
            "contact": {"full_name": f"Sample {name.title()}", "language": "en"},
            "company": {"name": f"{name.title()} Inc.", "country": "US", "sectors": ["batteries"]},
            "objectives": {str(self.stop): "Find two buyers."},
            "answers": {"experience": "Ten years."},
        }
        for part, change in changes.items():
            body[part] = body[part] | change
        return body

    def signature(self, **changes: Any) -> dict[str, Any]:
        return {
            "signer_name": "Sample Signer",
            "signer_title": "President",
            "language": "en",
            "disclosure": None,
            "certifications": dict.fromkeys(CODES, 1),
        } | changes

    async def save(self, company: Company, body: object) -> httpx2.Response:
        answer = await self.ask(
            "PUT",
            f"/applications/{company.id}",
            body,
            company.who,
            If_Match=f'"{company.revision}"',
        )
        company.revision = answer.json().get("revision", company.revision)
        return answer

    async def submit(self, company: Company, **changes: Any) -> httpx2.Response:
        answer = await self.ask(
            "POST",
            f"/applications/{company.id}/submit",
            self.signature(**changes),
            company.who,
            If_Match=f'"{company.revision}"',
        )
        company.revision = answer.json().get("revision", company.revision)
        return answer

    async def submitted(self, name: str) -> Company:
        company = await self.begun(name)
        saved = await self.save(company, self.written(name))
        assert saved.status_code == 200, saved.text
        answer = await self.submit(company)
        assert answer.status_code == 200, answer.text
        return company

    async def decide(
        self,
        company: Company,
        action: str,
        who: Principal | None = None,
        message: str | None = None,
    ) -> httpx2.Response:
        return await self.ask(
            "POST",
            f"/applications/{company.id}/decisions",
            {"action": action, "message": message},
            who or self.staff,
            If_Match=f'"{await self.revision(company)}"',
        )

    async def led(self, company: Company, *actions: str) -> None:
        """Lead a company through decisions of staff that are allowed."""
        for action in actions:
            answer = await self.decide(company, action, message="Please say more.")
            assert answer.status_code == 200, answer.text

    async def revision(self, company: Company) -> int:
        rows = await self.house.rows("SELECT revision FROM application WHERE id = $1", company.id)
        revision: int = rows[0]["revision"]
        return revision

    async def status(self, company: Company) -> str:
        rows = await self.house.rows("SELECT status FROM application WHERE id = $1", company.id)
        status: str = rows[0]["status"]
        return status

    async def criteria(self) -> list[UUID]:
        rows = await self.house.rows("SELECT id FROM criterion ORDER BY place")
        return [row["id"] for row in rows]

    async def review(
        self, company: Company, who: Principal, *scores: int, comment: str = "Why."
    ) -> httpx2.Response:
        body = {
            "scores": [
                {"criterion_id": str(criterion), "score": score, "comment": comment}
                for criterion, score in zip(await self.criteria(), scores, strict=False)
            ]
        }
        return await self.ask("PUT", f"/applications/{company.id}/review", body, who)

    def invitee(self, **changes: Any) -> dict[str, Any]:
        return {
            "full_name": "Sample Traveller",
            "native_name": "示例旅客",
            "position": {"en": "Director", "zh": "总监"},
            "valid_until": (STARTS_ON + timedelta(days=30)).isoformat(),
        } | changes

    async def letter(self, company: Company, **changes: Any) -> httpx2.Response:
        path = f"/applications/{company.id}/letters"
        return await self.ask("POST", path, self.invitee(**changes), self.staff)


@pytest.fixture
async def selection(bare: "House") -> Selection:
    """A mission that takes applications."""
    bare.mission = await bare.made("/missions", mission())
    stop = {
        "slug": "guangzhou",
        "city": {"en": "Guangzhou", "zh": "广州"},
        "title": {"en": "Matchmaking Conference", "zh": "产业对接会"},
        "timezone": "Asia/Shanghai",
        "date": STARTS_ON.isoformat(),
    }
    bare.stop = await bare.made(f"/missions/{bare.mission}/stops", stop)
    made = Selection(bare, bare.mission, bare.stop)
    assert (await made.publish()).status_code == 200
    for code in CODES:
        assert (await made.certify(code)).status_code == 200
    return made
