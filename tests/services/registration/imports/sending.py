"""What tests of partners' lists share: lists, who sends them, and what becomes of them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from services.registration.commands.imports.importing import Importer, countries_of
from services.registration.commands.questions import Forms
from services.registration.domain.people import CREDIT_CODE_ALPHABET, CREDIT_CODE_WEIGHTS
from services.registration.pages.rendering import COUNTRIES
from shared.access import Principal

if TYPE_CHECKING:
    import httpx2

    from tests.services.registration.conftest import House

PATH = "/api/v1/imports"
HEADER = "姓名,公司名称,统一社会信用代码,邮箱,职务,行业"


def credit_code(number: int) -> str:
    """Make a code whose check character is right (GB 32100-2015)."""
    body = f"91320594{number:09d}"
    total = sum(
        w * CREDIT_CODE_ALPHABET.index(c) for w, c in zip(CREDIT_CODE_WEIGHTS, body, strict=True)
    )
    return body + CREDIT_CODE_ALPHABET[(31 - total % 31) % 31]


def row(name: str, *, company: int = 1, **changes: str) -> str:
    cells = {
        "name": name,
        "company": f"苏州示例{company}有限公司",
        "number": credit_code(company),
        "email": f"{name}@example.com",
        "position": "经理",
        "sectors": "电池",
    } | changes
    return ",".join(cells.values())


def table(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows]).encode()


def importer(house: "House") -> Importer:
    return Importer(house.database, house.rush, Forms(), countries_of(COUNTRIES))


async def worked(house: "House", now: datetime | None = None) -> None:
    while await importer(house).work(now or datetime.now(UTC)):
        pass


def staff(house: "House") -> Principal:
    return house.someone("partner_staff", partner_id=house.partner)


async def sent(
    house: "House", content: bytes, who: Principal | None = None, *, key: str = "", **query: Any
) -> "httpx2.Response":
    asked = {
        "programme_item_id": str(house.items["talks"]),
        "partner_id": str(house.partner),
        "consent": "true",
    } | query
    headers = house.headers(who or staff(house)) | {"Idempotency-Key": key or uuid4().hex}
    return await house.client.post(PATH, content=content, params=asked, headers=headers)


async def applied(house: "House", content: bytes, **query: Any) -> str:
    """Send a list, work on it, and give its id."""
    answer = await sent(house, content, **query)
    assert answer.status_code == 202, answer.text
    await worked(house)
    import_id: str = answer.json()["id"]
    return import_id


async def read(house: "House", import_id: str, part: str = "") -> dict[str, Any]:
    answer = await house.get(f"{PATH}/{import_id}{part}", staff(house))
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def outcomes(house: "House", import_id: str) -> list[tuple[int, str | None, str | None]]:
    items = (await read(house, import_id, "/rows"))["items"]
    return [(one["row"], one["status"], one["code"]) for one in items]
