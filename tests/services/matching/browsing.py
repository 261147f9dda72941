"""Pages of matching as a browser without JavaScript asks for them and sends their forms."""

import html
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2

from shared.access import Principal
from shared.http import SESSION_COOKIE

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

ORIGIN = "http://testserver"


def headers(house: "House", who: Principal, language: str = "en") -> dict[str, str]:
    """Give what a browser sends with each request."""
    token = house.tokens.sign(who, "session", datetime.now(UTC))
    return {
        "Cookie": f"{SESSION_COOKIE}={token}",
        "Origin": ORIGIN,
        "Accept": "text/html",
        "Accept-Language": language,
    }


async def page(
    house: "House", who: Principal, path: str, *, language: str = "en", status: int = 200
) -> str:
    """Read a page at the house's stop, or at any address."""
    address = path if path.startswith("/") else f"/stops/{house.stop}/{path}"
    answer = await house.client.get(address, headers=headers(house, who, language))
    assert answer.status_code == status, answer.text
    return answer.text


async def send(house: "House", who: Principal, path: str, **form: Any) -> httpx2.Response:
    """Send a form at the house's stop."""
    data = {name: str(value) for name, value in form.items()}
    return await house.client.post(
        f"/stops/{house.stop}/{path}", headers=headers(house, who), data=data
    )


def revision(text: str, action: str) -> int:
    """Read on which revision a page's form would be sent."""
    form = text.partition(f'action="{action}"')[2].partition("</form>")[0]
    (found,) = re.findall(r'name="revision" value="(\d+)"', form)
    return int(found)


async def followed(house: "House", who: Principal, sent: httpx2.Response) -> str:
    """Go where an answer leads, which is back to a page."""
    assert sent.status_code == 303, sent.text
    return await page(house, who, sent.headers["Location"].partition("#")[0])


def words(text: str) -> str:
    """Give what is read of a page."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text)))


def card(text: str, person: UUID) -> str:
    """Cut somebody's card out of a page; empty where there is none."""
    found = re.search(rf'<article [^>]*id="p-{person}".*?</article>', text, re.DOTALL)
    return found[0] if found else ""


def cards(text: str) -> list[UUID]:
    """List whose cards a page has, from above."""
    return [UUID(one) for one in re.findall(r'<article [^>]*id="p-([^"]+)"', text)]
