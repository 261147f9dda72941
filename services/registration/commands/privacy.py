"""Privacy: agreeing and taking it back, giving somebody all that is held, and forgetting it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from services.registration.commands import deciding
from services.registration.domain import consents as domain
from services.registration.domain.consents import Basis, ConsentText
from services.registration.domain.places import Decision
from services.registration.domain.retention import check_days
from services.registration.store import consents, people
from services.registration.store import privacy as store
from services.registration.store.elsewhere import Elsewhere
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, NotFound
from shared.events.base import Language
from shared.events.registration import ConsentGranted, ConsentRevoked, PersonErased
from shared.idempotency import Answer, once
from shared.log import outbox
from shared.postgres import Connection, Database

Row = store.Row
News = type[ConsentGranted] | type[ConsentRevoked] | type[PersonErased]


async def existing_person(connection: Connection, person_id: UUID, *, lock: bool = False) -> Row:
    """Read a person, erased or not; raises `NotFound`."""
    person = await store.person(connection, person_id, lock=lock)
    if person is None:
        raise NotFound("There is no such person.")
    return person


async def texts(connection: Connection, mission_id: UUID) -> tuple[ConsentText, ...]:
    """Read the texts in force in a mission, what is required first; raises `NotFound`."""
    found = await consents.texts_of(connection, [mission_id])
    if mission_id not in found:
        raise NotFound("There is no such mission.")
    return found[mission_id]


async def add_text(
    database: Database, mission_id: UUID, text: ConsentText, who: Principal, now: datetime
) -> ConsentText:
    """Put a new version of a text in force; raises `NotFound` or `Invalid`."""
    domain.check_text(text)
    async with database.transaction() as connection:
        await texts(connection, mission_id)
        version = await consents.add_text(connection, mission_id, text, now)
        await note(
            connection,
            who,
            "consent_text.added",
            subject_id=mission_id,
            mission_id=mission_id,
            details={"purpose": text.purpose, "version": version},
            now=now,
        )
    return replace(text, version=version)


async def set_privacy(
    database: Database,
    mission_id: UUID,
    basis: Basis,
    retention: dict[str, int],
    who: Principal,
    now: datetime,
) -> None:
    """Set how long a mission keeps things, and what data cross the border by; raises `Invalid`."""
    check_days(retention)
    async with database.transaction() as connection:
        await texts(connection, mission_id)
        await consents.put_setting(connection, mission_id, basis, retention)
        await note(
            connection,
            who,
            "privacy.set",
            subject_id=mission_id,
            mission_id=mission_id,
            details={"cross_border_basis": basis, "retention": retention},
            now=now,
        )


async def give(
    database: Database,
    person_id: UUID,
    purpose: str,
    version: str,
    language: Language,
    now: datetime,
) -> None:
    """Take in that somebody agrees; raises `NotFound`, or `Conflict` when the text has changed."""
    async with database.transaction() as connection:
        person = await _standing(connection, person_id)
        text = _of_purpose(await texts(connection, person["mission_id"]), purpose)
        domain.check_version(text, version)
        before = [
            row["text_version"]
            for row in await consents.of_person(connection, person_id)
            if row["purpose"] == purpose and row["withdrawn_at"] is None
        ]
        if text.version in before:
            return
        given = consents.Given(
            person_id, purpose, text.version, language, now, text.is_cross_border
        )
        await consents.give_all(connection, [given])
        facts = {"purpose": purpose, "is_cross_border": text.is_cross_border}
        await _tell(connection, person, ConsentGranted, facts, now)


async def withdraw(
    database: Database, person_id: UUID, purpose: str, who: Principal, now: datetime
) -> None:
    """Take back what somebody agreed to, with all that follows from it, in one transaction.

    Without the required purpose nobody can take part: what is to come is cancelled. Raises
    `NotFound`, or `Conflict` where there is nothing to take back.
    """

    async def effect(connection: Connection) -> Answer:
        # Before the person's own row: commands about a registration take locks in this order.
        person = await existing_person(connection, person_id)
        text = _of_purpose(await texts(connection, person["mission_id"]), purpose)
        if text.is_required:
            await _cancel_all(connection, person_id, who, now)
        await _standing(connection, person_id)
        if not await consents.withdraw(connection, person_id, purpose, now):
            await _refuse(connection, person, text, now)
        facts = {"purpose": purpose, "is_cross_border": text.is_cross_border}
        await _tell(connection, person, ConsentRevoked, facts, now)
        await note(
            connection,
            who,
            "consent.withdrawn",
            subject_id=person_id,
            mission_id=person["mission_id"],
            details={"purpose": purpose},
            now=now,
        )
        return Answer({}, 200)

    await once(database, None, effect)


async def _refuse(connection: Connection, person: Row, text: ConsentText, now: datetime) -> None:
    """Note a no to what nobody asked for: data may cross the border on another basis."""
    said = await consents.of_person(connection, person["id"])
    if not text.is_cross_border or any(row["purpose"] == text.purpose for row in said):
        raise Conflict("There is no consent to take back.", code="no_consent")
    refusal = consents.Given(
        person["id"], text.purpose, text.version, person["language"], now, is_cross_border=True
    )
    await consents.refuse(connection, refusal)


async def everything(
    database: Database, elsewhere: Elsewhere, person_id: UUID, who: Principal, now: datetime
) -> dict[str, Any]:
    """Gather all that the three services hold about somebody; raises `NotFound`.

    A service that is away is named: what is given is not all then.
    """
    async with database.transaction() as connection:
        person = await existing_person(connection, person_id)
        here = await store.everything(connection, person_id)
        await note(
            connection,
            who,
            "person.exported",
            subject_id=person_id,
            mission_id=person["mission_id"],
            now=now,
        )
    there = await elsewhere.everything(person_id)
    return {
        "person_id": str(person_id),
        "exported_at": now.isoformat(),
        "missing": [name for name, content in there.items() if content is None],
        "registration": here,
        **{name: content for name, content in there.items() if content is not None},
    }


async def erase(
    database: Database, person_id: UUID, who: Principal | None, now: datetime
) -> datetime:
    """Forget a person in one transaction and say since when; again it changes nothing.

    What stands is cancelled, sign-ins open nothing any more, and the other services are told.
    Raises `NotFound`.
    """

    async def effect(connection: Connection) -> Answer:
        person = await existing_person(connection, person_id)
        if person["erased_at"] is None:
            await _cancel_all(connection, person_id, who, now)
        if await store.erase(connection, person_id, now):
            await _tell(connection, person, PersonErased, {"erased_at": now}, now)
            await note(
                connection,
                who,
                "person.erased",
                subject_id=person_id,
                mission_id=person["mission_id"],
                now=now,
            )
        return Answer({"at": (await existing_person(connection, person_id))["erased_at"]}, 200)

    answer = await once(database, None, effect)
    return cast(datetime, answer.content["at"])


async def finish(database: Database, person_id: UUID, now: datetime) -> None:
    """Forget what was written about an erased person in that very moment, or by mistake since."""

    async def effect(connection: Connection) -> Answer:
        await _cancel_all(connection, person_id, None, now)
        await store.forget_rows(connection, person_id, now)
        return Answer({}, 200)

    await once(database, None, effect)


async def _standing(connection: Connection, person_id: UUID) -> Row:
    """Read and lock a person who was not erased; raises `NotFound`."""
    person = await existing_person(connection, person_id, lock=True)
    if person["erased_at"] is not None:
        raise NotFound("There is no such person.")
    return person


def _of_purpose(found: tuple[ConsentText, ...], purpose: str) -> ConsentText:
    text = next((text for text in found if text.purpose == purpose), None)
    if text is None:
        raise NotFound("There is no such purpose.")
    return text


async def _tell(
    connection: Connection, person: Row, kind: News, facts: dict[str, Any], now: datetime
) -> None:
    version = await people.next_version(connection, person["id"])
    event = kind(person_id=person["id"], mission_id=person["mission_id"], **facts)
    await outbox.append(connection, event, sequence=version, now=now)


class _Within:
    """A transaction that is open already, for commands that open one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._connection.transaction():
            yield self._connection


async def _cancel_all(
    connection: Connection, person_id: UUID, who: Principal | None, now: datetime
) -> None:
    within = cast(Database, _Within(connection))
    for registration_id in await store.active_registrations(connection, person_id, now):
        await deciding.decide(within, registration_id, Decision.CANCEL, who, now)
