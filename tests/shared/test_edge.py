import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter
from structlog.testing import capture_logs
from structlog.typing import EventDict

from shared.access import Tokens
from shared.edge import BODY_BYTES_MAX, SECURITY_HEADERS
from shared.errors import Stale
from shared.http import Body, Caller, IfMatch, create_app, etag
from shared.service import Service

PAGE = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "en"}


class Note(Body):
    text: str


@pytest.fixture
def failing() -> set[str]:
    """The names of checks that fail."""
    return set()


router = APIRouter()


@router.get("/api/v1/notes")
async def notes() -> dict[str, str]:
    return {}


@router.post("/api/v1/notes")
async def add_note(body: Note) -> dict[str, str]:
    return {"text": body.text}


@router.put("/api/v1/notes/1")
async def change_note(revision: IfMatch) -> dict[str, str]:
    return etag(revision)


@router.get("/api/v1/mine")
@router.get("/notes")
async def mine(who: Caller) -> dict[str, str]:
    return {"role": who.role}


@router.put("/api/v1/mine")
async def keep_mine(who: Caller) -> None:
    del who


@router.post("/notes/{number}/keep")
async def keep(number: int) -> None:
    del number


@router.post("/left")
async def leave() -> None:
    raise Stale("Somebody was faster.")


@router.get("/pages")
async def paged(number: int) -> None:
    del number


@router.get("/broken")
async def broken() -> None:
    raise ZeroDivisionError


@router.get("/away")
async def away() -> None:
    raise ConnectionRefusedError


@pytest.fixture
async def client(failing: set[str]) -> AsyncIterator[httpx2.AsyncClient]:
    async def check(name: str) -> None:
        if name in failing:
            raise ConnectionRefusedError(name)

    async def hangs() -> None:
        if "hanging" in failing:
            await asyncio.sleep(60)

    # As services have them, behind a look at who calls.
    guarded = APIRouter()
    guarded.include_router(router)
    service = Service(
        name="notes",
        routers=[guarded],
        loops={},
        checks={"notes database": lambda: check("database"), "notes disk": hangs},
        advisory_checks={"notes cache": lambda: check("cache")},
    )
    app = create_app([service], Tokens("s" * 64))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://testserver"
    ) as client:
        yield client


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What is written to the log."""
    with capture_logs() as entries:
        yield entries


async def test_a_request_id_is_given_back_or_made(client: httpx2.AsyncClient) -> None:
    given = await client.get("/api/v1/notes", headers={"X-Request-Id": "from-a-partner-7"})
    made = [await client.get("/api/v1/notes") for _ in range(2)]

    assert given.headers["X-Request-Id"] == "from-a-partner-7"
    assert len({answer.headers["X-Request-Id"] for answer in made}) == 2


@pytest.mark.parametrize("value", ["x" * 65, "a\tb", "é"])
async def test_a_request_id_that_could_harm_a_log_is_replaced(
    client: httpx2.AsyncClient, value: str
) -> None:
    headers = {b"X-Request-Id": value.encode("latin-1")}
    answer = await client.get("/api/v1/notes", headers=headers)
    assert len(answer.headers["X-Request-Id"]) == 36


@pytest.mark.parametrize(
    "path", ["/api/v1/notes", "/nothing", "/broken", "/static/shared/styles.css"]
)
async def test_every_answer_carries_the_headers_that_protect(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.headers["X-Request-Id"]
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize(
    ("path", "status", "code", "sentence"),
    [
        ("/nothing", 404, "not_found", "There is nothing at this address."),
        ("/notes", 401, "sign_in_needed", "You are not signed in"),
        ("/broken", 500, "failed", "Something went wrong on our side."),
        ("/away", 503, "unavailable", "A part of the system is away"),
    ],
)
async def test_an_error_is_a_page_for_people_and_json_for_programs(
    client: httpx2.AsyncClient, path: str, status: int, code: str, sentence: str
) -> None:
    page = await client.get(path, headers=PAGE)
    assert page.status_code == status
    assert page.headers["Content-Type"].startswith("text/html")
    assert sentence in page.text

    answer = await client.get(path)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() | {"detail": ""} == {
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": "",
        "code": code,
        "request_id": answer.headers["X-Request-Id"],
    }


async def test_an_address_that_was_cut_off_is_no_form_that_was_filled_in(
    client: httpx2.AsyncClient,
) -> None:
    for lang, sentence in (("en", "There is nothing at this address."), ("zh", "此地址没有内容。")):
        page = await client.get(f"/pages?number=abc&lang={lang}", headers=PAGE)
        assert page.status_code == 422
        assert sentence in page.text
        assert "query/number" not in page.text


async def test_who_must_sign_in_is_led_back_afterwards(client: httpx2.AsyncClient) -> None:
    page = await client.get("/notes?one=1&two=2", headers=PAGE)
    assert 'href="/sign-in?next=/notes%3Fone%3D1%26two%3D2"' in page.text


async def test_a_program_gets_json_whatever_it_accepts(client: httpx2.AsyncClient) -> None:
    for path, status in (("/api/v1/nothing", 404), ("/api/v1/mine", 401)):
        answer = await client.get(path, headers=PAGE)
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_what_is_away_says_when_to_try_again(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/away")).headers["Retry-After"] == "1"


async def test_a_bug_says_nothing_about_itself_but_in_the_log(
    client: httpx2.AsyncClient, logged: list[EventDict]
) -> None:
    answer = await client.get("/broken")

    assert "Zero" not in answer.text
    (entry,) = logged
    assert (entry["event"], entry["path"]) == ("request failed", "/broken")


async def test_a_method_that_is_not_there_names_those_that_are(client: httpx2.AsyncClient) -> None:
    answer = await client.delete("/api/v1/mine")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, PUT"


async def test_an_address_of_a_form_leads_to_the_page_that_has_the_form(
    client: httpx2.AsyncClient,
) -> None:
    leads = {"/notes/1/keep": "/notes", "/notes/1/keep?lang=zh": "/notes?lang=zh", "/left": "/"}
    for path, to in leads.items():
        answer = await client.get(path, headers=PAGE)
        assert (answer.status_code, answer.headers["Location"]) == (303, to)
    # Programs, and whoever sends what the address does not take, are told so.
    assert (await client.get("/notes/1/keep")).status_code == 405
    assert (await client.put("/left", headers=PAGE)).status_code == 405


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/notes?of=1", "/notes?of=1"),
        ("http://testserver/notes", "/notes"),
        ("http://elsewhere.example/notes", None),
        ("", None),
    ],
)
async def test_a_refused_form_leads_back_to_the_page_it_came_from(
    client: httpx2.AsyncClient, referer: str, back: str | None
) -> None:
    answer = await client.post("/left", headers=PAGE | {"Referer": referer})

    assert (answer.status_code, "Somebody else changed this meanwhile" in answer.text) == (
        412,
        True,
    )
    assert ("Back to the page before" in answer.text) == (back is not None)
    assert back is None or f'href="{back}"' in answer.text


async def test_a_field_that_is_wrong_is_pointed_at(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/notes", json={"txet": "a"})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/text", "/txet"]

    malformed = await client.post(
        "/api/v1/notes", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed")


async def test_a_body_may_be_as_long_as_the_limit_and_no_longer(client: httpx2.AsyncClient) -> None:
    for extra, status in ((0, 200), (1, 413)):
        frame = b'{"text": "a"}'
        content = frame + b" " * (BODY_BYTES_MAX - len(frame) + extra)
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/api/v1/notes", content=content, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ('"7"', 200, None),
        ("7", 200, None),
        (None, 428, "revision_needed"),
        ('"seven"', 400, "malformed"),
        ('W/"7"', 400, "malformed"),
        ('"99999999999"', 400, "malformed"),
        ("*", 400, "malformed"),
        ('"²"', 400, "malformed"),
    ],
)
async def test_a_change_names_the_revision_it_was_decided_on(
    client: httpx2.AsyncClient, header: str | None, status: int, code: str | None
) -> None:
    headers: dict[str, Any] = {"If-Match": header.encode("latin-1")} if header else {}
    answer = await client.put("/api/v1/notes/1", headers=headers)

    assert answer.status_code == status
    assert answer.json().get("code") == code
    assert status != 200 or answer.json() == {"ETag": '"7"'}


async def test_a_process_is_ready_while_all_it_needs_is_there(
    client: httpx2.AsyncClient, failing: set[str]
) -> None:
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["checks"].values()) == {True}

    failing.add("database")
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["notes database"] is False
    # Restarting the process would not bring its database back.
    assert (await client.get("/livez")).json() == {"status": "live"}

    failing.clear()
    assert (await client.get("/readyz")).status_code == 200


async def test_what_a_process_can_do_without_is_told_and_no_more(
    client: httpx2.AsyncClient, failing: set[str]
) -> None:
    failing.add("cache")
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["notes cache"]) == (200, False)


async def test_a_check_that_hangs_counts_as_failed(
    client: httpx2.AsyncClient, failing: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The time it may take, shortened: nothing of ours is replaced.
    monkeypatch.setattr("shared.http.CHECK_SECONDS_MAX", 0.05)
    failing.add("hanging")
    answer = await asyncio.wait_for(client.get("/readyz"), 30)
    assert (answer.status_code, answer.json()["checks"]["notes disk"]) == (503, False)
