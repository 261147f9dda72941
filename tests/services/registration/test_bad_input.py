import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx2

    from tests.services.registration.conftest import House, Lines

NUL = "Sample\0"


async def sent(
    house: "House", content: bytes | str, kind: str = "application/json"
) -> "httpx2.Response":
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
    headers = {"Content-Type": kind, "Idempotency-Key": "k"}
    return await house.client.post(path, content=content, headers=headers)


@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_body_that_is_too_big_is_refused(house: "House", is_declared: bool) -> None:
    content = b'{"x": "' + b"x" * 1_100_000 + b'"}'

    async def in_parts() -> Any:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
    answer = await house.client.post(
        path,
        content=content if is_declared else in_parts(),
        headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("content", ["", "{", "nonsense", '{"side": }', "[" * 100_000])
async def test_what_is_not_json_is_malformed(house: "House", content: str) -> None:
    answer = await sent(house, content)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("malformed", "invalid")


@pytest.mark.parametrize("content", ["null", "[]", '"text"', "7", "NaN"])
async def test_json_that_is_no_object_is_invalid(house: "House", content: str) -> None:
    assert (await sent(house, content)).status_code == 422


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_json_sent_as_something_else_is_refused(house: "House", kind: str) -> None:
    answer = await sent(house, json.dumps(house.sign_up("ana")), kind)
    assert answer.status_code in (415, 422)
    assert await house.statuses() == {}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"nickname": "A"}, "/nickname"),
        ({"person": {"phone": "1"}}, "/person/phone"),
        ({"person": {"email": "ana@"}}, "/person/email"),
        ({"person": {"full_name": "   "}}, "/person/full_name"),
        ({"person": {"full_name": "x" * 201}}, "/person/full_name"),
        ({"person": {"languages": []}}, "/person/languages"),
        ({"organization": {"country": "China"}}, "/organization/country"),
        ({"organization": {"sectors": []}}, "/organization/sectors"),
        ({"organization": {"registration_number": "123"}}, "/organization/registration_number"),
        ({"consent": False}, "/consent"),
        ({"side": "both"}, "/side"),
        ({"partner_id": "x"}, "/partner_id"),
        ({"listings": [{"kind": "offer", "sector": "batteries", "text": {}}]}, "/listings/0/text"),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
)
async def test_the_field_that_is_wrong_is_pointed_at(
    house: "House", change: dict[str, Any], pointer: str
) -> None:
    answer = await house.register("ana", **change)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "change",
    [
        {"person": {"full_name": NUL}},
        {"person": {"position": {"en": NUL}}},
        {"organization": {"name": NUL}},
        {"listings": [{"kind": "offer", "sector": "batteries", "text": {"en": NUL}}]},
        {"person": {"full_name": "Sample \ud800"}},
    ],
)
async def test_a_character_that_cannot_be_stored_is_refused(
    house: "House", change: dict[str, Any]
) -> None:
    body = json.dumps(house.sign_up("ana", **change))
    # Half of a pair of surrogates is not JSON to begin with.
    assert (await sent(house, body)).status_code in (400, 422)
    assert await house.rows("SELECT FROM person") == []


async def test_a_nul_in_an_address_or_a_plan_is_refused_too(house: "House", lines: "Lines") -> None:
    # What is searched for is folded to letters first: it finds nobody.
    assert (await house.get(f"/desk/stops/{house.stop}?q=%00", house.boss)).status_code == 200
    answers = [
        await house.get("/api/v1/missions?slug=%00"),
        await house.get("/missions/%00"),
        await house.post(
            "/api/v1/missions", lines.mission | {"title": {"en": NUL, "zh": "示"}}, house.boss
        ),
    ]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert [answer.json()["errors"][0]["pointer"] for answer in answers] == [
        "query/slug/0",
        "path/slug",
        "/title/en",
    ]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"starts_on": 0}, "/starts_on"),
        ({"starts_on": 1.5}, "/starts_on"),
        ({"is_rehearsal": 0}, "/is_rehearsal"),
        ({"is_rehearsal": "yes"}, "/is_rehearsal"),
    ],
)
async def test_json_of_another_type_is_not_guessed_at(
    house: "House", lines: "Lines", change: dict[str, Any], pointer: str
) -> None:
    answer = await house.post("/api/v1/missions", lines.mission | change, house.boss)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("capacity", [True, "7", 7.5])
async def test_a_number_that_is_none_is_not_made_one(house: "House", capacity: Any) -> None:
    path = f"/api/v1/stops/{house.stop}/programme-items"

    answer = await house.post(path, {"capacity": capacity}, house.boss)

    assert answer.status_code == 422
    assert "/capacity" in [fault["pointer"] for fault in answer.json()["errors"]]


@pytest.mark.parametrize("charset", ["utf-7", "punycode", "undefined", "a\0b"])
async def test_a_form_in_letters_that_cannot_be_read_is_malformed(
    house: "House", charset: str
) -> None:
    part = 'Content-Disposition: form-data; name="full_name"'
    # A lone surrogate, in the first of these charsets.
    content = f"--x\r\n{part}\r\n\r\n+2AA-\r\n--x--\r\n"
    answer = await house.client.post(
        "/missions/sample/stops/guangzhou/register",
        content=content,
        headers={"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("email", ["li＠example.org，ana@example.com", "ana⑴@example.com"])
async def test_an_address_whose_plain_letters_make_another_is_refused(
    house: "House", email: str
) -> None:
    answer = await house.register("ana", person={"email": email})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/person/email"]


async def test_an_id_that_is_none_is_invalid(house: "House") -> None:
    for path in ("/api/v1/missions/7", "/api/v1/stops/x/numbers"):
        answer = await house.get(path, house.boss)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"].startswith("path/")


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=501", "limit=x", f"after={2**63}"])
async def test_a_page_beyond_all_bounds_is_refused(house: "House", query: str) -> None:
    path = f"/api/v1/stops/{house.stop}/registrations?{query}"
    assert (await house.get(path, house.boss)).status_code == 422


@pytest.mark.parametrize("field", ["registration_number", "size"])
async def test_what_is_said_of_a_company_is_one_line(house: "House", field: str) -> None:
    answer = await house.register("ana", organization={field: "A\nB", "country": "US"})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/organization/{field}"]


@pytest.mark.parametrize(
    "name", ["Sample\r\nBcc: x", "Sample\u202egnp", "Sample\x07", "Sam\u2028ple"]
)
async def test_a_name_is_one_line_that_can_be_seen(house: "House", name: str) -> None:
    answer = await house.register("ana", person={"full_name": name})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/person/full_name"]


async def test_a_name_may_have_letters_of_any_script(house: "House") -> None:
    for number, name in enumerate(("张伟", "Nguyễn Thị Ánh", "علی\u200cرضا", "O’Brien-Smith")):
        answer = await house.register(f"p{number}", person={"full_name": name})
        assert answer.status_code == 201, name
