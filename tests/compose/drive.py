"""Drives a deployment through its gateway: `drive.py URL FOLDER COMPOSE...`.

COMPOSE is the command that manages the containers of the project in FOLDER.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

CONVERGE_SECONDS_MAX = 60
COMPOSE_SECONDS_MAX = 180
PEOPLE_A_SIDE = 3
DAY = (datetime.now(UTC) + timedelta(days=30)).replace(hour=1, minute=0, second=0, microsecond=0)


@dataclass
class Deployment:
    client: httpx2.Client
    folder: Path
    compose: list[str]
    stop_id: str = ""
    item_id: str = ""
    people: dict[str, list[str]] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """Run a command of Compose and give what it prints."""
        done = subprocess.run(
            [*self.compose, *command],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMPOSE_SECONDS_MAX,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Ask the API; where it answers 404 or 503, it has not heard or is away: ask again."""
        ends = time.monotonic() + CONVERGE_SECONDS_MAX
        while True:
            answer = self.client.request(method, f"/api/v1{path}", **more)
            if answer.status_code not in (404, 503) or time.monotonic() > ends:
                break
            time.sleep(0.25)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def create(self, path: str, body: Mapping[str, object]) -> Any:
        """Create something, once however often it is asked."""
        return self.ask("POST", path, json=body, headers={"Idempotency-Key": str(uuid4())})

    def command(self, meeting: Mapping[str, Any], command: str) -> Any:
        """Run a command of the day on a meeting."""
        path = f"/meetings/{meeting['meeting_id']}/{command}"
        return self.ask("POST", path, headers={"If-Match": f'"{meeting["revision"]}"'})


class Stream:
    """The open live stream of a stop."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._lines = answer.iter_lines()
        self.last_id = ""

    def until(self, is_wanted: Callable[[str, Any], bool]) -> Any:
        """Read events up to one that is wanted, and give its data."""
        ends = time.monotonic() + CONVERGE_SECONDS_MAX
        name = ""
        for line in self._lines:
            key, _, value = line.partition(": ")
            if key == "id":
                self.last_id = value
            elif key == "event":
                name = value
            # A beat has no data.
            elif key == "data" and value and is_wanted(name, data := json.loads(value)):
                return data
            assert time.monotonic() < ends, "the stream did not tell it in time"
        raise AssertionError("the stream ended")


@contextmanager
def live(deployment: Deployment, last_id: str = "") -> Iterator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    path = f"/api/v1/live/stops/{deployment.stop_id}"
    ends = time.monotonic() + CONVERGE_SECONDS_MAX
    while True:
        with deployment.client.stream("GET", path, headers=headers) as answer:
            if answer.status_code not in (404, 503) or time.monotonic() > ends:
                assert answer.status_code == 200, answer.read()
                yield Stream(answer)
                return
        time.sleep(0.25)


@contextmanager
def step(text: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    sys.stderr.write(f"{time.monotonic() - began:8.2f} s  {text}\n")


def sign_in(at: Deployment) -> None:
    link = at.run("exec", "-T", "registration", "python", "-m", "services.registration", "link")
    session = at.create("/sessions", {"token": link.strip().rpartition("token=")[2]})
    at.client.headers["Authorization"] = f"Bearer {session['token']}"


def announce(at: Deployment) -> None:
    both = {"en": "Smoke test", "zh": "测试"}
    day = DAY.date().isoformat()
    mission = at.create(
        "/missions",
        {
            "slug": f"smoke-{uuid4()}",
            "title": both,
            "summary": both,
            "starts_on": day,
            "ends_on": day,
            "home_country": "NL",
            "host_country": "CN",
            "sectors": {"wind": {"en": "Wind", "zh": "风能"}},
        },
    )
    at.stop_id = at.create(
        f"/missions/{mission['id']}/stops",
        {"slug": "stop", "city": both, "title": both, "timezone": "Asia/Shanghai", "date": day},
    )["id"]
    at.item_id = at.create(
        f"/stops/{at.stop_id}/programme-items",
        {
            "slug": "matchmaking",
            "kind": "matchmaking",
            "title": both,
            "starts_at": DAY.isoformat(),
            "ends_at": (DAY + timedelta(hours=3)).isoformat(),
            "capacity": 2 * PEOPLE_A_SIDE,
        },
    )["id"]


def register(at: Deployment) -> None:
    for side in ("delegation", "local"):
        at.people[side] = [_register(at, side, number) for number in range(PEOPLE_A_SIDE)]


def _register(at: Deployment, side: str, number: int) -> str:
    answer = at.create(
        f"/programme-items/{at.item_id}/registrations",
        {
            "side": side,
            "source": "import",
            "consent": True,
            "organization": {
                "name": f"Synthetic {side} {number}",
                "country": "NL" if side == "delegation" else "CN",
                "sectors": ["wind"],
            },
            "person": {
                "full_name": f"Synthetic {side} {number}",
                "email": f"{side}-{number}@smoke.example",
                "language": "en",
                "languages": ["en", "zh"],
            },
            # Who lists nothing takes no meetings.
            "listings": [
                {
                    "kind": "offer" if side == "delegation" else "need",
                    "sector": "wind",
                    "text": {"en": "Synthetic blades", "zh": "测试叶片"},
                }
            ],
        },
    )
    assert answer["status"] == "confirmed", answer
    return str(answer["participant_id"])


def plan(at: Deployment) -> None:
    at.create(
        "/meeting-sessions",
        {
            "programme_item_id": at.item_id,
            "slug": "morning",
            "starts_at": DAY.isoformat(),
            "slot_minutes": 30,
            "slots": 4,
            "breaks": [],
            "points": [{"label": f"T{n + 1}", "kind": "table"} for n in range(PEOPLE_A_SIDE)],
        },
    )
    for delegate, local in zip(at.people["delegation"], at.people["local"], strict=True):
        wish = {"stop_id": at.stop_id, "participant_id": delegate, "counterpart_id": local}
        at.ask("PUT", "/preferences", json={**wish, "kind": "must_meet"})


def publish(at: Deployment) -> None:
    schedule = at.create("/schedules", {"stop_id": at.stop_id, "seconds_max": 2})
    ends = time.monotonic() + CONVERGE_SECONDS_MAX
    while schedule["progress"] != "done":
        assert schedule["progress"] != "failed", schedule
        assert time.monotonic() < ends, schedule
        time.sleep(0.25)
        schedule = at.ask("GET", f"/schedules/{schedule['id']}")
    published = at.ask("POST", f"/schedules/{schedule['id']}/publish")
    assert published["meetings"] >= PEOPLE_A_SIDE, published


def is_change(meeting_id: str, state: str) -> Callable[[str, Any], bool]:
    def is_wanted(name: str, data: Any) -> bool:
        return name == "change" and (data["meeting_id"], data["state"]) == (meeting_id, state)

    return is_wanted


def refuse(at: Deployment) -> None:
    pages = {path: at.client.get(path) for path in ("/", "/sign-in")}
    assert {page.status_code for page in pages.values()} == {200}, pages
    hidden = at.client.get("/internal/contacts", params={"ids": ""})
    assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found"), hidden.text
    at.run("stop", "matching")
    away = at.client.get("/api/v1/meetings", params={"stop_id": at.stop_id})
    assert (away.status_code, away.json()["code"]) == (503, "unavailable"), away.text
    at.run("up", "-d", "--no-deps", "--no-build", "--force-recreate", "matching")


def drive(at: Deployment) -> None:
    with step("a link made on the server signs staff in"):
        sign_in(at)
    with step("a mission, a stop and an item are announced"):
        announce(at)
    with step(f"{2 * PEOPLE_A_SIDE} people register"):
        register(at)
    with live(at) as stream:
        with step("the stop's live stream opens with a snapshot"):
            stream.until(lambda name, _: name == "snapshot")
        with step("a session is planned and wishes are noted"):
            plan(at)
        with step("a schedule is solved and published"):
            publish(at)
        with step("the stream tells of a meeting that is called"):
            meeting = at.ask("GET", "/meetings", params={"stop_id": at.stop_id})["items"][0]
            meeting = at.command(meeting, "call")
            stream.until(is_change(meeting["meeting_id"], "called"))
    with step("notify is restarted and matching made anew; meanwhile the gateway says so"):
        at.run("restart", "notify")
        refuse(at)
    with (
        step("the meeting is started, and the resumed stream tells of it"),
        live(at, stream.last_id) as resumed,
    ):
        at.command(meeting, "start")
        resumed.until(is_change(meeting["meeting_id"], "in_progress"))


if __name__ == "__main__":
    url, folder, *compose = sys.argv[1:]
    with httpx2.Client(base_url=url, timeout=30) as client:
        drive(Deployment(client, Path(folder), compose))
