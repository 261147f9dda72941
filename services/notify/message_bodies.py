"""What requests about messages bring, by API or by a page's form."""

from datetime import timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StrictBool

from services.notify.domain.announcing import Announcement
from services.notify.domain.mail import ChannelName
from services.notify.domain.rules import Rules, Wishes
from services.notify.domain.templates import Template, Texts
from shared.events.base import Bilingual, Language, Side
from shared.http import Body, Clock

OwnChannel = Literal["email", "web_push", "sms"]
MINUTE = timedelta(minutes=1)
WEEK_MINUTES = 7 * 24 * 60
SUBJECT_LENGTH_MAX = 120
TEMPLATE_SUBJECT_LENGTH_MAX = 200
BODY_LENGTH_MAX = 2_000


class WishesBody(Body):
    """How somebody wants to be told; what is null is left to the mission."""

    channels: Annotated[tuple[OwnChannel, ...], Field(min_length=1, max_length=3)] | None = None
    language: Language | None = None
    phone: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = Field(
        None, description="In international form (E.164), such as +8613800000000."
    )
    announcements: StrictBool = Field(
        default=True, description="Whether what staff writes to many is sent as well."
    )

    def wishes(self) -> Wishes:
        """Give what is wished."""
        return Wishes(self.channels, self.language, self.phone, announcements=self.announcements)


class Keys(Body):
    """A browser's keys, in base64url (RFC 8291)."""

    p256dh: Annotated[str, Field(min_length=1, max_length=200)]
    auth: Annotated[str, Field(min_length=1, max_length=100)]


class SubscriptionBody(Body):
    """What a browser gives to be told (Push API), without what it knows of its end."""

    endpoint: Annotated[str, Field(max_length=1000)]
    keys: Keys


class RulesBody(Body):
    """How a mission tells its people; times are of each stop's clock."""

    channels: Annotated[tuple[OwnChannel, ...], Field(min_length=1, max_length=3)]
    fallback: Annotated[tuple[ChannelName, ...], Field(max_length=5)]
    urgent_minutes: Annotated[int, Field(strict=True, ge=0, le=WEEK_MINUTES)]
    digest_at: Clock | None = None
    quiet_from: Clock
    quiet_until: Clock
    asks_for_results: StrictBool = Field(
        description="Whether who met is asked afterwards, in waves, what came of it."
    )

    def rules(self) -> Rules:
        """Give the rules."""
        return Rules(
            channels=self.channels,
            fallback=self.fallback,
            urgent=self.urgent_minutes * MINUTE,
            digest_at=self.digest_at,
            quiet_from=self.quiet_from,
            quiet_until=self.quiet_until,
            asks_for_results=self.asks_for_results,
        )

    @classmethod
    def of(cls, rules: Rules) -> Self:
        """Write rules as a body."""
        return cls.model_construct(
            channels=rules.channels,
            fallback=rules.fallback,
            urgent_minutes=rules.urgent // MINUTE,
            digest_at=rules.digest_at,
            quiet_from=rules.quiet_from,
            quiet_until=rules.quiet_until,
            asks_for_results=rules.asks_for_results,
        )


class TemplateBody(Body):
    """A mail in one language, with places such as `{name}` in it."""

    subject: Annotated[str, Field(min_length=1, max_length=TEMPLATE_SUBJECT_LENGTH_MAX)]
    body: Annotated[str, Field(min_length=1)]

    def template(self) -> Template:
        """Give the template, its lines as we end them."""
        return Template(self.subject, "\n".join(self.body.splitlines()))


class TemplatesBody(Body):
    """A mail in both languages."""

    en: TemplateBody
    zh: TemplateBody

    def texts(self) -> Texts:
        """Give the mail."""
        return {"en": self.en.template(), "zh": self.zh.template()}


class TextsBody(Body):
    """A text in both languages."""

    en: Annotated[str, Field(min_length=1, max_length=BODY_LENGTH_MAX)]
    zh: Annotated[str, Field(min_length=1, max_length=BODY_LENGTH_MAX)]

    def texts(self) -> Bilingual:
        """Give the text."""
        return Bilingual(en=self.en, zh=self.zh)


class SubjectBody(TextsBody):
    """A subject in both languages."""

    en: Annotated[str, Field(min_length=1, max_length=SUBJECT_LENGTH_MAX)]
    zh: Annotated[str, Field(min_length=1, max_length=SUBJECT_LENGTH_MAX)]


class AnnouncementBody(Body):
    """What is written to everybody with a meeting at a stop, or to some of them."""

    stop_id: UUID
    subject: SubjectBody
    body: TextsBody
    side: Side | None = None
    organization: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="A part of a company's name, in either script."
    )
    to_group: StrictBool = Field(default=False, description="Tell the stop's WeCom group as well.")

    def announcement(self, id_: UUID, mission_id: UUID) -> Announcement:
        """Give the announcement."""
        return Announcement(
            id=id_,
            mission_id=mission_id,
            stop_id=self.stop_id,
            subject=self.subject.texts(),
            body=self.body.texts(),
            side=self.side,
            organization=self.organization,
        )
