"""pretix (https://docs.pretix.eu/dev/api/): orders and their positions, check-in lists, questions.

A position is a person's registration; one that is an add-on to another is the same person's to
something else. Written against 2026.8.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field as Limited
from pydantic import ValidationError

from services.registration.connectors.asking import Asking, Failed, There, read
from services.registration.connectors.place import Address
from services.registration.connectors.port import Connector, Kind
from services.registration.connectors.pretix_shapes import (
    AllNamed,
    Invoice,
    Named,
    Order,
    Orders,
    Position,
    Slug,
)
from services.registration.domain.connecting import (
    Cursor,
    Field,
    Page,
    Push,
    Record,
    Vocabulary,
    said,
)
from shared.http import Body

PAGE = 50
OVERLAP = timedelta(minutes=5)
"""An order is seen when its transaction commits, but its time is of before."""
PAGES_MAX = 20
ENDED = ("c", "e")


class Place(Body):
    """An event of pretix."""

    address: Address
    organizer: Slug
    event: Slug
    check_in_list: Annotated[int, Limited(ge=1, lt=2**63)] | None = None
    """The list on which our check-ins are noted."""


class Pretix:
    """One event of one pretix."""

    def __init__(self, place: Place, asking: Asking) -> None:
        self._place = place
        self._asking = asking
        self._event = f"/api/v1/organizers/{place.organizer}/events/{place.event}"

    async def vocabulary(self) -> Vocabulary:
        """List the products, what a position says by itself, and the questions."""
        products = await self._all("/items/")
        questions = await self._all("/questions/")
        return Vocabulary(
            products=[Field(str(one.id), _text(one.name)) for one in products],
            fields=[
                *(Field(key, label) for key, label in FIELDS.items()),
                *(
                    Field(
                        f"question.{one.identifier}",
                        _text(one.question),
                        tuple(_text(option.answer) for option in one.options),
                    )
                    for one in questions
                ),
            ],
        )

    async def _all(self, path: str) -> list[Named]:
        found: list[Named] = []
        for number in range(1, PAGES_MAX + 1):
            page = await self._asking.get(AllNamed, self._event + path, page=number, page_size=PAGE)
            found += page.results
            if page.next is None:
                break
        return found

    async def changes(self, cursor: Cursor) -> Page:
        """Read orders by the time they were last changed.

        The first page from a moment on, and then from the last one's on: page numbers alone would
        skip what moves up while they are turned.
        """
        after, number = cursor.get("after"), int(cursor.get("page", 1))
        params: dict[str, str | int] = {"ordering": "last_modified", "page_size": PAGE}
        params |= {"page": number, "include_canceled_positions": "true"}
        if after:
            params["modified_since"] = after
        found = await self._asking.get(Orders, f"{self._event}/orders/", **params)
        last = found.results[-1].last_modified if found.results else None
        records = [record for order in found.results for record in self._records(order)]
        if found.next is None:
            reached = last - OVERLAP if last else None
            if reached and after:
                reached = max(reached, datetime.fromisoformat(after))
            return Page(records, {"after": reached.isoformat() if reached else after}, is_last=True)
        assert last is not None
        moved = after is None or last > datetime.fromisoformat(after)
        onwards = {"after": last.isoformat(), "page": 1}
        return Page(
            records, onwards if moved else {"after": after, "page": number + 1}, is_last=False
        )

    async def one(self, handle: Mapping[str, Any]) -> Record | None:
        """Read the order of a position."""
        order = await self._order(handle)
        if order is None:
            return None
        return next((one for one in self._records(order) if one.handle == handle), None)

    async def _order(self, handle: Mapping[str, Any]) -> Order | None:
        try:
            return await self._asking.get(
                Order,
                f"{self._event}/orders/{handle['order']}/",
                include_canceled_positions="true",
            )
        except Failed as failed:
            if failed.code == "not_found":
                return None
            raise

    def _records(self, order: Order) -> list[Record]:
        return [_record(order, one, self._place.check_in_list) for one in order.positions]

    async def push(
        self, what: Push, handle: Mapping[str, Any], at: datetime | None, nonce: str
    ) -> None:
        """Redeem a ticket on the check-in list, or cancel it."""
        if what is Push.CHECK_IN:
            await self._redeem(handle, at, nonce)
        else:
            await self._cancel(handle)

    async def _redeem(self, handle: Mapping[str, Any], at: datetime | None, nonce: str) -> None:
        number = self._place.check_in_list
        if number is None:
            raise Failed("refused")
        body: dict[str, Any] = {"nonce": nonce, "questions_supported": False, "force": True}
        # Who was let in here is in, whatever is unpaid or unanswered there.
        body |= {"ignore_unpaid": True, "datetime": at.isoformat() if at else None}
        path = f"{self._event}/checkinlists/{number}/positions/{handle['position']}/redeem/"
        await self._asking.send("POST", path, body)

    async def _cancel(self, handle: Mapping[str, Any]) -> None:
        """Cancel the position, or the order when nobody else is in it."""
        order = await self._order(handle)
        if order is None or order.status in ENDED:
            return
        standing = {one.id for one in order.positions if not one.canceled}
        if handle["position"] not in standing:
            return
        mine = {
            one.id
            for one in order.positions
            if handle["position"] in (one.id, one.addon_to) and not one.canceled
        }
        if standing == mine:
            path = f"{self._event}/orders/{order.code}/mark_canceled/"
            await self._asking.send("POST", path, {"send_email": False})
        else:
            path = f"{self._event}/orderpositions/{handle['position']}/"
            await self._asking.send("DELETE", path)


FIELDS = {
    "attendee_name": "Attendee name",
    "email": "E-mail",
    "company": "Company",
    "country": "Country",
    "locale": "Language of the order",
}
"""What a position says without being asked."""


def _record(order: Order, position: Position, check_in_list: int | None) -> Record:
    """Give a position of an order as a registration."""
    # An add-on names nobody: it is for whom the ticket is.
    by_id = {one.id: one for one in order.positions}
    person = by_id.get(position.addon_to or 0, position)
    invoice = order.invoice_address or Invoice()
    values = {
        "attendee_name": person.attendee_name,
        "email": person.attendee_email or order.email,
        "company": person.company or invoice.company,
        "country": person.country or invoice.country,
        "locale": order.locale,
    }
    values |= {
        f"question.{one.question_identifier}": one.answer
        for one in [*person.answers, *position.answers]
    }
    arrived = [
        one.datetime
        for one in position.checkins
        if one.type == "entry" and check_in_list in (None, one.list)
    ]
    return Record(
        id=f"{order.code}-{position.positionid}",
        handle={"order": order.code, "position": position.id},
        product=str(position.item),
        has_ended=position.canceled or order.status in ENDED,
        arrived_at=min(arrived, default=None),
        values=said(values),
    )


def _text(texts: Mapping[str, str]) -> str:
    return texts.get("en") or next(iter(texts.values()), "")


def _open(place: Mapping[str, Any], asking: Asking) -> Connector:
    return Pretix(Place.model_validate(place), asking)


class _Call(There):
    organizer: str
    event: str


def _wakes(place: Mapping[str, Any], body: bytes) -> bool:
    """Read which event a call names; pretix signs nothing, so the secret is in the path."""
    try:
        call = read(_Call, body)
    except (Failed, ValidationError):
        return False
    return (call.organizer, call.event) == (place["organizer"], place["event"])


KIND = Kind(
    name="pretix",
    place=Place,
    authorization="Token",
    defaults={
        "full_name": "attendee_name",
        "email": "email",
        "company": "company",
        "country": "country",
        "language": "locale",
    },
    pushes=frozenset(Push),
    every=timedelta(minutes=1),
    open=_open,
    wakes=_wakes,
)
