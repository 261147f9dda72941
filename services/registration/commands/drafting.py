"""Drafting: what a batch of registrations reads from the database, and what it will write there.

Everything is read in a few statements once the items are locked, changed in memory, and written in
a few statements: what is decided in between is what is true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.telling import News, Profile, organization_facts, tell_all
from services.registration.domain.companies import core
from services.registration.domain.line import Line, Seat, Terms
from services.registration.domain.names import company_text, search_text
from services.registration.domain.people import SignUp, role_of, same_address
from services.registration.domain.places import Status
from services.registration.store import consents, places, rush
from shared.idempotency import Key
from shared.ids import new_id
from shared.postgres import Connection

NAMED_AT_ONCE_MAX = 16

Pair = tuple[UUID, str]


@dataclass(slots=True)
class Entry:
    """One person for one programme item."""

    item_id: UUID
    sign_up: SignUp
    address: str = field(init=False)
    """The e-mail address in the form it is compared in."""
    identity: str = field(init=False)
    """What makes the organisation the same one again."""

    def __post_init__(self) -> None:
        self.address = same_address(self.sign_up.person.email)
        self.identity = self.sign_up.organization.identity


@dataclass(slots=True)
class Submission:
    """One request: a single registration, a group that comes together, or a list."""

    entries: tuple[Entry, ...]
    key: Key
    now: datetime
    correlation_id: str | None = None
    is_group: bool = False
    is_list: bool = False


@dataclass(slots=True)
class Item:
    """A programme item that is locked."""

    facts: asyncpg.Record
    mission_id: UUID
    line: Line
    terms: Terms


@dataclass(slots=True)
class Somebody:
    """A person on file, or (with a sign-up) one who will be added."""

    id: UUID
    role: str
    languages: Sequence[str]
    organization_id: UUID | None
    partner_id: UUID | None
    sign_up: SignUp | None = None
    version: int = 0
    """Of somebody new: how many events tell about him or her."""
    has_withdrawn: bool = False
    """Whether the consent that everybody needs was taken back."""


@dataclass(slots=True)
class Registered:
    """A registration on file or drafted."""

    id: UUID
    status: Status


@dataclass
class Draft:
    """What is on file, and what is to be added to it."""

    items: dict[UUID, Item] = field(default_factory=dict)
    partners: Mapping[UUID, UUID] = field(default_factory=dict)
    people: dict[Pair, Somebody] = field(default_factory=dict)
    organizations: dict[Pair, UUID] = field(default_factory=dict)
    registrations: dict[tuple[UUID, UUID], Registered] = field(default_factory=dict)
    new_people: list[tuple[UUID, str, Somebody]] = field(default_factory=list)
    new_organizations: list[tuple[Any, ...]] = field(default_factory=list)
    new_listings: list[tuple[Any, ...]] = field(default_factory=list)
    consent_versions: Mapping[UUID, consents.Versions] = field(default_factory=dict)
    new_consents: list[tuple[Any, ...]] = field(default_factory=list)
    renewed_consents: list[consents.Given] = field(default_factory=list)
    new_registrations: list[tuple[Any, ...]] = field(default_factory=list)
    revived: list[tuple[Any, ...]] = field(default_factory=list)
    profiles: dict[UUID, Profile] = field(default_factory=dict)
    news: list[News] = field(default_factory=list)

    @classmethod
    async def read(cls, connection: Connection, entries: Sequence[Entry]) -> "Draft":
        """Lock the items and read what is on file about the people."""
        draft = cls()
        rows = await places.locked_items(connection, {entry.item_id for entry in entries})
        missions = {row["id"]: row["mission_id"] for row in rows}
        named = (entry.sign_up.partner_id for entry in entries)
        partners = {partner_id for partner_id in named if partner_id is not None}
        held = await rush.conditions(connection, missions, set(missions.values()), partners)
        draft.partners, draft.consent_versions = held.partners, held.versions
        for row in rows:
            line = places.line_of(row, held.allotments[row["id"]])
            draft.items[row["id"]] = Item(row, row["mission_id"], line, places.terms_of(row))
        placed = [entry for entry in entries if entry.item_id in missions]
        wanted = [(missions[e.item_id], e.item_id, e.address, e.identity) for e in placed]
        for (mission_id, item_id, address, identity), row in zip(
            wanted, await rush.on_file(connection, wanted), strict=True
        ):
            if row["id"] is not None:
                draft.people[mission_id, address] = Somebody(
                    *(row["id"], row["role"], row["languages"]),
                    *(row["organization_id"], row["partner_id"]),
                    has_withdrawn=bool(row["has_withdrawn"]),
                )
            if row["registration_id"] is not None:
                known = Registered(row["registration_id"], Status(row["status"]))
                draft.registrations[item_id, row["id"]] = known
            if row["known_organization_id"] is not None:
                draft.organizations[mission_id, identity] = row["known_organization_id"]
        return draft

    def person(self, item: Item, entry: Entry) -> Somebody | None:
        """Find who has the entry's address."""
        return self.people.get((item.mission_id, entry.address))

    def registered(self, item: Item, entry: Entry) -> Registered | None:
        """Find the registration of who has the entry's address."""
        person = self.person(item, entry)
        return self.registrations.get((entry.item_id, person.id)) if person else None

    def register(
        self, one: Submission, entry: Entry, seat: Seat | None, group_id: UUID | None = None
    ) -> tuple[Registered, Somebody, bool]:
        """Draft a registration, and the person if need be; says whether he or she is new."""
        item, sign_up = self.items[entry.item_id], entry.sign_up
        known_person = self.person(item, entry)
        person = known_person or self._add_person(item, entry)
        versions, language = self.consent_versions[item.mission_id], sign_up.person.language
        # Who is known may have taken back what is asked for anew; the rest is for the own page,
        # as whoever types an address has not shown that it is theirs.
        asked = () if known_person else sign_up.consents
        given = consents.signed_up(person.id, asked, versions, language, one.now)
        if known_person:
            self.renewed_consents += given
        else:
            self.new_consents += given
        known = self.registrations.get((entry.item_id, person.id))
        status, hold_until = item.terms.newcomer(one.now) if seat else (Status.WAITLISTED, None)
        registered = Registered(known.id if known else new_id(), status)
        self.registrations[entry.item_id, person.id] = registered
        row = (
            *(registered.id, entry.item_id, person.id, status, sign_up.source, sign_up.partner_id),
            *(one.now, seat.allotment_id if seat else None, group_id, hold_until, sign_up.answers),
        )
        (self.revived if known else self.new_registrations).append(row)
        self._tell(one, item, person, registered, hold_until)
        return registered, person, known_person is None

    def _add_person(self, item: Item, entry: Entry) -> Somebody:
        sign_up = entry.sign_up
        organization_id = self._organization(item.mission_id, entry)
        role, languages = role_of(sign_up.side), sign_up.person.languages
        person = Somebody(new_id(), role, languages, organization_id, sign_up.partner_id, sign_up)
        self.people[item.mission_id, entry.address] = person
        self.new_people.append((item.mission_id, entry.address, person))
        return person

    def _organization(self, mission_id: UUID, entry: Entry) -> UUID:
        given, listings = entry.sign_up.organization, entry.sign_up.listings
        pair = (mission_id, entry.identity)
        if pair in self.organizations:
            return self.organizations[pair]
        added_id = self.organizations[pair] = new_id()
        sectors = list(given.sectors)
        self.new_organizations.append(
            (
                *(added_id, mission_id, entry.identity, given.name, given.native_name),
                *(given.country, given.registration_number, sectors, given.size),
            )
        )
        self.new_listings += [
            (added_id, one.kind, one.sector, one.text.model_dump()) for one in listings
        ]
        facts = organization_facts(
            added_id,
            name=given.name,
            native_name=given.native_name,
            country=given.country,
            sectors=given.sectors,
            size=given.size,
        )
        self.profiles[added_id] = (facts, listings)
        return added_id

    def _tell(
        self,
        one: Submission,
        item: Item,
        person: Somebody,
        registered: Registered,
        hold_until: datetime | None,
    ) -> None:
        if person.sign_up is not None:
            person.version += 1
        registration = {
            "id": registered.id,
            "programme_item_id": item.facts["id"],
            "stop_id": item.facts["stop_id"],
            "item_kind": item.facts["kind"],
            "mission_id": item.mission_id,
            "person_id": person.id,
            "role": person.role,
            "languages": person.languages,
            "organization_id": person.organization_id,
            "person_partner_id": person.partner_id,
        }
        sequence, correlation_id = person.version or None, one.correlation_id
        self.news.append(
            News(registration, registered.status, hold_until, sequence, correlation_id)
        )

    async def write(self, connection: Connection, now: datetime) -> None:
        """Write what was drafted."""
        if not self.news:
            return
        # In a rush, who came is found by name a moment later: see `naming`.
        is_quiet = len(self.new_people) <= NAMED_AT_ONCE_MAX
        organizations = [
            (*row, *(_company_words(row) if is_quiet else ("", "")))
            for row in self.new_organizations
        ]
        new_people = [
            (*_row(mission_id, address, person), _words(person) if is_quiet else "")
            for mission_id, address, person in self.new_people
        ]
        await rush.add(connection, rush.ORGANIZATION, organizations)
        await rush.add(connection, rush.LISTING, self.new_listings)
        await rush.add(connection, rush.PERSON, new_people)
        await rush.add(connection, rush.REGISTRATION, self.new_registrations)
        if self.revived:
            await rush.revive(connection, self.revived)
        await rush.add(connection, rush.CONSENT, self.new_consents)
        await consents.give_all(connection, self.renewed_consents)
        await places.save(connection, [(id_, item.line) for id_, item in self.items.items()], now)

    async def tell(self, connection: Connection, now: datetime, *, is_last: bool) -> None:
        """Announce what was written; `is_last`: nothing else is done before the commit."""
        if self.news:
            await tell_all(connection, self.news, now, self.profiles, is_last=is_last)


def _words(person: Somebody) -> str:
    assert person.sign_up is not None
    given, company = person.sign_up.person, person.sign_up.organization
    names = (given.full_name, given.native_name, given.latin_name)
    return search_text(*names, company.name, company.native_name)


def _company_words(row: Sequence[Any]) -> tuple[str, str]:
    name, native_name = row[3], row[4]
    return company_text(name, native_name), core(name, native_name)


def _row(mission_id: UUID, address: str, person: Somebody) -> tuple[Any, ...]:
    assert person.sign_up is not None
    given = person.sign_up.person
    return (
        *(person.id, mission_id, person.role, address, given.full_name),
        *(given.native_name, given.latin_name, given.language, list(given.languages)),
        *(given.position, person.organization_id, person.partner_id, person.version),
    )
