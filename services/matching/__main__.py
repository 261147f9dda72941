"""Matching as a process of its own; with `doctor`, whether all around it is as it must be."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.matching import doctor
from services.matching.api import (
    barring,
    feedback,
    meetings,
    outcomes,
    partners,
    people,
    quotas,
    repairs,
    requests,
    rules,
    schedules,
    sessions,
    versions,
    wishes,
)
from services.matching.commands.erasing import sweep
from services.matching.commands.foreseeing import foresee_for_ever
from services.matching.commands.recommending import place_for_ever
from services.matching.commands.requesting import expire
from services.matching.commands.scheduling import solve_for_ever
from services.matching.consumer import TOPICS, consumer
from services.matching.pages import (
    apart,
    apart_forms,
    board,
    limits,
    meet,
    meet_forms,
    mission_report,
    outcome_forms,
    overview,
    quality,
    repairs_forms,
    rules_forms,
)
from services.matching.pages import feedback as feedback_pages
from services.matching.pages import outcomes as outcome_pages
from services.matching.pages import partners as partner_pages
from services.matching.pages import repairs as repair_pages
from services.matching.pages import rules as rule_pages
from services.matching.pages import scheduling as scheduling_pages
from services.matching.pages import versions as version_pages
from services.matching.resources import Resources
from services.matching.settings import MatchingSettings
from shared.access import Tokens
from shared.contacts import Contacts
from shared.doctor.running import run as examine
from shared.erased import refusing_the_erased
from shared.keys import Keyring
from shared.log.records import Log
from shared.postgres import Database, migrate
from shared.process import outbox_loops, run
from shared.service import Service
from shared.sweeping import for_ever

HERE = Path(__file__).parent
ROUTERS = refusing_the_erased(
    "matching",
    [
        sessions.router,
        wishes.router,
        requests.router,
        quotas.router,
        barring.router,
        schedules.router,
        rules.router,
        versions.router,
        meetings.router,
        feedback.router,
        outcomes.router,
        partners.router,
        repairs.router,
        people.router,
        board.router,
        repair_pages.router,
        repairs_forms.router,
        scheduling_pages.router,
        version_pages.router,
        quality.router,
        feedback_pages.router,
        mission_report.router,
        outcome_pages.router,
        outcome_forms.router,
        meet.router,
        meet_forms.router,
        overview.router,
        partner_pages.router,
        limits.router,
        rule_pages.router,
        rules_forms.router,
        apart.router,
        apart_forms.router,
    ],
)


@asynccontextmanager
async def opened(settings: MatchingSettings, log: Log) -> AsyncIterator[Service]:
    """Open what the service needs and close it at the end."""
    dsn = str(settings.database_url)
    tokens = Tokens(settings.secret_key.get_secret_value())
    await migrate(dsn, [HERE / "migrations"])
    async with (
        Database.connect(dsn) as database,
        Contacts.connect(settings.internal_url, tokens) as contacts,
        Keyring.connect(settings.internal_url, tokens) as keys,
    ):
        resources = Resources(database=database, contacts=contacts)

        async def answers() -> None:
            async with database.reading() as connection:
                await connection.execute("SELECT 1")

        yield Service(
            name="matching",
            routers=ROUTERS,
            loops={
                **outbox_loops(database, log),
                "consumer": lambda: consumer(database).run(log, TOPICS),
                "sweeper": lambda: for_ever(sweep, database),
                "expirer": lambda: for_ever(expire, database),
                "placer": lambda: place_for_ever(database),
                "foreseer": lambda: foresee_for_ever(database, resources.repair.days),
                "solver": lambda: solve_for_ever(database, resources.asked),
            },
            checks={"matching database": answers},
            keys=keys,
            resources=resources,
            static=HERE / "pages" / "static",
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            run(MatchingSettings, opened)
        case ["doctor", *how]:
            sys.exit(examine("matching", MatchingSettings, doctor.checks, how))
        case _:
            sys.exit("usage: python -m services.matching [doctor]")
