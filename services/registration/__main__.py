"""Registration as a process of its own; with `link`, the operator's sign-in link instead.

With `doctor`, whether everything around it is as it must be.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from services.registration import doctor
from services.registration.api import (
    applications,
    check_in,
    connectors,
    contacts,
    editing,
    files,
    import_rows,
    imports,
    keys,
    lists,
    missions,
    oauth,
    organizations,
    partners,
    places,
    privacy,
    questions,
    registrations,
    sessions,
    several,
    waiting_room,
)
from services.registration.commands.applications.deciding import keep_lapsing
from services.registration.commands.bulk import keep_working
from services.registration.commands.calling_up import keep_expiring
from services.registration.commands.committing import AT_WORK_MAX
from services.registration.commands.connectors.syncing import Syncer
from services.registration.commands.files import keep_sweeping
from services.registration.commands.imports.importing import Importer, countries_of
from services.registration.commands.keys import standing
from services.registration.commands.naming import keep_naming
from services.registration.commands.questions import Forms
from services.registration.commands.registering import Rush
from services.registration.commands.retention import Sweeper
from services.registration.commands.signing_in import sign_in_path
from services.registration.commands.waiting import Waiting
from services.registration.domain.waiting_room import Terms
from services.registration.limits import Limits
from services.registration.pages import (
    applying,
    audit,
    badges,
    companies,
    connector_map,
    desk,
    edit,
    exports,
    form_builder,
    letters,
    partner_keys,
    public,
    scanner,
    selecting,
    signing_in,
    taking_back,
    walk_in,
)
from services.registration.pages import connectors as connector_pages
from services.registration.pages import imports as import_pages
from services.registration.pages import lists as list_pages
from services.registration.pages import partners as partner_pages
from services.registration.pages import places as place_pages
from services.registration.pages import privacy as privacy_pages
from services.registration.pages import waiting_room as waiting_room_pages
from services.registration.pages.rendering import COUNTRIES
from services.registration.resources import Resources
from services.registration.settings import RegistrationSettings
from services.registration.store.elsewhere import Elsewhere
from shared.access import Principal, Tokens
from shared.addresses import Allowed
from shared.doctor.running import run as examine
from shared.erased import refusing_the_erased
from shared.keys import Keyring
from shared.log.records import Log
from shared.outward import Outward
from shared.postgres import Database, migrate
from shared.process import outbox_loops, run
from shared.service import Service

HERE = Path(__file__).parent
ROUTERS = [
    # Who asks there shows a key in OAuth's way, and is no visitor yet.
    oauth.router,
    *refusing_the_erased(
        "registration",
        [
            missions.router,
            organizations.router,
            lists.router,
            registrations.router,
            several.router,
            imports.router,
            import_rows.router,
            places.router,
            waiting_room.router,
            waiting_room_pages.router,
            sessions.router,
            contacts.router,
            keys.router,
            keys.internal,
            partners.router,
            editing.router,
            questions.router,
            files.router,
            check_in.router,
            connectors.router,
            connector_pages.router,
            connector_map.router,
            badges.router,
            scanner.router,
            public.router,
            signing_in.router,
            edit.router,
            form_builder.router,
            desk.router,
            taking_back.router,
            place_pages.router,
            walk_in.router,
            list_pages.router,
            import_pages.router,
            audit.router,
            exports.router,
            companies.router,
            privacy.router,
            privacy_pages.router,
            applications.router,
            applying.router,
            selecting.router,
            letters.router,
            partner_pages.router,
            partner_keys.router,
        ],
    ),
]


@asynccontextmanager
async def opened(settings: RegistrationSettings, log: Log) -> AsyncIterator[Service]:
    """Open what the service needs and close it at the end."""
    dsn = str(settings.database_url)
    await migrate(dsn, [HERE / "migrations"])
    tokens = Tokens(settings.secret_key.get_secret_value())
    others = {"matching": settings.matching_url, "notify": settings.notify_url}
    async with (
        Database.connect(dsn) as database,
        # Of its own: what a batch asks stays prepared there, no page is waited for, and the
        # sequencer is not woken for events that have their positions.
        Database.connect(dsn, size=AT_WORK_MAX) as for_rush,
        Elsewhere.connect(others, tokens) as elsewhere,
        Outward.open(Allowed.read(settings.outward_allowed)) as outward,
    ):
        rush, forms = Rush(for_rush), Forms()
        syncer = Syncer(database, forms, outward, tokens)
        importer = Importer(database, rush, forms, countries_of(COUNTRIES))

        async def answers() -> None:
            async with database.reading() as connection:
                await connection.execute("SELECT 1")

        yield Service(
            name="registration",
            routers=ROUTERS,
            loops=outbox_loops(database, log)
            | {"places": lambda: keep_expiring(database), "files": lambda: keep_sweeping(database)}
            | {
                "retention": Sweeper(database).run,
                "names": lambda: keep_naming(database, rush.was_rushed),
            }
            | {"bulk": lambda: keep_working(database), "connectors": syncer.run}
            | {"applications": lambda: keep_lapsing(database), "imports": importer.run},
            express=[*registrations.express(rush), *several.EXPRESS, *waiting_room.EXPRESS],
            bodies={imports.PATHS: settings.import_bytes},
            checks={"registration database": answers},
            # It is the one who is asked: what it revokes opens nothing here from then on.
            keys=Keyring(lambda shown: standing(database, shown, datetime.now(UTC)), seconds=0),
            resources=Resources(
                database=database,
                rush=rush,
                waiting=Waiting(
                    database,
                    rush.queue,
                    tokens.digest,
                    Terms(
                        open_seconds=settings.waiting_room_seconds,
                        crowd=settings.waiting_room_crowd,
                    ),
                    datetime.now(UTC),
                ),
                import_bytes=settings.import_bytes,
                limits=Limits.of(settings),
                elsewhere=elsewhere,
                syncer=syncer,
                forms=forms,
                tokens=tokens,
                is_secure=settings.public_url.startswith("https:"),
                public_url=settings.public_url.rstrip("/"),
            ),
            static=HERE / "pages" / "static",
        )


def operator_link(settings: RegistrationSettings, now: datetime) -> str:
    """Make a link that signs in as mission staff of every mission: the first way in."""
    operator = Principal(role="mission_staff", subject=uuid4())
    tokens = Tokens(settings.secret_key.get_secret_value())
    return settings.public_url.rstrip("/") + sign_in_path(tokens, operator, now)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            run(RegistrationSettings, opened)
        case ["link"]:
            link = operator_link(RegistrationSettings.model_validate({}), datetime.now(UTC))
            sys.stdout.write(f"{link}\n")
        case ["doctor", *how]:
            sys.exit(examine("registration", RegistrationSettings, doctor.checks, how))
        case _:
            sys.exit("usage: python -m services.registration [link | doctor]")
