"""Rendering: a queued message becomes a letter in its reader's language."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from services.notify.channels.base import Letter
from services.notify.channels.email import NOBODY
from services.notify.commands.contents import Content, content_of
from services.notify.commands.knowing import Known
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.wording import BUILT_IN, brief_of, link_words
from services.notify.domain.mail import Message, Never, NotYet, Unwanted
from services.notify.domain.rules import MANY
from services.notify.domain.templates import Template, filled
from shared.contacts import Contact
from shared.events.base import Language

REHEARSAL = {"en": "[Rehearsal] ", "zh": "【演练】"}
TRIAL = {"en": "[Test] ", "zh": "【测试】"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter as it goes out, and which change of which meeting it tells."""

    letter: Letter
    told: tuple[tuple[UUID, int, datetime], ...] = ()


def render(
    known: Known, head: Letterhead, message: Message, contact: Contact | None, now: datetime
) -> Rendered:
    """Write a letter. Raises `NotYet`, `Never`, `Unwanted` or `NothingNew` when there is none."""
    if contact is None:
        raise Never(NOBODY)
    if message.mission_id not in known.missions:
        raise NotYet("The mission is not known yet.")
    is_for_many = message.kind in MANY and message.channel != "wecom"
    if is_for_many and not known.wishes[message.person_id].announcements:
        raise Unwanted("This person unsubscribed from what is written to many.")
    content = content_of(known, head, message, contact, now)
    language = known.trials[message.id][1] if message.kind == "trial" else contact.language
    words = _worded(known, message.mission_id, content, language)
    brief = filled(brief_of(content.template, language), content.values).body
    before = _before(known, message, language)
    letter = Letter(
        id=message.id,
        message_id=message.message_id,
        language=language,
        subject=before + words.subject,
        body=words.body,
        brief=before + " ".join(brief.split()),
        page=content.page,
        topic=content.topic or message.stop_id or message.mission_id,
        is_urgent=message.is_urgent,
        written_at=now,
        link=content.values.get("link", ""),
        link_words=link_words(content.page, language),
        invitation=content.invitation,
        files=content.files,
        unsubscribe=head.unsubscribe(message.person_id) if is_for_many else "",
    )
    return Rendered(letter, content.told)


def _worded(known: Known, mission_id: UUID, content: Content, language: Language) -> Template:
    """Say it in the mission's own words, or in ours where it has none or they cannot be filled."""
    own = content.words
    if own is None and (texts := known.templates.get((mission_id, content.template))):
        own = texts.get(language)
    if own is not None:
        try:
            return filled(own, content.values)
        except KeyError as place:
            log.warning("own words cannot be filled in", template=content.template, place=place)
    return filled(BUILT_IN[content.template][language], content.values)


def _before(known: Known, message: Message, language: Language) -> str:
    """Give what stands before a subject that is not in earnest."""
    if message.kind == "trial":
        return TRIAL[language]
    return REHEARSAL[language] if known.missions[message.mission_id]["is_rehearsal"] else ""
