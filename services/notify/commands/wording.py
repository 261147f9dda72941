"""Wording: what mails say when nobody wrote something else, and the words in between."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from services.notify.commands.calendar import Appointment
from services.notify.domain.templates import PLACES, Template, TemplateName, Texts
from shared.events.base import Language
from shared.web.words import load

MAILS = Path(__file__).parent / "mails"
WORDS = load([MAILS / "words.toml"])
BRIEFS = load([MAILS / "briefs.toml"])
"""All of a message in a sentence or two that name nobody and have no link of anybody's own."""
SAMPLES = load([MAILS / "samples.toml"])
"""Something to fill in where there is no message yet, by place."""


def _read(name: TemplateName, language: str) -> Template:
    subject, _, body = (MAILS / f"{name}.{language}.txt").read_text("utf-8").partition("\n\n")
    return Template(subject, body)


BUILT_IN: Mapping[TemplateName, Texts] = {
    name: {"en": _read(name, "en"), "zh": _read(name, "zh")} for name in PLACES
}


def brief_of(name: TemplateName, language: Language) -> Template:
    """Give the brief form of a mail; it has no subject."""
    key = "application" if name.startswith("application_") else name
    return Template("", BRIEFS[key][language])


def link_words(page: str, language: Language) -> str:
    """Say what leads to a page of ours, where its address is not shown."""
    path = page.partition("?")[0]
    key = {"/day": "open_day", "/outcomes": "state_results"}.get(path, "open_page")
    return WORDS[key][language]


def samples(language: Language) -> dict[str, str]:
    """Give made-up values for every place there is."""
    return {place: texts[language] for place, texts in SAMPLES.items()}


def meetings(
    appointments: Sequence[Appointment],
    language: Language,
    clock: Callable[[datetime], str],
    *,
    is_first: bool,
) -> str:
    """Write somebody's meetings, a block for each, with what is new in them."""

    def word(key: str, **values: object) -> str:
        return WORDS[key][language].format(**values)

    def block(one: Appointment) -> str:
        mark = word(one.change) if one.change in ("new", "changed") and not is_first else ""
        lines = [f"{clock(one.starts_at)}-{clock(one.ends_at)}  {one.point}{mark}"]
        lines.append(f"    {one.with_whom}")
        if one.delay_minutes:
            lines.append("    " + word("late", minutes=one.delay_minutes))
        lines.append(
            "    " + word("with_interpreter" if one.has_interpreter else "without_interpreter")
        )
        return "\n".join(lines)

    return "\n\n".join(map(block, appointments)) or word("none")


def cancelled(
    appointments: Sequence[Appointment], language: Language, clock: Callable[[datetime], str]
) -> str:
    """Write the meetings that are off; nothing when there are none."""
    lines = [f"  {clock(one.starts_at)}  {one.with_whom}" for one in appointments]
    return "\n".join([WORDS["cancelled"][language], *lines]) if lines else ""
