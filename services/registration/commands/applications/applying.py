"""Applying: a company drafts, saves, signs and submits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.registration.commands.applications import calls
from services.registration.commands.applications.telling import tell
from services.registration.domain.applications import (
    CERTIFICATIONS,
    EDITABLE,
    SIGNABLE,
    Action,
    Actor,
    Status,
    decided,
)
from services.registration.domain.applying import (
    Content,
    Signature,
    check_complete,
    check_known,
    check_published,
    check_signed,
    missing,
    named,
    outdated,
    unsigned,
)
from services.registration.domain.people import Person
from services.registration.store import applications as store
from services.registration.store import calls as call_store
from services.registration.store import people
from shared.errors import Conflict, Fault, NotFound, Stale
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database

CONSENT_VERSION = "2026-11"
"""Of the words that whoever begins an application agrees to."""

Row = asyncpg.Record


async def existing(connection: Connection, application_id: UUID) -> Row:
    """Read an application; raises `NotFound`."""
    row = await store.one(connection, application_id)
    if row is None:
        raise NotFound("There is no such application.")
    return row


async def locked(connection: Connection, application_id: UUID, revision: int | None = None) -> Row:
    """Read an application once its mission's call is locked; raises `NotFound` and `Stale`."""
    found = await existing(connection, application_id)
    await call_store.lock(connection, found["mission_id"])
    found = await existing(connection, application_id)
    if revision is not None and found["revision"] != revision:
        raise Stale("The application has changed since you read it.")
    return found


async def start(
    database: Database,
    mission_id: UUID,
    person: Person,
    company: str,
    key: Key,
    now: datetime,
) -> Answer:
    """Begin an application; its contact is told where to go on.

    Answers 201, or 202 with no id where the address is on file: whoever typed it has not shown
    that it is theirs. Raises `Conflict` when no applications are taken.
    """

    async def effect(connection: Connection) -> Answer:
        call = await calls.existing(connection, mission_id)
        call.terms.check_open(now)
        check_published(call.versions)
        contact_id = new_id()
        if not await people.add_person(
            connection, person, id=contact_id, mission_id=mission_id, role="applicant"
        ):
            return Answer({"status": "sent_if_known"}, status=202)
        await people.add_consent(
            connection,
            contact_id,
            purpose="application",
            text_version=CONSENT_VERSION,
            language=person.language,
            granted_at=now,
        )
        nothing = named(company, call.mission["home_country"])
        application_id = new_id()
        await store.add(
            connection,
            {
                "id": application_id,
                "mission_id": mission_id,
                "contact_id": contact_id,
                "content": Content(nothing, {}, {}).stored(),
                "language": person.language,
            },
            now,
        )
        await tell(connection, await existing(connection, application_id), 1, now)
        content = {"id": str(application_id), "status": "draft", "contact_id": str(contact_id)}
        return Answer(content)

    return await once(database, key, effect)


async def save(
    database: Database,
    application_id: UUID,
    content: Content,
    person: Person,
    revision: int,
    now: datetime,
) -> int:
    """Save what a company wrote and give the new revision; a submitted one must stay complete.

    Raises `NotFound`, `Stale`, `Invalid`, and `Conflict` when it can be changed no more.
    """
    async with database.transaction() as connection:
        row = await locked(connection, application_id, revision)
        call = await calls.existing(connection, row["mission_id"])
        if Status(row["status"]) not in EDITABLE:
            raise Conflict("This application can be changed no more.", code="illegal_state")
        call.terms.check_open(now)
        check_known(content, call.asked)
        organization_id = None
        if row["status"] != Status.DRAFT:
            check_complete(content, call.asked)
            organization_id = await _organization(connection, row, content)
        await store.save_contact(connection, row["contact_id"], person)
        return await store.save(connection, application_id, content.stored(), organization_id, now)


async def submit(
    database: Database,
    application_id: UUID,
    signature: Signature,
    revision: int,
    now: datetime,
) -> int:
    """Submit a draft with its signed certifications and give the new revision.

    Raises `NotFound`, `Stale`, `Invalid`, and `Conflict` when the time is over or a text changed.
    """
    async with database.transaction() as connection:
        row = await locked(connection, application_id, revision)
        call = await calls.existing(connection, row["mission_id"])
        status = decided(Status(row["status"]), Action.SUBMIT, Actor.APPLICANT)
        call.terms.check_open(now)
        content = Content.read(row["content"])
        check_complete(content, call.asked)
        check_signed(signature, call.versions)
        organization_id = await _organization(connection, row, content)
        await store.save(connection, application_id, row["content"], organization_id, now)
        await _attest(connection, row, signature, CERTIFICATIONS, now)
        revision = await store.move(connection, application_id, status, now)
        await store.add_step(
            connection,
            application_id,
            (Action.SUBMIT, status, Actor.APPLICANT),
            (row["contact_id"], None),
            now,
        )
        await tell(connection, await existing(connection, application_id), revision, now)
    return revision


async def lacking(
    database: Database, application_id: UUID, signed: Collection[str]
) -> Sequence[Fault]:
    """List all that a submission lacks, of what was saved and of the texts that are `signed`."""
    async with database.reading() as connection:
        row = await existing(connection, application_id)
        call = await calls.existing(connection, row["mission_id"])
    return [*missing(Content.read(row["content"]), call.asked), *unsigned(signed)]


async def sign_again(
    database: Database,
    application_id: UUID,
    signature: Signature,
    revision: int,
    now: datetime,
) -> int:
    """Sign the texts that changed since they were signed, and give the revision.

    What was signed before stays. Raises `NotFound`, `Stale`, `Invalid`, and `Conflict` when the
    state does not ask for it or a text has changed once more.
    """
    async with database.transaction() as connection:
        row = await locked(connection, application_id, revision)
        if Status(row["status"]) not in SIGNABLE:
            raise Conflict("Nothing is to be signed here.", code="illegal_state")
        call = await calls.existing(connection, row["mission_id"])
        codes = outdated(await store.signed_versions(connection, application_id), call.versions)
        if not codes:
            return revision
        check_signed(signature, call.versions, codes)
        await _attest(connection, row, signature, codes, now)
        return await store.save(connection, application_id, row["content"], None, now)


async def _attest(
    connection: Connection,
    row: Row,
    signature: Signature,
    codes: Sequence[str],
    now: datetime,
) -> None:
    facts = {
        "language": signature.language,
        "signer_name": signature.signer_name,
        "signer_title": signature.signer_title,
        "disclosure": signature.disclosure,
        "signed_at": now,
    }
    signed = [(code, signature.signed[code]) for code in codes]
    await store.add_attestations(connection, row, signed, facts)


async def _organization(connection: Connection, row: Row, content: Content) -> UUID:
    """Find the company by what identifies it, or add it."""
    organization_id, _ = await people.organization_id(
        connection, row["mission_id"], content.company, new_id()
    )
    return organization_id
