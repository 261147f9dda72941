"""A letter as HTML says what its text says, and nothing that is written in it becomes a tag."""

import re
import unicodedata
from datetime import UTC, datetime
from email.parser import HeaderParser
from email.policy import default
from html.parser import HTMLParser
from uuid import uuid4

from hypothesis import example, given
from hypothesis import strategies as st

from services.notify.channels.base import Letter
from services.notify.channels.markup import page_of
from services.notify.channels.mime import header
from services.notify.domain.links import as_a_name, parts
from services.notify.domain.templates import Template, filled

LINK = "https://mission.example.org/sign-in?token=abc&next=%2Fday%3Fstop%3D1"
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "</p>")
TAGS = {"html", "head", "meta", "title", "body", "table", "tr", "td", "h1", "p", "b", "br", "a"}


class Read(HTMLParser):
    """What a mail program makes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def words(self) -> list[str]:
        return " ".join(self.texts).split()

    @property
    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a"]


def letter(body: str, subject: str = "Your day", link: str = LINK) -> Letter:
    return Letter(
        id=1,
        message_id=uuid4(),
        language="en",
        subject=subject,
        body=body,
        brief="",
        page="/day",
        topic=uuid4(),
        is_urgent=False,
        written_at=datetime(2023, 4, 12, tzinfo=UTC),
        link=link,
        link_words="Open my day",
    )


def page_for(one: Letter) -> str:
    return page_of(Template(one.subject, one.body), one.language, (one.link, one.link_words))


LINES = st.lists(
    st.one_of(
        st.sampled_from(("", "  ", "09:30-09:55  T1", "    with interpreter", *HOSTILE)),
        st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30),
    )
)


@given(LINES, st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30))
@example(["<b>", "&amp;", "    <i>"], "<title>")
def test_the_words_are_those_of_the_text_and_the_tags_are_ours(
    lines: list[str], subject: str
) -> None:
    body = "\n".join(lines)
    read = Read(page_for(letter(body, subject)))
    if "://" not in body + subject:
        assert read.words == [*subject.split(), *subject.split(), *body.split()]
    assert {tag for tag, _ in read.tags} <= TAGS
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)


def test_the_readers_link_is_a_button_and_others_lead_on_by_their_host() -> None:
    read = Read(
        page_for(letter(f"See {HOSTILE[0]}, or https://example.net/a?b=1&c=2.\n{LINK}\n\nBye"))
    )
    assert read.links == ["https://example.net/a?b=1&c=2", LINK]
    assert "example.net" in read.words
    assert "".join(read.texts).count("Open my day") == 1
    assert "token" not in "".join(read.texts)


def test_a_meeting_stands_apart_with_its_time_in_bold() -> None:
    page = page_for(
        letter("Dear Sample,\n\n09:30-09:55  T1\n    Sample Wind\n    with interpreter")
    )
    (bold,) = re.findall(r"<b>(.*?)</b>", page)
    assert bold == "09:30-09:55 \N{NO-BREAK SPACE}T1"


def test_nothing_is_loaded_from_anywhere() -> None:
    read = Read(page_for(letter(f"{HOSTILE[1]}\n{LINK}")))
    for _, attributes in read.tags:
        assert not attributes.keys() & {"src", "srcset", "background"}
        assert "url" not in (attributes.get("style") or "")


RIGHT_TO_LEFT, NO_ROOM = "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{ZERO WIDTH SPACE}"


@given(st.text(max_size=80))
@example("https://a.example/\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe")
def test_a_link_has_only_what_its_reader_sees_and_every_letter_is_kept(text: str) -> None:
    found = list(parts(f"{text} https://example.net/{text}."))
    assert "".join(part for part, _ in found) == f"{text} https://example.net/{text}."
    for link in (part for part, is_link in found if is_link):
        assert link.startswith(("http://", "https://"))
        assert not {unicodedata.category(letter) for letter in link} & {"Cc", "Zs", "Zl", "Zp"}
        assert not {RIGHT_TO_LEFT, NO_ROOM, "<", '"'} & {*link}


def test_a_link_is_called_by_where_it_leads() -> None:
    for link, host in (
        ("https://mission.example.org@evil.example/sign-in", "evil.example"),
        ("https://mission.example.org:x@evil.example", "evil.example"),
        ("https://evil.example?mission.example.org@a", "evil.example"),
        (f"https://evil.example{RIGHT_TO_LEFT}gro", "evil.example"),
        ("https://例子.example/页", "例子.example"),
    ):
        read = Read(page_for(letter(f"See {link} now")))
        (leads,) = read.links
        assert leads == link.partition(RIGHT_TO_LEFT)[0]
        assert f"See {host}" in "".join(read.texts)


def test_nothing_but_the_web_is_linked() -> None:
    text = "javascript:alert(1) data:text/html,x HTTPS: //a.example ftp://a.example https:// x"
    assert Read(page_for(letter(text, link=""))).links == []


NAMES = ("Acme https://evil.example/x", f"Acme\r\n\n{LINK}\n", f"{RIGHT_TO_LEFT}emcA", "A\x1b[1mB")


@given(st.one_of(st.sampled_from(NAMES), st.text(max_size=40)))
def test_a_name_is_one_line_and_leads_nowhere(name: str) -> None:
    assert as_a_name(name).split("\n") == [as_a_name(name)]
    words = filled(
        Template("{name}", "Dear {name},\n{link}"), {"name": as_a_name(name), "link": LINK}
    )
    assert words.body.split("\n")[1:] == [LINK, ""]
    assert Read(page_for(letter(words.body))).links == [LINK]
    assert RIGHT_TO_LEFT not in words.subject + words.body


@given(st.one_of(st.sampled_from(("=?utf-8?q?closed?= now", *NAMES)), st.text(max_size=300)))
def test_a_subject_is_read_as_it_was_written_and_is_no_other_header(subject: str) -> None:
    shown = filled(Template("{subject}", ""), {"subject": subject}).subject
    written = header("Subject", shown)
    assert "\n" not in written.replace("\r\n ", "")
    read = HeaderParser(policy=default).parsestr(f"{written}\r\n\r\n")
    assert read.keys() == ["Subject"]
    assert str(read["Subject"]).split() == shown.split()
