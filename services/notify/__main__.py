"""Notify as a process of its own; with `doctor`, whether all around it is as it must be."""

import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import parseaddr
from functools import partial
from pathlib import Path

from services.notify import doctor
from services.notify.api import (
    bounces,
    calendars,
    day_plans,
    deliveries,
    feed,
    live,
    messages,
    people,
    webhooks,
)
from services.notify.api import reaching as reaching_api
from services.notify.api import templates as templates_api
from services.notify.channels.base import Channel, Reach
from services.notify.channels.email import Email, MailServer
from services.notify.channels.hygiene import Hygiene, Throttle
from services.notify.channels.posting import posting_client
from services.notify.channels.printed import Printed
from services.notify.channels.sms import Gateway, Sms
from services.notify.channels.web_push import Vapid, WebPush, read_key
from services.notify.channels.wecom import Wecom
from services.notify.commands import asking, feeding, webhook_sending
from services.notify.commands.checking import mail_flows
from services.notify.commands.erasing import sweep
from services.notify.commands.feeding import Bell
from services.notify.commands.keeping import Reconciler
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.mailbox import HOST, receiving
from services.notify.commands.sending import Sender
from services.notify.commands.webhook_sending import Couriers
from services.notify.commands.webhooks import Hooks
from services.notify.consumer import (
    FEED_TOPICS,
    LIVE_TOPICS,
    MAIL_TOPICS,
    PRIVACY_TOPICS,
    feed_consumer,
    live_consumer,
    mail_consumer,
    privacy_consumer,
)
from services.notify.gate import Gate
from services.notify.hub import Hub
from services.notify.pages import (
    announcements,
    day,
    delivery_log,
    mailbox,
    reaching,
    rules,
    screen,
    templates,
    wishes,
)
from services.notify.pages import day_plans as day_plan_pages
from services.notify.pages import webhooks as webhook_pages
from services.notify.resources import Resources
from services.notify.settings import NotifySettings
from services.notify.store.live import Live
from shared.access import Tokens
from shared.addresses import Allowed
from shared.contacts import Contacts
from shared.doctor.running import run as examine
from shared.erased import refusing_the_erased
from shared.keys import Keyring
from shared.log.records import Log
from shared.outward import Outward
from shared.postgres import Database, migrate
from shared.process import run
from shared.redis import blocking_client, command_client
from shared.sealing import Seal
from shared.service import Loop, Service
from shared.sweeping import for_ever

HERE = Path(__file__).parent
ROUTERS = refusing_the_erased(
    "notify",
    [
        live.router,
        calendars.router,
        day_plans.router,
        deliveries.router,
        messages.router,
        templates_api.router,
        reaching_api.router,
        bounces.router,
        people.router,
        feed.router,
        webhooks.router,
        day.router,
        screen.router,
        mailbox.router,
        delivery_log.router,
        day_plan_pages.router,
        announcements.router,
        rules.router,
        templates.router,
        reaching.router,
        wishes.router,
        webhook_pages.router,
    ],
)


@asynccontextmanager
async def opened(settings: NotifySettings, log: Log) -> AsyncIterator[Service]:
    """Open what the service needs and close it at the end."""
    await migrate(str(settings.database_url), [HERE / "migrations"])
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.connect(str(settings.database_url)))
        tokens = Tokens(settings.secret_key.get_secret_value())
        throttle = Throttle(settings.mail_per_domain)
        hygiene = Hygiene(database, partial(tokens.digest, "mail address"), throttle)
        channels = await _channels(settings, (database, hygiene), stack)
        reach = _reach(settings, channels)
        letterhead = Letterhead(
            settings.mail_from, settings.public_url, tokens.digest("unsubscribe", "")
        )
        held = await _resources(settings, (database, letterhead, reach, hygiene), stack)
        keys = await stack.enter_async_context(Keyring.connect(settings.internal_url, tokens))

        async def answers() -> None:
            async with held.database.reading() as connection:
                await connection.execute("SELECT 1")

        yield Service(
            name="notify",
            routers=ROUTERS,
            loops=_consumers(held, log)
            | _feeders(held, log)
            | {
                "hub": held.hub.run,
                "sweeper": lambda: for_ever(sweep, held.database),
                "waves": lambda: for_ever(
                    partial(asking.ask, available=held.reach.available),
                    held.database,
                    seconds=asking.LOOK_SECONDS,
                ),
                "reconciler": Reconciler(held.database, held.live).run,
            }
            | {
                f"sender of {one.name}": Sender(
                    held.database, held.contacts, letterhead, one, reach.available
                ).run
                for one in channels
            },
            checks={"notify database": answers},
            advisory_checks={
                "redis": held.live.answers,
                "mail": lambda: mail_flows(held.database),
            },
            keys=keys,
            resources=held,
            gates={"/api/v1/live/me": Gate((held.database, held.live, held.hub), live.head).knock},
            static=HERE / "pages" / "static",
            closing=lambda: _close(held),
        )


def _reach(settings: NotifySettings, channels: Sequence[Channel]) -> Reach:
    push = next((one for one in channels if isinstance(one, WebPush)), None)
    return Reach(
        frozenset(channel.name for channel in channels),
        push.public_key if push else "",
        settings.push_services,
    )


async def _resources(
    settings: NotifySettings,
    known: tuple[Database, Letterhead, Reach, Hygiene],
    stack: AsyncExitStack,
) -> Resources:
    database, letterhead, reach, hygiene = known
    commands = await stack.enter_async_context(command_client(settings.redis_url))
    reader = await stack.enter_async_context(blocking_client(settings.redis_url))
    tokens = Tokens(settings.secret_key.get_secret_value())
    hub = Hub(reader, commands, secrets.token_hex(8))
    stack.callback(hub.end)
    return Resources(
        database=database,
        live=Live(commands),
        hub=hub,
        contacts=await stack.enter_async_context(Contacts.connect(settings.internal_url, tokens)),
        has_mailbox=settings.mailbox,
        letterhead=letterhead,
        reach=reach,
        hygiene=hygiene,
        hooks=Hooks(
            Bell(database),
            await stack.enter_async_context(Outward.open(Allowed.read(settings.outward_allowed))),
            Seal(tokens, "webhooks"),
        ),
        bounce_key=settings.bounce_key.get_secret_value(),
    )


async def _channels(
    settings: NotifySettings, known: tuple[Database, Hygiene], stack: AsyncExitStack
) -> list[Channel]:
    """Say which channels there are: mail and the desk always, others where settings have them."""
    database, hygiene = known
    server = await _mail_server(settings, database, stack)
    client = await stack.enter_async_context(posting_client())
    found: list[Channel] = [
        Email(settings.mail_from, server, hygiene, settings.mail_bounces),
        Printed(database),
    ]
    if key := settings.push_key.get_secret_value():
        address = parseaddr(settings.mail_from)[1]
        vapid = Vapid(read_key(key), f"mailto:{address}")
        found.append(WebPush(client, database, vapid, settings.push_services))
    if settings.sms_url.get_secret_value():
        found.append(Sms(client, _gateway(settings)))
    if settings.wecom_robots:
        robots = {slug: url.get_secret_value() for slug, url in settings.wecom_robots.items()}
        found.append(Wecom(client, robots))
    return found


def _gateway(settings: NotifySettings) -> Gateway:
    return Gateway(
        settings.sms_url.get_secret_value(),
        settings.sms_body,
        settings.sms_content_type,
        {name: value.get_secret_value() for name, value in settings.sms_headers.items()},
    )


async def _mail_server(
    settings: NotifySettings, database: Database, stack: AsyncExitStack
) -> MailServer:
    """Say where mail goes: to the mailbox that is opened here, or out."""
    if settings.mailbox:
        return MailServer(HOST, await stack.enter_async_context(receiving(database)))
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_user,
        settings.smtp_password.get_secret_value(),
        settings.smtp_starttls,
    )


def _feeders(held: Resources, log: Log) -> dict[str, Loop]:
    to_feed = feed_consumer(held.database, held.hooks.bell)
    return {
        "feed": lambda: to_feed.run(log, FEED_TOPICS),
        "feed bell": held.hooks.bell.run,
        "feed sweeper": lambda: for_ever(feeding.sweep, held.database),
        "couriers": Couriers(held.database, held.hooks).run,
        "webhook sweeper": lambda: for_ever(webhook_sending.sweep, held.database),
    }


def _close(held: Resources) -> None:
    held.hub.close()
    held.hooks.bell.close()


def _consumers(held: Resources, log: Log) -> dict[str, Loop]:
    to_live = live_consumer(held.database, held.live)
    to_mail = mail_consumer(held.database, held.reach.available)
    to_privacy = privacy_consumer(held.database, held.live, held.contacts)
    return {
        "live": lambda: to_live.run(log, LIVE_TOPICS),
        "mail": lambda: to_mail.run(log, MAIL_TOPICS),
        "privacy": lambda: to_privacy.run(log, PRIVACY_TOPICS),
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            run(NotifySettings, opened)
        case ["doctor", *how]:
            sys.exit(examine("notify", NotifySettings, doctor.checks, how))
        case _:
            sys.exit("usage: python -m services.notify [doctor]")
