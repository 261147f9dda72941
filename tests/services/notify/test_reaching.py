"""Who can be reached: unsubscribing by a link, lifting what stands in the way, and the trail."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.email import Email, MailServer
from services.notify.commands import erasing, planning
from services.notify.commands.sending import Sender
from services.notify.domain.unsubscribing import read, token
from services.notify.pages.rendering import pages
from services.notify.resources import Resources
from services.notify.store import suppressions
from services.notify.store.messages import About, News
from shared.access import Principal
from shared.events.registration import PersonErased
from shared.http import now
from tests.services.notify.smtp import listening

KEY = b"only for tests"
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def staff(person: Any) -> Principal:
    found: Principal = person("mission_staff")
    return found


@pytest.fixture
async def people(planned: Any, stored: Any, registration: Any) -> Any:
    """A stop with a meeting of two people."""
    registration.know(planned.delegate, "delegate@example.org", name="Ada Sample")
    registration.know(planned.local, "local@example.org")
    await stored(planned.meeting())
    return planned


async def announce(browser: Any, staff: Principal, world: Any, **facts: Any) -> Any:
    text = {"en": "The bus leaves later", "zh": "班车推迟"}
    body = {"stop_id": str(world.stop), "subject": text, "body": text} | facts
    path = f"/api/v1/messages/announcements/{uuid4()}"
    return await browser.send("PUT", path, staff, json=body)


async def mails(resources: Resources) -> list[str]:
    """Send what is due, and give the mails as they came."""
    async with listening() as server:
        channel = Email(resources.letterhead.sender, MailServer("127.0.0.1", server.port))
        sender = Sender(
            resources.database, resources.contacts, resources.letterhead, channel, rest=0
        )
        while await sender.send_due(now() + timedelta(minutes=1)):
            pass
        await channel.close()
    return [content.decode() for content in server.taken]


def link_in(mail: str) -> str:
    """Find where one click unsubscribes, as mail programs do (RFC 8058, 3.1)."""
    assert f"\r\nList-Unsubscribe-Post: {ONE_CLICK}\r\n" in mail
    found = re.search(r"\r\nList-Unsubscribe: <(https://[^>]+)>\r\n", mail)
    assert found
    return found[1].removeprefix("https://mission.example.org")


async def states(resources: Resources, person_id: UUID) -> list[tuple[str, str, str | None]]:
    async with resources.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT channel, state, reason FROM message WHERE person_id = $1 ORDER BY id", person_id
        )
    return [tuple(row) for row in rows]


@given(st.uuids(), st.uuids(), st.text(max_size=60))
def test_nobody_makes_a_link_for_somebody_else(mine: UUID, theirs: UUID, text: str) -> None:
    written = token(KEY, mine)
    assert read(KEY, written) == mine
    assert read(b"another key", written) is None
    assert read(KEY, text) is None
    mixed = token(KEY, theirs)[:20] + written[20:]
    assert read(KEY, mixed) in (None, mine, theirs)
    assert mine == theirs or read(KEY, mixed) is None


async def test_one_click_ends_what_is_written_to_many_and_a_look_ends_nothing(
    people: Any, staff: Principal, browser: Any, resources: Resources
) -> None:
    assert (await announce(browser, staff, people)).json() == {"people": 2}
    first = await mails(resources)
    mail = next(mail for mail in first if "To: delegate@" in mail)
    link = link_in(mail)
    # Quoted-printable: long lines go on after `=`.
    assert link in mail.partition("\r\n\r\n")[2].replace("=\r\n", "")

    shown = await browser.client.get(link, headers={"Accept": "text/html"})
    assert shown.status_code == 200
    assert '<form method="post">' in shown.text
    await announce(browser, staff, people)
    assert len(await mails(resources)) == 2

    # What is queued already is honoured as well.
    await announce(browser, staff, people)
    clicked = await browser.client.post(link, content=ONE_CLICK, headers=FORM)
    assert clicked.status_code == 200
    assert [mail.split("To: ")[1].split("@")[0] for mail in await mails(resources)] == ["local"]
    assert (await announce(browser, staff, people)).json() == {"people": 1}
    assert len(await mails(resources)) == 1
    ended = (await states(resources, people.delegate))[2:]
    assert {state for _, state, _ in ended} == {"suppressed"}
    page = f"/desk/stops/{people.stop}/deliveries"
    assert "unsubscribed" in (await browser.get(page, staff)).text
    assert "已退订" in (await browser.get(page, staff, "zh")).text


async def test_an_announcement_that_nobody_wants_is_not_sent(
    people: Any, staff: Principal, browser: Any
) -> None:
    for person in (people.delegate, people.local):
        link = f"/messages/unsubscribe/{token(KEY, person)}"
        await browser.client.post(link, content=ONE_CLICK, headers=FORM)
    answer = await announce(browser, staff, people)
    assert (answer.status_code, answer.json()["code"]) == (422, "nobody_hears")


async def test_ones_own_mails_come_all_the_same_and_cannot_be_unsubscribed_from(
    people: Any, browser: Any, resources: Resources
) -> None:
    link = f"/messages/unsubscribe/{token(KEY, people.delegate)}"
    await browser.client.post(link, content=ONE_CLICK, headers=FORM)
    async with resources.database.transaction() as connection:
        about = About(people.stop, people.item)
        news = News.of("confirmed", people.delegate, people.mission, about)
        await planning.tell(connection, [news], now())
    (mail,) = await mails(resources)
    assert "List-Unsubscribe" not in mail


async def test_it_is_undone_by_the_link_and_in_ones_settings(
    people: Any, browser: Any, person: Any
) -> None:
    link = f"/messages/unsubscribe/{token(KEY, people.delegate)}"
    who = person("delegate", people.delegate)

    async def wanted() -> bool:
        found = (await browser.get("/api/v1/messages/settings", who)).json()
        return bool(found["announcements"])

    assert await wanted()
    await browser.client.post(link, content=ONE_CLICK, headers=FORM)
    assert not await wanted()
    undone = await browser.client.post(link, data={"do": "again"}, headers={"Accept": "text/html"})
    assert "You will be sent them again" in undone.text
    assert await wanted()
    await browser.client.post(link, content=ONE_CLICK, headers=FORM)
    settings = "/messages/settings"
    assert 'value="true" checked' not in (await browser.get(settings, who)).text
    typed = {"channels": "email", "announcements": "true"}
    assert (await browser.send("POST", settings, who, data=typed)).status_code == 303
    assert await wanted()
    await browser.send("POST", settings, who, data={"channels": "email"})
    assert not await wanted()


async def test_a_link_that_is_not_ours_does_nothing(browser: Any, resources: Resources) -> None:
    forged = f"/messages/unsubscribe/{token(b'guess', uuid4())}"
    for path in (forged, "/messages/unsubscribe/%C3%A4", f"/messages/unsubscribe/{'x' * 101}"):
        answer = await browser.client.post(path, content=ONE_CLICK, headers=FORM)
        assert answer.status_code in (404, 422)
    async with resources.database.reading() as connection:
        assert not await connection.fetchval("SELECT count(*) FROM wish")


async def test_the_link_of_who_was_erased_writes_nothing(
    people: Any, browser: Any, resources: Resources
) -> None:
    event = PersonErased(person_id=people.delegate, mission_id=people.mission, erased_at=now())
    async with resources.database.transaction() as connection:
        await erasing.erase(connection, resources.live, resources.contacts, event)
    link = f"/messages/unsubscribe/{token(KEY, people.delegate)}"
    assert (await browser.client.post(link, content=ONE_CLICK, headers=FORM)).status_code == 200
    async with resources.database.reading() as connection:
        assert not await connection.fetchval("SELECT count(*) FROM wish")


@pytest.fixture
async def lost(people: Any, resources: Resources) -> Any:
    """The delegate, whose address no mail reaches."""
    async with resources.database.transaction() as connection:
        news = News.of("sign_in", people.delegate, people.mission)
        await planning.tell(connection, [news], now())
        await connection.execute("UPDATE message SET state = 'sent'")
        address = resources.hygiene.stands_for("delegate@example.org")
        await suppressions.put(connection, people.delegate, address, "550 No such user", now())
    return people


async def test_staff_sees_who_cannot_be_written_to_and_lifts_it(
    lost: Any, staff: Principal, browser: Any, resources: Resources
) -> None:
    page = f"/desk/missions/{lost.mission}/messages/unreached"
    shown = (await browser.get(page, staff)).text
    for said in ("Ada Sample", "delegate@example.org", "550 No such user", "Nobody there"):
        assert said in shown
    assert "邮件无法送达人员" in (await browser.get(page, staff, "zh")).text
    lifted = await browser.send("POST", f"{page}/{lost.delegate}", staff)
    assert lifted.headers["location"].endswith("said=lifted")
    again = await browser.send("POST", f"{page}/{lost.delegate}", staff)
    assert again.headers["location"].endswith("said=not_suppressed")
    await resources.hygiene.check(lost.delegate, "delegate@example.org", now())
    trail = (await browser.get(f"/api/v1/messages/audit/{lost.mission}", staff)).json()["items"]
    assert [(one["action"], one["actor_id"], one["subject_id"]) for one in trail] == [
        ("suppression.lifted", str(staff.subject), str(lost.delegate))
    ]


async def test_a_new_address_stands_in_nobodys_way(
    lost: Any, staff: Principal, browser: Any, registration: Any
) -> None:
    path = f"/api/v1/messages/suppressions/{lost.mission}"
    (one,) = (await browser.get(path, staff)).json()["items"]
    assert (one["person_id"], one["is_suspect"]) == (str(lost.delegate), False)
    assert not one["has_new_address"]
    registration.know(lost.delegate, "found@example.org")
    browser.client._transport.app.state.notify.contacts.forget(lost.delegate)
    (one,) = (await browser.get(path, staff)).json()["items"]
    assert one["has_new_address"]
    lifted = f"{path}/{lost.delegate}"
    assert (await browser.send("DELETE", lifted, staff)).status_code == 204
    assert (await browser.send("DELETE", lifted, staff)).status_code == 409


async def test_what_staff_does_is_on_the_trail_and_nobody_changes_that(
    lost: Any, staff: Principal, browser: Any, resources: Resources
) -> None:
    rules = {
        "channels": ["email"],
        "fallback": ["print"],
        "urgent_minutes": 60,
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "asks_for_results": True,
    }
    path, seen = f"/api/v1/messages/rules/{lost.mission}", {"If-Match": '"0"'}
    ruled = await browser.send("PUT", path, staff, json=rules, headers=seen)
    assert ruled.status_code == 204
    await announce(browser, staff, lost, side="local")
    async with resources.database.transaction() as connection:
        id_ = await connection.fetchval(
            "UPDATE message SET state = 'failed' WHERE kind = 'sign_in' RETURNING id"
        )
    await browser.send("POST", f"/api/v1/deliveries/{id_}/retry", staff)
    await browser.send("POST", f"/api/v1/deliveries/{id_}/channels/print", staff)
    page = f"/desk/missions/{lost.mission}/messages/audit"
    shown = (await browser.get(page, staff)).text
    for action in ("rules_changed", "announcement_sent", "message_sent_again"):
        assert pages.text(f"trail_{action}", "en") in shown
    assert "By hand, at the desk" in shown
    path = f"/api/v1/messages/audit/{lost.mission}"
    first = (await browser.get(f"{path}?limit=3", staff)).json()
    rest = (await browser.get(f"{path}?limit=3&before={first['next']}", staff)).json()
    assert [one["action"] for one in first["items"] + rest["items"]] == [
        "message.sent_otherwise",
        "message.sent_again",
        "announcement.sent",
        "rules.changed",
    ]
    for statement in ("UPDATE audit_entry SET action = 'nothing.done'", "DELETE FROM audit_entry"):
        with pytest.raises(asyncpg.RestrictViolationError):
            async with resources.database.transaction() as connection:
                await connection.execute(statement)


async def test_nobody_else_sees_or_lifts(lost: Any, browser: Any, person: Any) -> None:
    desk = f"/desk/missions/{lost.mission}/messages"
    for who in (
        person("partner_staff", uuid4(), lost.stop),
        person("delegate", lost.delegate),
        Principal("mission_staff", uuid4(), uuid4()),
    ):
        for path in (
            f"{desk}/unreached",
            f"{desk}/audit",
            f"/api/v1/messages/audit/{lost.mission}",
        ):
            assert (await browser.get(path, who)).status_code == 403
        lifting = await browser.send("POST", f"{desk}/unreached/{lost.delegate}", who)
        assert lifting.status_code == 403
