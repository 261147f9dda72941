"""What pretix answers, as far as we use it."""

from datetime import datetime
from typing import Annotated

from pydantic import Field as Limited
from pydantic import StringConstraints

from services.registration.connectors.asking import There

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class Answer(There):
    """What a question was answered."""

    question_identifier: str
    answer: str
    option_identifiers: list[str] = Limited(default_factory=list)


class CheckIn(There):
    """A scan of a ticket."""

    list: int
    type: str
    datetime: datetime


class Position(There):
    """A ticket of an order."""

    id: int
    positionid: int
    item: int
    attendee_name: str | None = None
    attendee_email: str | None = None
    company: str | None = None
    country: str | None = None
    addon_to: int | None = None
    canceled: bool = False
    answers: list[Answer] = Limited(default_factory=list)
    checkins: list[CheckIn] = Limited(default_factory=list)


class Invoice(There):
    """To whom an order is billed."""

    company: str = ""
    country: str = ""


class Order(There):
    """An order with its tickets."""

    code: Slug
    status: str
    email: str | None = None
    locale: str = "en"
    last_modified: datetime
    invoice_address: Invoice | None = None
    positions: list[Position]


class Orders(There):
    """A page of orders."""

    next: str | None
    results: list[Order]


class Named(There):
    """A product, a question or one of its options."""

    id: int = 0
    identifier: str | None = None
    name: dict[str, str] = Limited(default_factory=dict)
    question: dict[str, str] = Limited(default_factory=dict)
    answer: dict[str, str] = Limited(default_factory=dict)
    options: list["Named"] = Limited(default_factory=list)


class AllNamed(There):
    """A page of what has a name."""

    next: str | None
    results: list[Named]
