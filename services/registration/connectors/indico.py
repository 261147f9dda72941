"""Indico (https://docs.getindico.io): one registration form of an event, by the check-in API.

The API is the one of Indico's own check-in app, with a token of the scope `registrants`; written
against 3.3 (`indico/modules/events/registration/controllers/api/checkin.py`). It lists everybody
and says what each registration holds one by one; nothing in it can end a registration.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field as Limited
from pydantic import JsonValue

from services.registration.connectors.asking import Asking, Failed, There
from services.registration.connectors.place import Address
from services.registration.connectors.port import Connector, Kind
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

PAGE = 25
ENDED = ("rejected", "withdrawn")

Number = Annotated[int, Limited(ge=1, lt=2**31)]


class Place(Body):
    """A registration form of Indico."""

    address: Address
    event_id: Number
    form_id: Number


class _Field(There):
    id: int
    title: str
    input_type: str
    data: JsonValue = None
    choices: list[dict[str, Any]] = Limited(default_factory=list)


class _Section(There):
    fields: list[_Field]


class _Registration(There):
    id: int
    full_name: str
    email: str
    state: str
    checked_in: bool
    checked_in_dt: datetime | None = None
    registration_date: datetime
    registration_data: list[_Section] = Limited(default_factory=list)


class _Form(There):
    id: int
    title: str


class Indico:
    """One registration form of one Indico."""

    def __init__(self, place: Place, asking: Asking) -> None:
        self._form = f"/api/checkin/event/{place.event_id}/forms/{place.form_id}"
        self._asking = asking

    async def vocabulary(self) -> Vocabulary:
        """Name the form, and what its newest registration is asked; a form says it nowhere else."""
        form = await self._asking.get(_Form, f"{self._form}/")
        everybody = await self._everybody()
        fields = [Field(key, label) for key, label in FIELDS.items()]
        if everybody:
            newest = await self._read(everybody[-1].id)
            fields += [
                Field(_key(one), one.title, tuple(_captions(one).values()))
                for one in _fields(newest)
            ]
        return Vocabulary([Field(str(form.id), form.title)], fields)

    async def changes(self, cursor: Cursor) -> Page:
        """Read everybody, by id, some at a time: Indico does not say who has changed."""
        after = int(cursor.get("after", 0))
        coming = [one for one in await self._everybody() if one.id > after]
        read = [await self.one({"id": one.id}) for one in coming[:PAGE]]
        records = [record for record in read if record is not None]
        if len(coming) <= PAGE:
            return Page(records, {}, is_last=True)
        return Page(records, {"after": coming[PAGE - 1].id}, is_last=False)

    async def _everybody(self) -> list[_Registration]:
        found = await self._asking.get(list[_Registration], f"{self._form}/registrations/")
        return sorted(found, key=lambda one: one.id)

    async def _read(self, number: int) -> _Registration:
        return await self._asking.get(_Registration, f"{self._form}/registrations/{number}")

    async def one(self, handle: Mapping[str, Any]) -> Record | None:
        """Read a registration with what its form was answered."""
        try:
            return record_of(self._form, await self._read(handle["id"]))
        except Failed as failed:
            if failed.code == "not_found":
                return None
            raise

    async def push(
        self, what: Push, handle: Mapping[str, Any], at: datetime | None, nonce: str
    ) -> None:
        """Note a check-in; Indico takes the time of the call."""
        del at, nonce
        if what is not Push.CHECK_IN:
            raise Failed("refused")
        path = f"{self._form}/registrations/{handle['id']}"
        await self._asking.send("PATCH", path, {"checked_in": True})


FIELDS = {"full_name": "Full name", "email": "E-mail"}
"""What every registration says."""


def record_of(form: str, one: _Registration) -> Record:
    """Give a registration in our terms."""
    values = {"full_name": one.full_name, "email": one.email}
    values |= {_key(field): _text(field) for field in _fields(one)}
    return Record(
        id=str(one.id),
        handle={"id": one.id},
        product=form.rpartition("/")[2],
        has_ended=one.state in ENDED,
        arrived_at=(one.checked_in_dt or one.registration_date) if one.checked_in else None,
        values=said(values),
    )


def _fields(one: _Registration) -> list[_Field]:
    return [field for section in one.registration_data for field in section.fields]


def _key(field: _Field) -> str:
    return f"field.{field.id}"


def _captions(field: _Field) -> dict[str, str]:
    return {str(one["id"]): str(one["caption"]) for one in field.choices if "id" in one}


def _text(field: _Field) -> str:
    """Write what a field was answered; choices come as ids, each with how many."""
    if isinstance(field.data, dict):
        names = _captions(field)
        return ",".join(names.get(one, one) for one, count in field.data.items() if count)
    return "" if field.data is None or isinstance(field.data, list) else str(field.data)


def _open(place: Mapping[str, Any], asking: Asking) -> Connector:
    return Indico(Place.model_validate(place), asking)


KIND = Kind(
    name="indico",
    place=Place,
    authorization="Bearer",
    defaults={"full_name": "full_name", "email": "email"},
    pushes=frozenset({Push.CHECK_IN}),
    every=timedelta(minutes=10),
    open=_open,
)
