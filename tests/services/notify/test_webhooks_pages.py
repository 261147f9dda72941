"""The pages of a partner's webhooks, as its staff uses them."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import standardwebhooks

from services.notify.channels.base import Letter, Reader
from services.notify.commands import webhooks
from services.notify.commands.sending import Sender
from services.notify.commands.webhook_sending import Couriers
from services.notify.commands.webhooks import Hooks, Owner
from services.notify.consumer import mail_consumer
from services.notify.domain.mail import ChannelName
from services.notify.resources import Resources
from services.notify.store import announcements
from shared.access import Principal
from shared.events import registration as r
from shared.http import now
from shared.log.records import Record
from shared.postgres import Database
from tests.lines import Line
from tests.services.notify.partners import Mission, append, envelope
from tests.services.notify.receivers import Receiver, always, receiving


@pytest.fixture
async def mission(planned: Any, database: Database) -> Mission:
    mission = Mission(planned)
    await append(database, mission.stops())
    return mission


@pytest.fixture
def partner(mission: Mission) -> Principal:
    world = mission.world
    return Principal("partner_staff", uuid4(), world.mission, (world.stop,), mission.host)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(always(204)) as receiver:
        yield receiver


def form(receiver: Receiver, **facts: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "url": receiver.url, "name": "CRM", "groups": "meetings"} | facts


def secret_in(page: str) -> str | None:
    found = re.search(r'value="(whsec_[^"]+)"', page)
    return found[1] if found else None


async def test_a_secret_is_shown_once_and_a_form_sent_twice_is_one_webhook(
    browser: Any, mission: Mission, partner: Principal, receiver: Receiver
) -> None:
    page, sent = f"/partner/{mission.host}/webhooks", form(receiver)
    first = await browser.send("POST", page, partner, data=sent)
    assert secret_in(first.text)
    assert first.headers["cache-control"] == "no-store"
    again = await browser.send("POST", page, partner, data=sent)
    assert (again.status_code, again.headers["location"]) == (303, page)
    listed = (await browser.get(page, partner)).text
    assert listed.count('class="card hook"') == 1
    assert secret_in(listed) is None
    detail = (await browser.get(f"{page}/{sent['id']}", partner)).text
    assert secret_in(detail) is None
    rotated = (await browser.send("POST", f"{page}/{sent['id']}/rotate", partner)).text
    assert secret_in(rotated) not in (None, secret_in(first.text))


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_what_cannot_be_called_is_told_and_what_was_typed_stays(
    browser: Any, mission: Mission, partner: Principal, language: str
) -> None:
    page = f"/partner/{mission.host}/webhooks?lang={language}"
    given = {"id": str(uuid4()), "url": "https://10.0.0.1/x", "name": "Ours", "groups": "meetings"}
    answer = await browser.send("POST", page, partner, data=given)
    assert answer.status_code == 422
    assert {"en": "not on the Internet", "zh": "不是公网地址"}[language] in answer.text
    for typed in ('value="https://10.0.0.1/x"', 'value="Ours"', 'value="meetings" checked'):
        assert typed in answer.text


async def test_what_happens_is_listed_and_sent_again_with_a_press(
    browser: Any,
    mission: Mission,
    partner: Principal,
    receiver: Receiver,
    hooks: Hooks,
) -> None:
    database, page = hooks.bell.database, f"/partner/{mission.host}/webhooks"
    sent = form(receiver, groups=["participants", "privacy"])
    secret = secret_in((await browser.send("POST", page, partner, data=sent)).text)
    assert secret
    here = f"{page}/{sent['id']}"
    receiver.answer = always(500)
    tried = (await browser.send("POST", f"{here}/test", partner)).text
    assert "The test was not taken. Answered 500." in " ".join(tried.split())
    receiver.answer = always(204)
    await append(
        database,
        [mission.somebody(r.ParticipantPending, mission.host), mission.world.meeting()],
    )
    couriers = Couriers(database, hooks)
    for id_ in await couriers.due(now()):
        await couriers.serve(id_)
    assert len(receiver.received) == 2
    received = receiver.received[1]
    standardwebhooks.Webhook(secret).verify(received.body, received.headers)
    log = (await browser.get(f"{here}?shown=delivered", partner)).text
    assert log.count("registration.participant.pending.v1</code>") == 1
    queued = await browser.send("POST", f"{here}/replay/hour", partner)
    assert queued.headers["location"] == f"{here}?queued=1"
    assert "1 on their way again." in (await browser.get(f"{here}?queued=1", partner)).text
    for do, state in (("pause", "Paused"), ("resume", "Works")):
        assert (await browser.send("POST", f"{here}/{do}", partner)).status_code == 303
        assert f">{state}</span>" in (await browser.get(here, partner)).text
    await browser.send("POST", f"{here}/remove", partner)
    assert (await browser.get(here, partner)).status_code == 404


async def test_one_that_holds_others_is_skipped_with_a_press(
    browser: Any, mission: Mission, partner: Principal, receiver: Receiver, hooks: Hooks
) -> None:
    database, page = hooks.bell.database, f"/partner/{mission.host}/webhooks"
    sent, person = form(receiver, groups="participants"), uuid4()
    await browser.send("POST", page, partner, data=sent)
    receiver.answer = always(500)
    told = await append(
        database,
        [mission.somebody(r.ParticipantPending, mission.host, person) for _ in range(2)],
    )
    couriers, here = Couriers(database, hooks), f"{page}/{sent['id']}"
    await couriers.serve(UUID(sent["id"]))
    shown = (await browser.get(here, partner)).text
    (skip,) = re.findall(r'action="([^"]+/skip)"', shown)
    assert "Later events about the same person or meeting wait" in shown
    for _ in range(2):
        done = await browser.send("POST", skip, partner)
        assert done.headers["location"] == f"{here}?skipped=yes"
    assert "/skip" not in (await browser.get(f"{here}?skipped=yes", partner)).text
    receiver.answer = always(204)
    await couriers.round(UUID(sent["id"]), now() + timedelta(minutes=1))
    assert receiver.ids() == [str(one.event_id) for one in told]


async def engaged(database: Database, mission: Mission, *staff: tuple[str, UUID | None]) -> Any:
    """Let notify hear who works for whom at the stop, and give their ids."""
    return await engaged_at(database, mission, *((*one, mission.world.stop) for one in staff))


async def engaged_at(
    database: Database, mission: Mission, *staff: tuple[str, UUID | None, UUID], **ids: UUID
) -> Any:
    """The same, each at a stop, and perhaps with an id."""
    events = [
        r.StaffEngaged(
            staff_id=ids.get("staff_id") or uuid4(),
            mission_id=mission.world.mission,
            role=role,  # type: ignore[arg-type]  # these are roles
            stop_ids=(stop,),
            partner_id=partner,
        )
        for role, partner, stop in staff
    ]
    records = [
        Record(
            topic=event.TOPIC,
            key=str(event.key).encode(),
            headers=envelope(event).headers(),
            value=event.model_dump_json().encode(),
        )
        for event in events
    ]
    # Twice, as a log may: it is the same staff.
    for _ in range(2):
        await mail_consumer(database).step(Line(records))
    return [event.staff_id for event in events]


async def switched_off(
    resources: Resources, mission: Mission, receiver: Receiver, webhook_id: UUID
) -> list[tuple[Letter, Reader]]:
    """Let a webhook be given up, and give the letters about it."""
    database = resources.database
    somebody = [mission.somebody(r.ParticipantPending, mission.host) for _ in range(3)]
    await append(database, somebody)
    async with database.transaction() as connection:
        await connection.execute("UPDATE webhook SET failing_since = now() - '6 days'::interval")
    couriers = Couriers(database, resources.hooks)
    for id_ in [*await couriers.due(now()), webhook_id]:
        await couriers.serve(id_)
    assert receiver.received
    kept = Kept()
    sender = Sender(database, resources.contacts, resources.letterhead, kept, rest=0)
    while await sender.send_due(now() + timedelta(minutes=1)):
        pass
    return kept.letters


@pytest.mark.parametrize("case", [(410, "en", "410"), (500, "zh", "连续五天")])
async def test_all_staff_of_a_partner_is_written_to_once_when_its_webhook_is_switched_off(
    browser: Any,
    mission: Mission,
    partner: Principal,
    resources: Resources,
    registration: Any,
    case: tuple[int, str, str],
) -> None:
    code, language, words = case
    database, page = resources.database, f"/partner/{mission.host}/webhooks"
    here, there = mission.world.stop, mission.world.other_stop
    me = {"staff_id": partner.subject}
    await engaged_at(database, mission, ("partner_staff", mission.host, here), **me)
    # Who works for it elsewhere alone has nothing to do with what happens here.
    (distant,) = await engaged_at(database, mission, ("partner_staff", mission.host, there))
    colleague, other, elsewhere, door = await engaged(
        database,
        mission,
        ("partner_staff", mission.host),
        ("partner_staff", mission.host),
        ("partner_staff", mission.supporter),
        ("door_staff", None),
    )
    for number, person in enumerate((partner.subject, colleague, other, elsewhere, door, distant)):
        registration.know(person, f"staff-{number}@example.org", language=language)
    async with receiving(always(code)) as receiver:
        sent = form(receiver, groups="participants")
        await browser.send("POST", page, partner, data=sent)
        letters = await switched_off(resources, mission, receiver, UUID(sent["id"]))
    readers = [reader.person_id for _, reader in letters]
    assert sorted(readers) == sorted([partner.subject, colleague, other])
    for letter, _ in letters:
        assert words in letter.body
        assert receiver.url in letter.body
        assert f"{page}/{sent['id']}" in letter.body
    assert "Switched off" in (await browser.get(f"{page}/{sent['id']}", partner)).text


async def test_staff_is_written_to_of_a_webhook_that_a_partners_system_added(
    mission: Mission, resources: Resources, registration: Any
) -> None:
    database = resources.database
    (colleague,) = await engaged(database, mission, ("partner_staff", mission.host))
    registration.know(colleague, "staff@example.org")
    system = mission.as_partner(mission.host, mission.world.stop)
    async with receiving(always(410)) as receiver:
        facts = {"url": receiver.url, "name": "CRM", "types": (), "scheme": "v1"}
        owner = Owner(mission.world.mission, mission.host)
        able = replace(system, scopes=("webhooks:write",))
        row, _ = await webhooks.add(database, resources.hooks, owner, facts, (able, now()))
        letters = await switched_off(resources, mission, receiver, row["id"])
    assert [reader.person_id for _, reader in letters] == [colleague]
    # It is no announcement of anybody's.
    async with database.reading() as connection:
        assert await announcements.of_stop(connection, mission.world.stop, 10) == []


class Kept:
    """A channel that keeps what it is given."""

    name: ChannelName = "email"

    def __init__(self) -> None:
        self.letters: list[tuple[Letter, Reader]] = []

    async def open(self) -> None: ...

    async def send(self, letter: Letter, reader: Reader) -> None:
        self.letters.append((letter, reader))

    async def close(self) -> None: ...


async def test_another_partner_sees_nothing_of_it(
    browser: Any, mission: Mission, partner: Principal, receiver: Receiver, person: Any
) -> None:
    page, sent = f"/partner/{mission.host}/webhooks", form(receiver)
    await browser.send("POST", page, partner, data=sent)
    other = replace(partner, partner_id=mission.supporter)
    for who in (other, person("door_staff"), person("delegate")):
        assert (await browser.get(page, who)).status_code == 403
        # Neither by its own address with the other's webhook in it.
        theirs = f"/partner/{mission.supporter}/webhooks/{sent['id']}"
        assert (await browser.get(theirs, who)).status_code == 403
        assert (await browser.send("POST", f"{theirs}/rotate", who)).status_code == 403
    staff = person("mission_staff")
    assert "CRM" in (await browser.get(page, staff)).text
