"""Mails in a mission's own words: nothing broken is saved or sent, and every change is kept."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.base import Letter, Reader
from services.notify.commands import planning
from services.notify.commands.sending import Sender
from services.notify.commands.wording import BRIEFS, BUILT_IN, brief_of, samples
from services.notify.domain.mail import ChannelName
from services.notify.domain.templates import PLACES, Template, Texts, Trouble, filled, troubles
from services.notify.pages.rendering import pages
from services.notify.resources import Resources
from services.notify.store.messages import About, News
from shared.access import Principal
from shared.http import now

OWN = {
    "en": {"subject": "See you, {name}", "body": "Welcome to {item}.\n\n{link}"},
    "zh": {"subject": "期待与您见面", "body": "欢迎参加{item}。"},
}


class Kept:
    """A mail server that keeps what it is given."""

    name: ChannelName = "email"

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def open(self) -> None: ...

    async def send(self, letter: Letter, reader: Reader) -> None:
        del reader
        self.letters.append(letter)

    async def close(self) -> None: ...


@pytest.fixture
def staff(person: Any, planned: Any, registration: Any) -> Principal:
    found: Principal = person("mission_staff")
    registration.know(found.subject, "staff@example.org", name="Sample Staff")
    registration.know(planned.delegate, "delegate@example.org", name="Ada Sample")
    return found


async def sent(resources: Resources) -> list[Letter]:
    kept = Kept()
    sender = Sender(resources.database, resources.contacts, resources.letterhead, kept, rest=0)
    while await sender.send_due(now() + timedelta(minutes=1)):
        pass
    return kept.letters


async def confirm(resources: Resources, world: Any) -> list[Letter]:
    """Have the delegate told of a place."""
    async with resources.database.transaction() as connection:
        about = About(world.stop, world.item)
        news = News.of("confirmed", world.delegate, world.mission, about)
        await planning.tell(connection, [news], now())
    return await sent(resources)


def api(world: Any, name: str = "confirmed") -> str:
    return f"/api/v1/messages/templates/{world.mission}/{name}"


def page(world: Any, name: str = "confirmed") -> str:
    return f"/desk/missions/{world.mission}/messages/templates/{name}"


def form(do: str, version: int = 0, **facts: Any) -> dict[str, Any]:
    typed = {f"{field}_{language}": OWN[language][field] for language in OWN for field in OWN["en"]}
    return typed | {"do": do, "version": version} | facts


async def put(browser: Any, who: Principal, path: str, seen: int, body: Any = OWN) -> Any:
    token = browser.tokens.sign(who, "session", now())
    headers = {"Authorization": f"Bearer {token}", "If-Match": f'"{seen}"'}
    method = "PUT" if body else "DELETE"
    return await browser.client.request(method, path, headers=headers, json=body)


@pytest.mark.parametrize("name", PLACES)
def test_our_own_words_are_in_order_and_everything_has_a_name(name: Any) -> None:
    assert troubles(name, BUILT_IN[name]) == []
    assert f"template_of_{name}" in pages.words
    for language in ("en", "zh"):
        assert PLACES[name] <= set(samples(language))
        shown = filled(BUILT_IN[name][language], samples(language))
        assert "{" not in shown.subject + shown.body
        assert "\n\n\n" not in shown.body
        assert filled(brief_of(name, language), samples(language)).body.strip()
    assert all(f"place_{place}" in pages.words for place in PLACES[name])
    assert set(BRIEFS) <= {*PLACES, "application"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("Dear {nmae},\n{link}", [(1, "unknown", "{nmae}")]),
        ("{link}\n\n{name", [(3, "stray", "{")]),
        ("{link}\nto {{name}}", [(2, "stray", "{")]),
        ("{link}\n｛name｝", [(2, "stray", "｛")]),
        ("{name.__class__}{link}", [(1, "unknown", "{name.__class__}")]),
        ("no link", [(0, "missing", "{link}")]),
    ],
)
def test_what_is_wrong_is_named_at_its_line(body: str, found: list[Any]) -> None:
    texts: Texts = {"en": Template("A link", body), "zh": BUILT_IN["sign_in"]["zh"]}
    said = [(one.line, one.fault, one.what) for one in troubles("sign_in", texts)]
    assert said == found


@given(st.text(st.sampled_from("{}name\n ｛"), max_size=30), st.text(max_size=20))
def test_what_passes_can_be_filled_in_and_values_are_never_looked_at_again(
    body: str, value: str
) -> None:
    texts: Texts = {"en": Template("{name}", body)}
    values = dict.fromkeys(PLACES["confirmed"], value)
    wrong: list[Trouble] = troubles("confirmed", texts)
    if not wrong:
        assert "{name}" not in filled(texts["en"], values | {"name": "x"}).body
        tricky = filled(Template("", "{name}"), values | {"name": "{link}"})
        assert tricky.body == "{link}\n"


async def test_a_missions_own_words_are_sent_and_ours_again_after_a_reset(
    planned: Any, staff: Principal, browser: Any, resources: Resources
) -> None:
    saved = await put(browser, staff, api(planned), 0)
    assert (saved.status_code, saved.json()) == (200, {"version": 1})
    (letter,) = await confirm(resources, planned)
    assert letter.subject == "See you, Ada Sample"
    assert letter.body.startswith("Welcome to Matchmaking.\n\nhttps://mission.example.org/sign-in")
    assert (await put(browser, staff, api(planned), 1, None)).json() == {"version": 2}
    (letter,) = await confirm(resources, planned)
    assert letter.subject == "Confirmed: Matchmaking, Shanghai"
    read = (await browser.get(api(planned), staff)).json()
    assert (read["version"], read["is_own"]) == (2, False)
    assert [(one["version"], one["is_own"]) for one in read["versions"]] == [(2, False), (1, True)]
    assert {one["written_by"] for one in read["versions"]} == {str(staff.subject)}


@pytest.mark.usefixtures("staff")
async def test_another_missions_mails_stay_as_they_are(
    planned: Any, browser: Any, resources: Resources
) -> None:
    other = uuid4()
    nobody = Principal("mission_staff", uuid4())
    assert (
        await put(browser, nobody, api(planned).replace(str(planned.mission), str(other)), 0)
    ).status_code == 404
    async with resources.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO mail_template VALUES ($1, 'confirmed', 1, $2, $3, now())",
            other,
            OWN,
            uuid4(),
        )
    (letter,) = await confirm(resources, planned)
    assert letter.subject.startswith("Confirmed")


async def test_who_decided_on_another_version_changes_nothing(
    planned: Any, staff: Principal, browser: Any
) -> None:
    await put(browser, staff, api(planned), 0)
    assert (await put(browser, staff, api(planned), 0)).status_code == 412
    late = await browser.send("POST", page(planned), staff, data=form("save"))
    assert late.status_code == 409
    assert "Changed meanwhile by Sample Staff" in late.text
    again = await browser.send("POST", page(planned), staff, data=form("save", 1))
    assert again.headers["location"].endswith("?said=save")


async def test_what_is_broken_is_neither_saved_nor_tried_and_its_line_is_said(
    planned: Any, staff: Principal, browser: Any, resources: Resources
) -> None:
    broken = {**OWN, "zh": {"subject": "好", "body": "您好\n{nmae}"}}
    refused = await put(browser, staff, api(planned), 0, broken)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"pointer": "/zh/body", "detail": "Line 2: {nmae} is none of the places of this mail."}
    ]
    for do in ("save", "test", "preview"):
        typed = form(do, body_zh="您好\r\n{nmae}")
        shown = await browser.send("POST", page(planned), staff, data=typed)
        assert shown.status_code == 422
        assert "Line 2: {nmae} is not known in this mail." in shown.text
        assert "See you, {name}" in shown.text
    assert await sent(resources) == []
    (letter,) = await confirm(resources, planned)
    assert letter.subject.startswith("Confirmed")


async def test_words_that_can_be_filled_no_longer_are_not_sent(
    planned: Any, staff: Principal, resources: Resources
) -> None:
    async with resources.database.transaction() as connection:
        texts = {"en": {"subject": "Hello {gone}", "body": "{gone}"}}
        await connection.execute(
            "INSERT INTO mail_template VALUES ($1, 'confirmed', 1, $2, $3, now())",
            planned.mission,
            texts,
            staff.subject,
        )
    (letter,) = await confirm(resources, planned)
    assert letter.subject == "Confirmed: Matchmaking, Shanghai"


async def test_staff_tries_a_mail_out_in_both_languages_before_it_counts(
    planned: Any, staff: Principal, browser: Any, resources: Resources
) -> None:
    shown = await browser.send("POST", page(planned), staff, data=form("test"))
    assert "on its way to you alone" in shown.text
    letters = await sent(resources)
    assert [letter.subject for letter in letters] == [
        "[Test] See you, Alex Sample",
        "【测试】期待与您见面",
    ]
    assert "欢迎参加一对一洽谈" in letters[1].body
    (letter,) = await confirm(resources, planned)
    assert letter.subject.startswith("Confirmed")


async def test_a_preview_reads_as_its_reader_would_see_it_without_the_link_that_signs_in(
    planned: Any, staff: Principal, browser: Any, resources: Resources
) -> None:
    await confirm(resources, planned)
    path = page(planned)
    editor = (await browser.get(path, staff)).text
    assert "Ada Sample" in editor
    example = editor.split('<option value="')[2].split('"')[0]
    shown = await browser.send("POST", path, staff, data=form("preview", example=example))
    assert shown.status_code == 200
    assert "See you, Ada Sample" in shown.text
    assert "欢迎参加洽谈会。" in shown.text
    assert "token=abc" not in shown.text
    sample = await browser.send("POST", path, staff, data=form("preview"))
    assert "See you, Alex Sample" in sample.text


async def test_an_old_version_is_looked_at_and_the_list_says_what_is_changed(
    planned: Any, staff: Principal, browser: Any
) -> None:
    for seen, body in ((0, OWN), (1, None)):
        await put(browser, staff, api(planned), seen, body)
    old = (await browser.get(f"{page(planned)}?version=1", staff)).text
    assert "See you, {name}" in old
    assert 'name="version" value="2"' in old
    assert "Sample Staff" in old
    listed = (await browser.get(page(planned).removesuffix("/confirmed"), staff, "zh")).text
    assert "邮件模板" in listed
    items = (await browser.get(api(planned).removesuffix("/confirmed"), staff)).json()["items"]
    assert {one["name"] for one in items} == set(PLACES)


async def test_nobody_else_reads_or_writes_them(
    planned: Any, staff: Principal, browser: Any, person: Any
) -> None:
    del staff
    for role in ("partner_staff", "door_staff", "delegate"):
        who = person(role, uuid4(), planned.stop)
        assert (await put(browser, who, api(planned), 0)).status_code == 403
        assert (await browser.get(page(planned), who)).status_code == 403
        sent_form = await browser.send("POST", page(planned), who, data=form("save"))
        assert sent_form.status_code == 403
    boss = person("mission_staff")
    assert (await browser.get(page(planned, "nothing"), boss)).status_code == 404
    assert (await browser.get(api(planned, "trial"), boss)).status_code == 404
