"""Partners: their names, roles, logos and numbers, and what their roles let them see."""

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.registration.domain.logos import LOGO_BYTES_MAX, checked
from shared.access import Principal
from shared.errors import Invalid

if TYPE_CHECKING:
    import httpx2

    from tests.services.registration.conftest import House

NAME = {"en": "Other Bureau", "zh": "另一商务局"}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int = 40, height: int = 20, *, between: bytes = b"", rows: int | None = None
) -> bytes:
    """An image of one colour, with more chunks between its header and its pixels."""
    pixels = (b"\0" + b"\x0b\x55\x63" * width) * (height if rows is None else rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    image = chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + between + image


async def other_partner(house: "House", **changes: Any) -> UUID:
    body = {"name": NAME, "kind": "government"} | changes
    return await house.made(f"/missions/{house.mission}/partners", body)


async def set_roles(
    house: "House", roles: list[tuple[UUID, str]], revision: int, who: Principal | None = None
) -> "httpx2.Response":
    body = {"roles": [{"partner_id": str(one), "role": role} for one, role in roles]}
    headers = house.headers(who or house.boss) | {"If-Match": f'"{revision}"'}
    return await house.client.put(f"/api/v1/stops/{house.stop}/roles", json=body, headers=headers)


def staff_of(house: "House", partner: UUID) -> Principal:
    return house.someone("partner_staff", partner_id=partner)


async def test_a_partner_is_changed_on_the_revision_that_was_seen(house: "House") -> None:
    path = f"/api/v1/partners/{house.partner}"
    seen = await house.get(path, house.boss)
    assert seen.headers["ETag"] == '"1"'
    assert seen.json()["roles"] == [{"stop_id": str(house.stop), "role": "lead"}]

    async def change(revision: str | None, who: Principal, **changes: Any) -> "httpx2.Response":
        headers = house.headers(who) | ({"If-Match": revision} if revision else {})
        return await house.client.patch(path, json=changes, headers=headers)

    assert (await change(None, house.boss, kind="company")).status_code == 428
    answer = await change('"1"', house.boss, name=NAME)
    assert (answer.json()["name"], answer.headers["ETag"]) == (NAME, '"2"')
    assert answer.json()["kind"] == "government"
    assert (await change('"1"', house.boss, kind="company")).status_code == 412
    assert (await change('"2"', house.boss, name=None)).status_code == 422
    assert (await change('"2"', house.boss, nmae=NAME)).status_code == 422
    # Names are protocol: who works for a partner reads them.
    mine = staff_of(house, house.partner)
    assert (await change('"2"', mine, name=NAME)).status_code == 403
    assert (await house.get(path, mine)).status_code == 200
    assert (await house.get(path, staff_of(house, uuid4()))).status_code == 403
    assert (await house.get(f"/api/v1/partners/{uuid4()}", house.boss)).status_code == 404


async def test_roles_keep_the_order_of_names_and_are_told(house: "House") -> None:
    other = await other_partner(house)
    path = f"/api/v1/stops/{house.stop}/roles"
    assert (await house.get(path)).headers["ETag"] == '"1"'

    answer = await set_roles(house, [(other, "lead"), (house.partner, "supporter")], 1)
    assert [one["partner_id"] for one in answer.json()["items"]] == [str(other), str(house.partner)]
    assert answer.headers["ETag"] == '"2"'
    rows = await house.rows(
        "SELECT sequence, payload FROM outbox WHERE key = $1 ORDER BY id", house.stop
    )
    told = json.loads(rows[-1]["payload"])
    assert rows[-1]["sequence"] == 2
    assert told["hosts"] == [str(other)]
    assert told["partners"] == [str(other), str(house.partner)]

    assert (await set_roles(house, [], 1)).status_code == 412
    stranger = await set_roles(house, [(uuid4(), "lead")], 2)
    assert stranger.json()["errors"][0]["pointer"] == "/roles/0/partner_id"
    twice = await set_roles(house, [(other, "lead"), (other, "co_host")], 2)
    assert twice.status_code == 422
    mine = staff_of(house, house.partner)
    assert (await set_roles(house, [(house.partner, "lead")], 2, mine)).status_code == 403
    assert [one["role"] for one in (await house.get(path)).json()["items"]] == ["lead", "supporter"]


async def test_numbers_are_those_of_whom_each_partner_brought(house: "House") -> None:
    other = await other_partner(house)
    await set_roles(house, [(house.partner, "lead"), (other, "supporter")], 1)
    for name, partner in (("ana", house.partner), ("bo", other), ("chen", other)):
        facts = {"source": "partner_api", "partner_id": str(partner)}
        await house.registered(name, who=house.boss, **facts)
    await house.registered("dai", "dinner")

    async def counted(who: Principal) -> list[tuple[str | None, int, int, int]]:
        answer = await house.get(f"/api/v1/stops/{house.stop}/partners", who)
        assert answer.status_code == 200, answer.text
        return [
            (one["partner_id"], one["registered"], one["pending"], one["waitlisted"])
            for one in answer.json()["items"]
        ]

    lead = (str(house.partner), 1, 0, 0)
    supporter = (str(other), 1, 0, 1)
    nobody = (None, 1, 1, 0)
    assert await counted(house.boss) == [lead, supporter, nobody]
    assert await counted(staff_of(house, house.partner)) == [lead, supporter, nobody]
    assert await counted(staff_of(house, other)) == [supporter]

    path = f"/api/v1/stops/{house.stop}/numbers"
    whole = (await house.get(path, staff_of(house, house.partner))).json()
    own = (await house.get(path, staff_of(house, other))).json()
    assert (whole["registered"], own["registered"], own["waitlisted"]) == (3, 1, 1)
    assert [one["confirmed"] for one in own["items"]] == [1, 0]
    counts = f"/api/v1/stops/{house.stop}/headcount"
    assert (await house.get(counts, staff_of(house, other))).json()["expected"] == 1
    assert (await house.get(counts, staff_of(house, house.partner))).json()["expected"] == 2


async def test_hosts_take_lists_out_and_decide_about_their_own_invitees_others_do_not(
    house: "House",
) -> None:
    other = await other_partner(house)
    await set_roles(house, [(house.partner, "co_host"), (other, "organizer")], 1)
    brought = {
        partner: await house.registered(
            name, "dinner", who=house.boss, source="partner_api", partner_id=str(partner)
        )
        for name, partner in (("ana", house.partner), ("bo", other))
    }
    host, organizer = staff_of(house, house.partner), staff_of(house, other)
    export = f"/desk/registrations.csv?stop_id={house.stop}"
    assert (await house.get(export, organizer)).status_code == 403
    answer = await house.get(export, host)
    assert answer.status_code == 200
    assert "ana" in answer.text
    assert "bo@" not in answer.text

    async def approve(who: Principal, partner: UUID) -> int:
        path = f"/api/v1/registrations/{brought[partner]['id']}/approve"
        return (await house.post(path, None, who)).status_code

    assert await approve(organizer, other) == 403
    assert await approve(host, other) == 403
    assert await approve(host, house.partner) == 200
    # Another role is another right, at once.
    await set_roles(house, [(other, "lead")], 2)
    assert await approve(organizer, other) == 200
    assert (await house.get(export, host)).status_code == 403


async def test_seats_kept_for_others_are_shown_to_hosts_alone(house: "House") -> None:
    other = await other_partner(house)
    await set_roles(house, [(house.partner, "lead"), (other, "venue_host")], 1)
    item = f"/api/v1/programme-items/{house.items['talks']}"
    for partner in (house.partner, other):
        answer = await house.client.put(
            f"{item}/allotments/{partner}", json={"seats": 1}, headers=house.headers(house.boss)
        )
        assert answer.status_code == 200, answer.text

    async def kept(who: Principal) -> set[str]:
        found = (await house.get(f"{item}/places", who)).json()["allotments"]
        return {one["partner_id"] for one in found}

    assert await kept(staff_of(house, house.partner)) == {str(house.partner), str(other)}
    assert await kept(staff_of(house, other)) == {str(other)}
    page = await house.page(f"/desk/stops/{house.stop}/places", staff_of(house, other))
    assert "Sample Bureau" not in page


async def test_a_logo_is_shown_in_order_on_the_public_page(house: "House") -> None:
    path = f"/api/v1/partners/{house.partner}/logo"
    assert (await house.get(path)).status_code == 404
    mine = house.headers(staff_of(house, house.partner)) | {"Content-Type": "image/png"}
    theirs = house.headers(staff_of(house, uuid4())) | {"Content-Type": "image/png"}
    assert (await house.client.put(path, content=png(), headers=theirs)).status_code == 403
    assert (await house.client.put(path, content=png(), headers=mine)).status_code == 204

    answer = await house.get(path)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    known = await house.client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert known.status_code == 304
    assert f'src="{path}' in await house.page("/missions/sample")

    for _ in range(2):
        removed = await house.client.delete(path, headers=house.headers(house.boss))
        assert removed.status_code == 204
    assert (await house.get(path)).status_code == 404
    assert f'src="{path}' not in await house.page("/missions/sample")


async def test_what_is_no_logo_is_refused_with_its_reason(house: "House") -> None:
    path = f"/api/v1/partners/{house.partner}/logo"
    for content, kind in ((png(), "image/svg+xml"), (b"<svg/>", "image/png")):
        headers = house.headers(house.boss) | {"Content-Type": kind}
        answer = await house.client.put(path, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "logo_wrong")
    assert await house.rows("SELECT FROM partner_logo") == []


def test_what_nobody_sees_is_left_out_of_a_logo() -> None:
    text = chunk(b"tEXt", b"Author\0Sample Person") + chunk(b"eXIf", b"MM\0*")
    logo = checked(png(between=text + chunk(b"gAMA", struct.pack(">I", 45455))))
    assert (logo.width, logo.height) == (40, 20)
    assert b"Sample Person" not in logo.content
    assert b"gAMA" in logo.content
    assert checked(logo.content) == logo


WHOLE = png()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:-1],
        WHOLE[:-12],
        WHOLE + b"<script>",
        WHOLE[:40] + b"\0" + WHOLE[41:],
        png(rows=19),
        png(rows=21),
        png(15, 15),
        png(2_001, 20),
        png(between=chunk(b"IHDR", b"")),
        b"GIF89a" + WHOLE,
        WHOLE.replace(WHOLE[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 20, 8, 2, 0, 0, 1))),
        WHOLE.replace(WHOLE[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 20, 8, 3, 0, 0, 0))),
        WHOLE.replace(WHOLE[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 20, 9, 2, 0, 0, 0))),
        png(between=chunk(b"tEXt", bytes(LOGO_BYTES_MAX))),
    ],
)
def test_an_image_that_is_not_what_it_says_is_no_logo(content: bytes) -> None:
    with pytest.raises(Invalid):
        checked(content)
