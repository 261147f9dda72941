"""What staff writes to many: who hears it, how it reads, and that nobody hears it twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.notify.channels.base import Letter, Reader
from services.notify.commands.sending import Sender
from services.notify.domain.mail import ChannelName
from services.notify.resources import Resources
from shared.access import Principal
from shared.http import now
from shared.postgres import Database

TEXTS = {
    "subject_en": "The bus leaves later",
    "subject_zh": "班车推迟",
    "body_en": "It leaves at 14:00.",
    "body_zh": "14:00发车。",
}


class Kept:
    """A channel that keeps what it is given."""

    def __init__(self, name: ChannelName) -> None:
        self.name = name
        self.letters: list[tuple[Letter, Reader]] = []

    async def open(self) -> None: ...

    async def send(self, letter: Letter, reader: Reader) -> None:
        self.letters.append((letter, reader))

    async def close(self) -> None: ...


@pytest.fixture
async def people(planned: Any, stored: Any, registration: Any) -> Any:
    """A stop with a meeting that three people attend, and one that is cancelled."""
    registration.know(planned.delegate, "delegate@example.org")
    registration.know(planned.local, "local@example.org", language="zh", native_name="样例先生")
    registration.know(planned.interpreter, "interpreter@example.org")
    cancelled = planned.meeting("cancelled", parties=planned.parties(uuid4(), uuid4()))
    await stored(planned.meeting(interpreter_id=planned.interpreter), cancelled)
    return planned


@pytest.fixture
def staff(person: Any) -> Principal:
    found: Principal = person("mission_staff")
    return found


async def told(resources: Resources, channel: ChannelName = "email") -> list[tuple[Letter, Reader]]:
    kept = Kept(channel)
    sender = Sender(resources.database, resources.contacts, resources.letterhead, kept, rest=0)
    while await sender.send_due(now() + timedelta(minutes=1)):
        pass
    return kept.letters


def body_of(world: Any, **facts: Any) -> dict[str, Any]:
    return {
        "stop_id": str(world.stop),
        "subject": {"en": TEXTS["subject_en"], "zh": TEXTS["subject_zh"]},
        "body": {"en": TEXTS["body_en"], "zh": TEXTS["body_zh"]},
    } | facts


@pytest.mark.parametrize(
    ("given", "heard"),
    [
        ({}, {"delegate", "local", "interpreter"}),
        ({"side": "local"}, {"local"}),
        ({"organization": "风电"}, {"local"}),
        ({"organization": "HYDROGEN"}, {"delegate"}),
        ({"organization": "hydrogen", "side": "local"}, set()),
    ],
)
async def test_everybody_hears_it_whom_it_is_for_in_their_language_and_once(
    people: Any, browser: Any, staff: Principal, resources: Resources, given: Any, heard: set[str]
) -> None:
    path = f"/api/v1/messages/announcements/{uuid4()}"
    answer = await browser.send("PUT", path, staff, json=body_of(people, **given))
    if not heard:
        assert (answer.status_code, answer.json()["code"]) == (422, "nobody_hears")
        return
    assert answer.json() == {"people": len(heard)}
    again = await browser.send("PUT", path, staff, json=body_of(people, **given))
    assert again.json() == {"people": 0}
    letters = {reader.person_id: letter for letter, reader in await told(resources)}
    assert set(letters) == {getattr(people, name) for name in heard}
    if "local" in heard:
        letter = letters[people.local]
        assert letter.subject == "班车推迟"
        assert "样例先生，您好：\n\n14:00发车。" in letter.body
        assert letter.brief == "班车推迟：14:00发车。"
    if "delegate" in heard:
        assert "It leaves at 14:00." in letters[people.delegate].body


async def test_a_form_is_looked_at_and_tried_before_it_is_sent(
    people: Any, browser: Any, staff: Principal, resources: Resources, registration: Any
) -> None:
    registration.know(staff.subject, "staff@example.org")
    page = f"/desk/stops/{people.stop}/messages"
    form = TEXTS | {"id": str(uuid4()), "side": "local"}
    seen = await browser.send("POST", page, staff, data=form | {"do": "preview"})
    assert "1 people would hear this." in seen.text
    assert "班车推迟" in seen.text
    assert await told(resources) == []
    await browser.send("POST", page, staff, data=form | {"do": "test"})
    assert [reader.person_id for _, reader in await told(resources)] == [staff.subject]
    assert "Written before" not in (await browser.get(page, staff)).text
    for count in (1, 0):
        sent = await browser.send("POST", page, staff, data=form | {"do": "send"})
        assert sent.headers["location"] == f"{page}?sent={count}"
    assert [reader.person_id for _, reader in await told(resources)] == [people.local]
    assert "The bus leaves later" in (await browser.get(page, staff)).text
    log = await browser.get(f"/desk/stops/{people.stop}/deliveries", staff)
    assert "Written to many" in log.text


async def test_a_form_without_words_keeps_what_was_typed(
    people: Any, browser: Any, staff: Principal
) -> None:
    page = f"/desk/stops/{people.stop}/messages"
    form = TEXTS | {"id": str(uuid4()), "do": "send", "body_zh": ""}
    answer = await browser.send("POST", page, staff, data=form)
    assert answer.status_code == 422
    assert "It leaves at 14:00." in answer.text


async def test_a_group_is_told_in_its_language_and_nobody_is_named(
    people: Any, browse: Any, staff: Principal, resources: Resources, database: Database
) -> None:
    reach = replace(resources.reach, available=frozenset(("email", "wecom", "print")))
    path = f"/api/v1/messages/announcements/{uuid4()}"
    async with browse(replace(resources, reach=reach)) as browser:
        await browser.send("PUT", path, staff, json=body_of(people, to_group=True))
    ((letter, reader),) = await told(resources, "wecom")
    assert letter.brief == "班车推迟：14:00发车。"
    assert reader.stop == "shanghai"
    async with database.reading() as connection:
        states = await connection.fetch("SELECT state FROM message WHERE channel = 'wecom'")
    assert [row["state"] for row in states] == ["sent"]


@pytest.mark.parametrize("role", ["partner_staff", "door_staff", "delegate", "screen"])
async def test_nobody_else_writes_to_many(
    people: Any, browser: Any, person: Any, role: Any
) -> None:
    who = person(role, uuid4(), people.stop)
    path = f"/api/v1/messages/announcements/{uuid4()}"
    assert (await browser.send("PUT", path, who, json=body_of(people))).status_code == 403
    assert (await browser.get(f"/desk/stops/{people.stop}/messages", who)).status_code == 403
