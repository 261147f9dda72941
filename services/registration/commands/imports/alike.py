"""Who looks alike: companies and people of a list, beside those that are on file."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from services.registration.commands.imports.judging import Judged
from services.registration.domain.companies import Company, core, likeness, parts
from services.registration.domain.imports.comparing import Kind
from services.registration.domain.imports.findings import Finding
from services.registration.domain.names import folded, pinyin
from services.registration.domain.people import Organization
from services.registration.store.imports import hosted as store
from shared.postgres import Connection

COLLEAGUES_MAX = 5_000
LOOKED_FOR_MAX = 2_000
"""The companies of so many rows are looked for by likeness: each costs milliseconds, and nobody
reads about more of them."""


async def find_alike(
    connection: Connection, mission_id: UUID, judgements: Sequence[Judged], rows_before: int
) -> None:
    """Note who may be on file by another name, number or address.

    Of new people alone: about the others the comparison says all.
    """
    fresh = [one for one in judgements if one.kind is Kind.NEW and one.sign_up and not one.is_wrong]
    if not fresh:
        return
    identities = {one.sign_up.organization.identity for one in fresh if one.sign_up}
    known = await store.companies(connection, mission_id, list(identities))
    _names(fresh, known)
    if known:
        found = await store.colleagues(connection, mission_id, list(known), COLLEAGUES_MAX)
        _namesakes(fresh, found)
    strange = [
        one for one in fresh if one.sign_up and one.sign_up.organization.identity not in known
    ]
    if rows_before < LOOKED_FOR_MAX:
        await _lookalikes(connection, mission_id, strange)


def _names(fresh: Sequence[Judged], known: Mapping[str, str]) -> None:
    """Note where a company is called otherwise here than in the list."""
    for one in fresh:
        company = _company(one)
        name = known.get(company.identity)
        if name and company.registration_number:
            keys = {parts(called).key for called in (company.name, company.native_name) if called}
            if parts(name).key not in keys:
                one.findings.append(Finding("same_number_other_name", "organization", name))


def _namesakes(fresh: Sequence[Judged], colleagues: Sequence[asyncpg.Record]) -> None:
    """Note people of one company whose names are written or sound the same."""
    sounds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in colleagues:
        for name in (row["full_name"], row["native_name"], row["latin_name"]):
            if name:
                sounds[row["identity"], _sound(name)].add(row["email"])
    for one in fresh:
        identity = _company(one).identity
        names = (one.fields.get(name) for name in ("full_name", "native_name", "latin_name"))
        if any(
            sounds.get((identity, _sound(name)), set()) - {one.address} for name in names if name
        ):
            one.findings.append(Finding("same_person", "full_name"))


async def _lookalikes(connection: Connection, mission_id: UUID, strange: Sequence[Judged]) -> None:
    """Note companies that are likely one that is there, by name, translation or sound."""
    cores: dict[str, list[Judged]] = defaultdict(list)
    for one in strange:
        company = _company(one)
        cores[core(company.name, company.native_name)].append(one)
    wanted = [text for text in cores if text]
    if not wanted:
        return
    found = await store.lookalikes(connection, mission_id, wanted)
    for text, row in found.items():
        names = ("name", "native_name", "country", "registration_number")
        other = Company(row["id"], **{name: row[name] for name in names})
        for one in cores[text]:
            mine = Company(other.id, **{name: getattr(_company(one), name) for name in names})
            if likeness(mine, other):
                name = other.native_name or other.name
                one.findings.append(Finding("similar_company", "organization", name))


def _company(one: Judged) -> Organization:
    assert one.sign_up is not None
    return one.sign_up.organization


def _sound(name: str) -> str:
    return "".join(sorted(pinyin(folded(name)).split()))
