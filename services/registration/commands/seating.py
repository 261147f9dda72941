"""Seating: many registrations in one transaction, first come first served."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.registration.commands.drafting import (
    Draft,
    Entry,
    Item,
    Registered,
    Somebody,
    Submission,
)
from services.registration.domain.consents import check_purposes
from services.registration.domain.line import Claim, Seat
from services.registration.domain.people import SignUp, check, role_of
from services.registration.domain.places import Status, is_open
from shared.errors import Conflict, Fault, Invalid, NotFound, Refusal
from shared.idempotency import Answer, Key, keep, recall
from shared.ids import new_id
from shared.postgres import Connection
from shared.problems import status_of

COMES_BACK = frozenset({Status.CANCELLED, Status.OFFER_EXPIRED})
"""Who left may register again, behind everybody who waits."""


async def seat_all(
    connection: Connection, submissions: Sequence[Submission]
) -> Sequence[Answer | Refusal]:
    """Answer submissions in their order; a refused one leaves nothing behind.

    Raises `asyncpg.UniqueViolationError` when another process added somebody meanwhile: the whole
    is then to be taken again.
    """
    before = await recall(connection, [one.key for one in submissions])
    return await seat(connection, submissions, before)


async def seat(
    connection: Connection,
    submissions: Sequence[Submission],
    before: Mapping[Key, Answer | Refusal | None],
    *,
    is_last: bool = False,
) -> Sequence[Answer | Refusal]:
    """Answer those that were not answered `before`, as `recall` says; else as `seat_all`.

    `is_last`: nothing else is done before the commit, so that events are numbered at once.
    """
    fresh = [one for one in submissions if before[one.key] is None]
    draft = await Draft.read(connection, [entry for one in fresh for entry in one.entries])
    decided = [_decided(draft, one) for one in fresh]
    now = max(one.now for one in submissions)
    await draft.write(connection, now)
    given = [
        (one.key, answer)
        for one, answer in zip(fresh, decided, strict=True)
        if isinstance(answer, Answer)
    ]
    if given:
        await keep(connection, given)
    await draft.tell(connection, now, is_last=is_last)
    new = iter(decided)
    return [before[one.key] or next(new) for one in submissions]


def _decided(draft: Draft, one: Submission) -> Answer | Refusal:
    try:
        if one.is_list:
            return _list(draft, one)
        return _group(draft, one) if one.is_group else _single(draft, one, one.entries[0])
    except Refusal as refusal:
        return refusal


def _single(draft: Draft, one: Submission, entry: Entry) -> Answer:
    """Register somebody; who is registered already is answered with that registration."""
    item = _checked(draft, entry, one.now)
    person, known = draft.person(item, entry), draft.registered(item, entry)
    if person is not None and known is not None and known.status not in COMES_BACK:
        return Answer(_content(item, known, entry, person) | {"is_new": False}, status=200)
    seats = item.line.admit([_claim(entry)])
    position = None if seats else item.line.wait(1)
    content = _register(draft, one, entry, seats[0] if seats else None)
    return Answer(content if position is None else content | {"position": position})


def _list(draft: Draft, one: Submission) -> Answer:
    """Register each by itself, and say what became of each."""
    return Answer({"results": [_result(draft, one, entry) for entry in one.entries]}, status=200)


def _result(draft: Draft, one: Submission, entry: Entry) -> dict[str, Any]:
    try:
        answer = _single(draft, one, entry)
    except Refusal as refusal:
        return refused(refusal)
    return {"status_code": answer.status, **answer.content}


def refused(refusal: Refusal) -> dict[str, Any]:
    """Tell a refusal as the result of one row of a list."""
    faults = [{"pointer": fault.pointer, "detail": fault.detail} for fault in refusal.faults]
    result = {"status_code": status_of(refusal), "code": refusal.code}
    return {**result, "detail": refusal.detail, "errors": faults}


def _group(draft: Draft, one: Submission) -> Answer:
    """Register all or none: with a place each, or waiting together."""
    items = [_checked_member(draft, one, place) for place in range(len(one.entries))]
    line, count = items[0].line, len(one.entries)
    seats = line.admit([_claim(entry) for entry in one.entries])
    content: dict[str, Any] = {} if seats else {"position": line.wait(count)}
    group_id = new_id()
    given: Sequence[Seat | None] = seats or [None] * count
    registrations = [
        _register(draft, one, entry, seat, group_id)
        for entry, seat in zip(one.entries, given, strict=True)
    ]
    return Answer({"group_id": str(group_id), "registrations": registrations, **content})


def _checked_member(draft: Draft, one: Submission, place: int) -> Item:
    entry = one.entries[place]
    try:
        item = _checked(draft, entry, one.now)
    except Invalid as refusal:
        faults = [Fault(f"/people/{place}{f.pointer}", f.detail) for f in refusal.faults]
        raise Invalid(refusal.detail, code=refusal.code, faults=faults) from None
    known = draft.registered(item, entry)
    is_twice = entry.address in {other.address for other in one.entries[:place]}
    if is_twice or (known is not None and known.status not in COMES_BACK):
        fault = Fault(f"/people/{place}/person/email", "This person is registered already.")
        raise Invalid("The group cannot be registered together.", faults=[fault])
    return item


def _checked(draft: Draft, entry: Entry, now: datetime) -> Item:
    """Check everything that can be wrong; nothing has been changed so far."""
    item, sign_up = draft.items.get(entry.item_id), entry.sign_up
    if item is None:
        raise NotFound("There is no such programme item.")
    if sign_up.source == "self":
        is_open(item.facts["opens_at"], item.facts["closes_at"], now)
    check(sign_up, item.facts["sectors"])
    check_purposes(sign_up.consents, draft.consent_versions[item.mission_id])
    if sign_up.partner_id and draft.partners.get(sign_up.partner_id) != item.mission_id:
        fault = Fault("/partner_id", "This is not a partner of this mission.")
        raise Invalid("The partner is wrong.", faults=[fault])
    person = draft.person(item, entry)
    if person is not None and person.role != role_of(sign_up.side):
        raise Conflict(
            "This e-mail address belongs to somebody with another role in this mission.",
            code="other_role",
        )
    if person is not None and person.has_withdrawn and sign_up.source == "self":
        _check_owner(person, sign_up)
    return item


def _check_owner(person: Somebody, sign_up: SignUp) -> None:
    """Nobody agrees again for somebody else by typing the address; raises `Conflict`."""
    if sign_up.by != person.id:
        detail = "Who took the consent back gives it again signed in."
        raise Conflict(detail, code="consent_withdrawn")


def _claim(entry: Entry) -> Claim:
    return Claim(entry.sign_up.partner_id, is_walk_in=entry.sign_up.source == "walk_in")


def _register(
    draft: Draft, one: Submission, entry: Entry, seat: Seat | None, group_id: UUID | None = None
) -> dict[str, Any]:
    registered, person, is_new = draft.register(one, entry, seat, group_id)
    content = _content(draft.items[entry.item_id], registered, entry, person)
    return content | {"is_new": is_new}


def _content(item: Item, registered: Registered, entry: Entry, person: Somebody) -> dict[str, Any]:
    return {
        "id": str(registered.id),
        "status": registered.status,
        "participant_id": str(person.id),
        "programme_item_id": str(entry.item_id),
        "mission_id": str(item.mission_id),
    }
