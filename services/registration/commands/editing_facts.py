"""Editing facts: a person's own, and those of the company, which colleagues may share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg

from services.registration.commands.missions import existing_mission
from services.registration.domain.editing import Edit, Naming, is_other_company, renamed
from services.registration.domain.people import Organization, Person, SignUp, check, role_of
from services.registration.store import editing as store
from services.registration.store import people
from shared.access import Principal, Scope, may, require
from shared.errors import Conflict, Fault, Invalid, Stale
from shared.events.registration import Listing
from shared.ids import new_id
from shared.postgres import Connection

Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Editor:
    """Who edits, and whether he or she is the one who would approve."""

    who: Principal
    approves: bool


@dataclass(slots=True)
class Changed:
    """What an edit changed."""

    parts: list[str] = field(default_factory=list)
    is_material: bool = False
    is_respelled: bool = False
    """Whether a slip in the name was put right: once, or letter by letter it is another name."""
    is_told: bool = False
    """Whether something changed that others were told when the registration was confirmed."""
    also: Sequence[UUID] = ()
    """Colleagues whose company's facts changed."""


async def change_facts(
    connection: Connection, person: Row, change: Edit, editor: Editor
) -> Changed:
    """Change the person and the company; raises `Conflict` or `Invalid`."""
    changed = Changed()
    before = company_of(await store.organization(connection, person["organization_id"], lock=True))
    mission = await existing_mission(connection, person["mission_id"])
    _check(person, before, change, mission["sectors"])
    if change.side is not None and role_of(change.side) != person["role"]:
        await store.put_role(connection, person["id"], role_of(change.side))
        changed.parts.append("side")
        changed.is_material = changed.is_told = True
    if change.person is not None:
        await _person(connection, person, change.person, changed, editor)
    if change.organization is not None and change.organization != before:
        changed.is_material |= is_other_company(before, change.organization)
        await _organization(connection, person, change.organization, changed, editor)
    if change.listings is not None:
        await _listings(connection, person, change.listings, changed, editor)
    return changed


def _check(person: Row, company: Organization, change: Edit, sectors: Sequence[str]) -> None:
    """Check as for a registration; raises `Invalid`."""
    sign_up = SignUp(
        side=change.side or ("delegation" if person["role"] == "delegate" else "local"),
        source="self",
        partner_id=None,
        organization=change.organization or company,
        person=change.person or person_of(person),
        listings=change.listings or (),
    )
    check(sign_up, sectors)


async def _person(
    connection: Connection, before: Row, after: Person, changed: Changed, editor: Editor
) -> None:
    after = replace(after, email=after.email or before["email"])
    if after == person_of(before):
        return
    if after.email != before["email"] and not editor.approves:
        detail = "The address is what this person signs in by; the organiser changes it."
        raise Invalid("The address stays.", faults=[Fault("/person/email", detail)])
    try:
        async with connection.transaction():
            await store.put_person(connection, before["id"], after)
    except asyncpg.UniqueViolationError:
        raise Conflict("Somebody has this e-mail address already.", code="email_in_use") from None
    changed.parts.append("person")
    naming = renamed(person_of(before), after)
    changed.is_respelled = naming is Naming.RESPELLED
    changed.is_material |= naming is Naming.OTHER
    changed.is_told |= list(after.languages) != list(before["languages"])


async def _organization(
    connection: Connection, person: Row, after: Organization, changed: Changed, editor: Editor
) -> None:
    """Change the company's facts, or let the person belong to another one.

    What several share is not changed by one of them: anybody may say to be of a company.
    """
    own_id = person["organization_id"]
    own = await store.organization(connection, own_id)
    others = await store.colleagues(connection, own_id, person["id"])
    changed.parts.append("organization")
    changed.is_told = True
    if after.identity == own["identity"]:
        if others and not editor.approves:
            raise Conflict(
                "Others are registered for this company; the organiser changes what they share.",
                code="company_is_shared",
            )
        await store.put_organization(connection, own_id, after)
        changed.also = others
        return
    found = await store.find_organization(connection, person["mission_id"], after.identity)
    if found is not None:
        await store.move(connection, person["id"], found)
    elif others:
        added_id, _ = await people.organization_id(
            connection, person["mission_id"], after, new_id()
        )
        await store.copy_listings(connection, own_id, added_id)
        await store.move(connection, person["id"], added_id)
    else:
        try:
            await store.put_organization(connection, own_id, after)
        except asyncpg.UniqueViolationError:
            raise Stale("Somebody has just registered for this company.") from None


async def _listings(
    connection: Connection,
    person: Row,
    after: tuple[Listing, ...],
    changed: Changed,
    editor: Editor,
) -> None:
    own_id = (await store.lock_person(connection, person["id"]))["organization_id"]
    if after == await people.listings_of(connection, own_id):
        return
    others = await store.colleagues(connection, own_id, person["id"])
    if others and not editor.approves:
        raise Conflict(
            "Others are registered for this company; the organiser changes what they share.",
            code="company_is_shared",
        )
    await store.delete_listings(connection, own_id)
    await people.add_listings(connection, own_id, after)
    changed.parts.append("listings")
    changed.is_told = True
    changed.also = [*changed.also, *(one for one in others if one not in changed.also)]


def company_of(row: Row) -> Organization:
    """Give the domain's value."""
    names = ("name", "native_name", "country", "registration_number")
    return Organization(
        **{name: row[name] for name in names}, sectors=tuple(row["sectors"]), size=row["size"]
    )


def person_of(row: Row) -> Person:
    """Give the domain's value."""
    names = ("full_name", "native_name", "latin_name", "email", "language", "position")
    return Person(**{name: row[name] for name in names}, languages=tuple(row["languages"]))


def scope_of(row: Row) -> Scope:
    """Say what an action on this registration touches.

    A partner may register whose address it knows; that alone opens nobody's facts to it.
    """
    has_brought = row["partner_id"] == row["person_partner_id"]
    return Scope(
        mission_id=row["mission_id"],
        stop_id=row["stop_id"],
        person_ids=(row["person_id"],),
        partner_id=row["partner_id"] if has_brought else None,
    )


def editor_of(who: Principal, row: Row) -> Editor:
    """Say as whom somebody edits this registration; raises `Forbidden`."""
    scope = scope_of(row)
    require(who, "registration.edit", scope)
    return Editor(who, approves=may(who, "registration.decide", scope))
