"""Consents: what people are asked to agree to, in which version, and what taking it back means."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from shared.errors import Conflict, Fault, Invalid
from shared.events.base import Bilingual

Basis = Literal["consent", "other"]

REQUIRED_PURPOSE = "share_profile_with_the_other_side"
CROSS_BORDER_PURPOSE = "cross_border_transfer"
FIRST_VERSION = "2026-11"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is given the data."""

    name: Bilingual
    contact: str
    country: str

    def content(self) -> dict[str, Any]:
        """Write it as JSON holds it."""
        return {
            "name": self.name.model_dump(),
            "contact": self.contact,
            "country": self.country,
        }


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One version of what is agreed to for one purpose.

    `method`, `categories` and `rights` are what a person must be told before data leave the
    country (PIPL, article 39), beside the recipients and the purpose, which is the text.
    """

    purpose: str
    version: str
    title: Bilingual
    text: Bilingual
    recipients: tuple[Recipient, ...] = ()
    is_required: bool = False
    is_cross_border: bool = False
    method: Bilingual | None = None
    categories: Bilingual | None = None
    rights: Bilingual | None = None

    def content(self) -> dict[str, Any]:
        """Write what a version says as JSON holds it."""
        return {
            "title": self.title.model_dump(),
            "text": self.text.model_dump(),
            "recipients": [recipient.content() for recipient in self.recipients],
            "method": self.method and self.method.model_dump(),
            "categories": self.categories and self.categories.model_dump(),
            "rights": self.rights and self.rights.model_dump(),
        }

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "ConsentText":
        """Read a stored version."""
        content = row["content"]
        return cls(
            purpose=row["purpose"],
            version=row["version"],
            title=Bilingual(**content["title"]),
            text=Bilingual(**content["text"]),
            recipients=tuple(
                Recipient(Bilingual(**one["name"]), one["contact"], one["country"])
                for one in content["recipients"]
            ),
            is_required=row["is_required"],
            is_cross_border=row["is_cross_border"],
            method=_maybe(content["method"]),
            categories=_maybe(content["categories"]),
            rights=_maybe(content["rights"]),
        )


def _maybe(text: Mapping[str, str] | None) -> Bilingual | None:
    return Bilingual(**text) if text else None


DEFAULTS: tuple[ConsentText, ...] = (
    ConsentText(
        purpose=REQUIRED_PURPOSE,
        version=FIRST_VERSION,
        title=Bilingual(en="Show my profile to the other side", zh="向对方展示我的资料"),
        text=Bilingual(
            en="I agree that my name, position, company and what I wrote about it are shown to "
            "the companies of the other side and to the organizers of this mission, and are used "
            "for this mission only.",
            zh="我同意：仅为本次活动之目的，向对方企业及本次活动的主办方"
            "提供并展示我的姓名、职务、单位及所填单位信息。",
        ),
        is_required=True,
    ),
    ConsentText(
        purpose=CROSS_BORDER_PURPOSE,
        version=FIRST_VERSION,
        title=Bilingual(en="Send my data across the border", zh="向境外提供我的个人信息"),
        text=Bilingual(
            en="I separately agree that my personal data are made available outside the country "
            "where I gave them, so that companies of the other side can prepare our meetings and "
            "address me by name.",
            zh="我单独同意：为便于对方企业准备洽谈并以姓名称呼我，"
            "可向我提供信息所在国境外提供我的个人信息。",
        ),
        is_cross_border=True,
        method=Bilingual(
            en="Shown on this site's personal pages to those I may meet; not sold, not published.",
            zh="仅在本网站的个人页面上向可能与我洽谈的人员展示；不出售、不公开。",
        ),
        categories=Bilingual(
            en="Name in both scripts, position, company, languages. No passport or ID number, "
            "no address, no photograph.",
            zh="中外文姓名、职务、单位、语言。不含护照或身份证号码、住址及照片。",
        ),
        rights=Bilingual(
            en="See, copy, take back or erase them at any time on the page “My privacy”; or write "
            "to the recipient or the organizer.",
            zh="可随时在“我的隐私”页面查阅、复制、撤回或删除，也可联系接收方或主办方。",
        ),
    ),
)
"""What is asked where a mission has no texts of its own. A changed text needs a new version."""


def defaults(organizer: Bilingual | None, country: str) -> tuple[ConsentText, ...]:
    """Give the usual texts with a mission's organizer, of a country, as the recipient."""
    contact = "/my/privacy"
    who = organizer or Bilingual(en="The organizer of this mission", zh="本次活动主办方")
    named = Recipient(who, contact, country)
    companies = Recipient(
        Bilingual(en="The travelling companies that I may meet", zh="可能与我洽谈的来访企业"),
        contact,
        country,
    )
    return tuple(replace(text, recipients=(named, companies)) for text in DEFAULTS)


def check_text(text: ConsentText) -> None:
    """Check a new version; raises `Invalid` and names every field.

    For data that leave the country a person is told who gets them, how to reach whom, the method,
    the categories and the rights, and is free to say no.
    """
    faults = []
    if text.is_cross_border:
        if text.is_required:
            faults.append(
                Fault("/is_required", "Consent to data leaving the country is separate and free.")
            )
        if not text.recipients:
            faults.append(Fault("/recipients", "Name who gets the data, and how to reach them."))
        faults += [
            Fault(f"/{name}", "People must be told this before data leave the country.")
            for name in ("method", "categories", "rights")
            if getattr(text, name) is None
        ]
    if text.purpose == REQUIRED_PURPOSE and not text.is_required:
        faults.append(Fault("/is_required", "No meeting can be arranged without this purpose."))
    if faults:
        raise Invalid("Some fields are missing or wrong.", faults=faults)


def in_force(
    stored: Sequence[ConsentText], usual: Sequence[ConsentText]
) -> tuple[ConsentText, ...]:
    """Give the texts in force: a mission's own instead of the usual one; what is required first."""
    found = {text.purpose: text for text in (*usual, *stored)}
    return tuple(sorted(found.values(), key=lambda text: (not text.is_required, text.purpose)))


def check_purposes(given: Sequence[str], known: Collection[str]) -> None:
    """Check that what was agreed to was asked; raises `Invalid` and names every field."""
    faults = [
        Fault(f"/consents/{place}", f"The mission asks for no consent to `{purpose}`.")
        for place, purpose in enumerate(given)
        if purpose not in known
    ]
    if faults:
        raise Invalid("Some fields are wrong.", faults=faults)


def check_version(text: ConsentText, version: str) -> None:
    """Check that the text somebody read is still the one in force; raises `Conflict`."""
    if text.version != version:
        raise Conflict(
            f"This text has changed; the version in force is `{text.version}`.",
            code="consent_text_changed",
        )
