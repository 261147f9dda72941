"""A letter as HTML says what its text says, and nothing that is written in it becomes a tag."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from uuid import uuid4

from hypothesis import example, given
from hypothesis import strategies as st

from services.notify.channels.base import Letter
from services.notify.channels.markup import page_of

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
    read = Read(page_of(letter(body, subject)))
    if "://" not in body + subject:
        assert read.words == [*subject.split(), *subject.split(), *body.split()]
    assert {tag for tag, _ in read.tags} <= TAGS
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)


def test_the_readers_link_is_a_button_and_others_lead_on_by_their_host() -> None:
    read = Read(
        page_of(letter(f"See {HOSTILE[0]}, or https://example.net/a?b=1&c=2.\n{LINK}\n\nBye"))
    )
    assert read.links == ["https://example.net/a?b=1&c=2", LINK]
    assert "example.net" in read.words
    assert "".join(read.texts).count("Open my day") == 1
    assert "token" not in "".join(read.texts)


def test_a_meeting_stands_apart_with_its_time_in_bold() -> None:
    page = page_of(letter("Dear Sample,\n\n09:30-09:55  T1\n    Sample Wind\n    with interpreter"))
    (bold,) = re.findall(r"<b>(.*?)</b>", page)
    assert bold == "09:30-09:55 \N{NO-BREAK SPACE}T1"


def test_nothing_is_loaded_from_anywhere() -> None:
    read = Read(page_of(letter(f"{HOSTILE[1]}\n{LINK}")))
    for _, attributes in read.tags:
        assert not attributes.keys() & {"src", "srcset", "background"}
        assert "url" not in (attributes.get("style") or "")
