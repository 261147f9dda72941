from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.notify.channels.email import Email, MailServer
from services.notify.commands import telling
from services.notify.commands.knowing import known
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.rendering import render
from services.notify.domain.mail import Message, Never
from shared.contacts import Contact
from shared.events.registration import (
    ApplicationDecided,
    ApplicationDrafted,
    ApplicationSubmitted,
)
from shared.postgres import Database

NOW = datetime(2023, 4, 10, 1, 0, tzinfo=UTC)
HEAD = Letterhead("Tradewind <no-reply@example.org>", "https://mission.example.org/")

SUBJECTS = {
    "drafted": ("Your application is begun", "申请已创建"),
    "submitted": ("Application received", "已收到申请"),
    "info_requested": ("We have a question about your application", "请补充申请信息"),
    "selected": ("Your company is selected, please confirm", "贵单位已入选，请确认"),
    "reserve_listed": ("Your company is on the reserve list", "贵单位已列入候补名单"),
    "rejected": ("Your application", "申请结果通知"),
    "confirmed": ("Your place is confirmed", "参团名额已确认"),
    "lapsed": ("Your place has lapsed", "参团名额已失效"),
}
SILENT = ("draft", "in_review", "declined", "withdrawn")


async def told(database: Database, world: Any, status: str) -> list[Any]:
    """Take an event about an application in, and give the mails it makes."""
    facts = {
        "application_id": uuid4(),
        "mission_id": world.mission,
        "contact_id": world.delegate,
        "organization_id": uuid4(),
    }
    events: dict[str, Any] = {"drafted": ApplicationDrafted, "submitted": ApplicationSubmitted}
    event = events.get(status, ApplicationDecided).model_validate(facts | {"status": status})
    async with database.transaction() as connection:
        await telling.tell_application(connection, event, NOW)
        rows = await connection.fetch("SELECT * FROM message")
    return list(rows)


async def written(database: Database, row: Any, contact: Contact | None) -> EmailMessage:
    names = Message.__dataclass_fields__
    message = Message(**{name: row[name] for name in names if name in row})
    async with database.reading() as connection:
        facts = await known(connection, [message])
    letter = render(facts, HEAD, message, contact, NOW).letter
    assert contact
    content = Email(HEAD.sender, MailServer("127.0.0.1", 25)).written(letter, contact.email)
    mail = message_from_bytes(content, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def someone(world: Any, language: str) -> Contact:
    facts = SimpleNamespace(
        person_id=world.delegate,
        name="Sample Applicant",
        native_name="示例申请人",
        email="applicant@example.org",
        language=language,
        role="applicant",
        sign_in_path="/sign-in?token=abc",
    )
    return Contact.model_validate(vars(facts))


@pytest.mark.parametrize("status", SUBJECTS)
async def test_a_company_is_told_in_its_contacts_language(
    database: Database, planned: Any, status: str
) -> None:
    (row,) = await told(database, planned, status)
    for language, subject, mission, name in (
        ("en", SUBJECTS[status][0] + ": ", "Synthetic Mission", "Dear Sample Applicant,"),
        ("zh", SUBJECTS[status][1] + "：", "样例代表团", "示例申请人，您好："),
    ):
        mail = await written(database, row, someone(planned, language))
        assert mail["Subject"] == subject + mission
        assert mail["To"] == "applicant@example.org"
        body = mail.get_body(("plain",))
        assert body
        text = str(body.get_content())
        assert name in text
        link = "https://mission.example.org/sign-in?token=abc&next=%2Fapplications"
        assert link in text.splitlines()


@pytest.mark.parametrize("status", SILENT)
async def test_of_other_states_nobody_is_told(
    database: Database, planned: Any, status: str
) -> None:
    assert await told(database, planned, status) == []


async def test_a_contact_that_is_not_on_file_gets_no_mail(database: Database, planned: Any) -> None:
    (row,) = await told(database, planned, "selected")
    with pytest.raises(Never):
        await written(database, row, None)
