"""What staff sees of messages, and what it does about those that did not arrive."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.notify.channels.base import Refused
from services.notify.channels.printed import Printed
from services.notify.commands import planning
from services.notify.commands.sending import IN_THE_DARK, Sender
from services.notify.domain.mail import COPIES_MAX, LEASE, ChannelName
from services.notify.resources import Resources
from services.notify.store import attempts
from services.notify.store.messages import About, News
from shared.access import Principal
from shared.postgres import Database

NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)


class Refusing:
    """A mail server that takes nothing, until it does."""

    name: ChannelName = "email"

    def __init__(self) -> None:
        self.answer = "550 No such user"
        self.taken = 0

    async def open(self) -> None: ...

    async def send(self, *given: Any) -> None:
        del given
        if self.answer:
            raise Refused(self.answer)
        self.taken += 1

    async def close(self) -> None: ...


@pytest.fixture
def server() -> Refusing:
    return Refusing()


@pytest.fixture
def senders(resources: Resources, server: Refusing) -> list[Sender]:
    return [
        Sender(resources.database, resources.contacts, resources.letterhead, channel, rest=0)
        for channel in (server, Printed(resources.database))
    ]


@pytest.fixture
async def failed(
    database: Database, planned: Any, registration: Any, senders: list[Sender]
) -> dict[str, int]:
    """Somebody whose mail was refused and who is on the desk's sheet; the messages' ids."""
    registration.know(
        planned.delegate, "lost@example.org", name="Lost Person", organization="Sample Ltd"
    )
    registration.know(planned.local, "other@example.org", name="Other Person")
    async with database.transaction() as connection:
        about = About(planned.stop, planned.item)
        news = News.of("confirmed", planned.delegate, planned.mission, about)
        await planning.tell(connection, [news], NOW)
    for sender in senders:
        await sender.send_due(NOW)
    async with database.reading() as connection:
        rows = await connection.fetch("SELECT channel, id FROM message")
    return {row["channel"]: row["id"] for row in rows}


@pytest.fixture
def staff(person: Any) -> Principal:
    found: Principal = person("mission_staff")
    return found


def page_of(world: Any) -> str:
    return f"/desk/stops/{world.stop}/deliveries"


async def states(database: Database) -> dict[str, str]:
    async with database.reading() as connection:
        rows = await connection.fetch("SELECT channel, state FROM message")
    return {row["channel"]: row["state"] for row in rows}


async def test_who_cannot_be_reached_is_told_at_the_desk(
    failed: dict[str, int], browser: Any, staff: Principal, world: Any
) -> None:
    sheet = f"{page_of(world)}/sheet"
    shown = (await browser.get(sheet, staff)).text
    assert "Lost Person" in shown
    assert "Matchmaking, Shanghai: your place is confirmed." in shown
    assert "sign-in" not in shown
    assert "洽谈会（上海）：您的名额已确认。" in (await browser.get(sheet, staff, "zh")).text
    path = f"{page_of(world)}/{failed['print']}"
    assert (await browser.send("POST", path, staff, data={"do": "told"})).status_code == 303
    assert "Lost Person" not in (await browser.get(sheet, staff)).text
    twice = f"/api/v1/deliveries/{failed['print']}/told"
    assert (await browser.send("POST", twice, staff)).status_code == 409


async def test_the_log_says_what_was_tried_and_what_was_answered(
    failed: dict[str, int], browser: Any, staff: Principal, world: Any
) -> None:
    found = (await browser.get(f"/api/v1/deliveries?stop_id={world.stop}", staff)).json()["items"]
    by_channel = {item["channel"]: item for item in found}
    assert set(by_channel) == set(failed)
    (tried,) = by_channel["email"]["tried"]
    assert (tried["result"], tried["reason"]) == ("refused", "550 No such user")
    assert by_channel["email"]["notification_id"] == by_channel["print"]["notification_id"]
    shown = (await browser.get(page_of(world), staff)).text
    for said in ("Lost Person", "Sample Ltd", "550 No such user", "Place confirmed", "Failed"):
        assert said in shown


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("text", ["lost p", "LOST@", "sample"])
async def test_somebody_who_says_there_was_nothing_is_found(
    browser: Any, staff: Principal, world: Any, text: str
) -> None:
    assert "550" in (await browser.get(f"{page_of(world)}?q={text}", staff)).text


@pytest.mark.usefixtures("failed")
async def test_nobody_is_found_by_another_name_nor_under_another_heading(
    browser: Any, staff: Principal, world: Any
) -> None:
    for query in ("?q=somebody+else", "?shown=waiting"):
        assert "550" not in (await browser.get(page_of(world) + query, staff)).text
    assert "550" in (await browser.get(f"{page_of(world)}?shown=trouble", staff)).text


@pytest.mark.usefixtures("failed")
async def test_a_search_shows_no_numbers_of_the_stop_and_leads_to_the_mails_of_an_address(
    browser: Any, staff: Principal, world: Any
) -> None:
    assert '<span class="number">' in (await browser.get(page_of(world), staff)).text
    found = (await browser.get(f"{page_of(world)}?q=lost@example.org", staff)).text
    assert "550" in found
    assert '<span class="number">' not in found
    assert 'href="/mailbox?q=lost%40example.org"' in found


async def test_what_was_written_to_many_is_named_by_its_subject(
    browser: Any, staff: Principal, planned: Any, stored: Any, registration: Any
) -> None:
    registration.know(planned.delegate, "delegate@example.org", name="Ada Sample")
    await stored(planned.meeting())
    texts = {"en": "The bus leaves later", "zh": "班车推迟"}
    body = {"stop_id": str(planned.stop), "subject": texts, "body": texts, "side": "delegation"}
    path = f"/api/v1/messages/announcements/{uuid4()}"
    assert (await browser.send("PUT", path, staff, json=body)).json() == {"people": 1}
    log = page_of(planned)
    assert "The bus leaves later" in (await browser.get(log, staff)).text
    assert "班车推迟" in (await browser.get(log, staff, "zh")).text
    written = log.removesuffix("deliveries") + "messages"
    assert "0 of 1 sent" in (await browser.get(written, staff)).text


async def test_what_failed_is_sent_again_once(
    failed: dict[str, int],
    browser: Any,
    staff: Principal,
    senders: list[Sender],
    server: Refusing,
) -> None:
    server.answer = ""
    path = f"/api/v1/deliveries/{failed['email']}/retry"
    assert (await browser.send("POST", path, staff)).status_code == 204
    assert (await browser.send("POST", path, staff)).status_code == 409
    for _ in range(3):
        # The request came at the real time, not at the test's.
        await senders[0].send_due(NOW + timedelta(days=36500))
    assert server.taken == 1
    assert (await browser.send("POST", path, staff)).status_code == 409


async def test_the_same_goes_over_another_channel_and_over_none_twice(
    failed: dict[str, int], browser: Any, staff: Principal, database: Database
) -> None:
    path = f"/api/v1/deliveries/{failed['email']}/channels"
    used = await browser.send("POST", f"{path}/print", staff)
    assert (used.status_code, used.json()["code"]) == (409, "channel_used")
    missing = await browser.send("POST", f"{path}/sms", staff)
    assert (missing.status_code, missing.json()["code"]) == (409, "channel_missing")
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM message WHERE channel = 'print'")
    assert (await browser.send("POST", f"{path}/print", staff)).status_code == 204
    assert await states(database) == {"email": "failed", "print": "queued"}


async def test_staff_may_look_and_send_again_what_ended_in_the_dark(
    failed: dict[str, int],
    browser: Any,
    staff: Principal,
    database: Database,
) -> None:
    async with database.transaction() as connection:
        for number in range(COPIES_MAX):
            await attempts.begin(connection, failed["email"], NOW + number * LEASE)
        assert await attempts.begin(connection, failed["email"], NOW + 10 * LEASE) is None
        await connection.execute("UPDATE message SET reason = $1", IN_THE_DARK)
    await browser.send("POST", f"/api/v1/deliveries/{failed['email']}/retry", staff)
    async with database.transaction() as connection:
        later = NOW + timedelta(days=36500)
        assert await attempts.begin(connection, failed["email"], later) is not None


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize("role", ["partner_staff", "door_staff", "delegate", "screen"])
async def test_nobody_else_sees_the_log_or_acts(
    failed: dict[str, int], browser: Any, person: Any, world: Any, role: Any
) -> None:
    who = person(role, uuid4(), world.stop)
    for path in (page_of(world), f"{page_of(world)}/sheet"):
        assert (await browser.get(path, who)).status_code == 403
    for act in ("retry", "told", "channels/print"):
        path = f"/api/v1/deliveries/{failed['email']}/{act}"
        assert (await browser.send("POST", path, who)).status_code == 403
    assert (
        await browser.send("POST", f"{page_of(world)}/{failed['email']}", who, data={"do": "again"})
    ).status_code == 403


async def test_staff_of_another_mission_does_not_act(failed: dict[str, int], browser: Any) -> None:
    other = Principal("mission_staff", uuid4(), uuid4())
    path = f"/api/v1/deliveries/{failed['email']}/retry"
    assert (await browser.send("POST", path, other)).status_code == 403
    assert (await browser.send("POST", "/api/v1/deliveries/999999/retry", other)).status_code == 404
