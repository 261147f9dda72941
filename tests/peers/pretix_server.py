"""A real pretix for tests, run by the Python in `.cache/pretix`, never by ours.

pretix is licensed under the AGPL: it is asked over HTTP, beside the product and never in it.

    pretix_server.py empty FILE         writes an empty database (SQLite), without migrations
    pretix_server.py serve FILE PORT    fills it with one event and serves it; says what there is

The tables are made from pretix's models: its hundreds of migrations take minutes and come to the
same. Mails, webhooks and background work are done within the request that causes them, as pretix
does without a task queue.
"""

import json
import os
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class NoMigrations:
    """What Django takes for: no application has any."""

    def __contains__(self, item: object) -> bool:
        return True

    def __getitem__(self, item: object) -> None:
        return None

    def setdefault(self, key: object, default: object = None) -> None:
        del key, default


def set_up(file: Path, port: int) -> None:
    """Configure pretix by the environment, as it reads it when it is imported."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "pretix.settings",
        "PRETIX_DATABASE_BACKEND": "sqlite3",
        "PRETIX_DATABASE_NAME": str(file),
        "PRETIX_PRETIX_DATADIR": str(file.parent),
        "PRETIX_PRETIX_URL": f"http://127.0.0.1:{port}",
        "PRETIX_PRETIX_INSTANCE_NAME": "peer",
        "PRETIX_PRETIX_ALLOW_HTTP_TO_PRIVATE_NETWORKS": "on",
        "PRETIX_DJANGO_SECRET": "only for tests",
        "PRETIX_DJANGO_DEBUG": "off",
        "PRETIX_MAIL_FROM": "peer@example.com",
    }
    import django
    from django.conf import settings

    settings.MIGRATION_MODULES = NoMigrations()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.EMAIL_CUSTOM_SMTP_BACKEND = settings.EMAIL_BACKEND
    django.setup()


def fill() -> dict[str, object]:
    """Make an event with three products, a question, a check-in list and a token for its API."""
    from django.utils.timezone import now
    from django_scopes import scopes_disabled
    from pretix.base.models import Event, Organizer, Quota, Team

    with scopes_disabled():
        organizer = Organizer.objects.create(name="Bureau", slug="bureau")
        event = Event.objects.create(
            organizer=organizer,
            name="Talks",
            slug="talks",
            live=True,
            date_from=now() + timedelta(days=30),
            currency="CNY",
            plugins="",
        )
        items = [
            event.items.create(name=name, default_price=Decimal("0.00"), admission=True)
            for name in ("Talks", "Dinner", "Visit")
        ]
        quota = Quota.objects.create(event=event, name="All", size=1000)
        quota.items.add(*items)
        question = event.questions.create(question="Field", identifier="FIELD", type="S")
        question.items.add(*items)
        check_in_list = event.checkin_lists.create(name="Door", all_products=True)
        team = Team.objects.create(
            organizer=organizer,
            name="API",
            all_events=True,
            all_event_permissions=True,
            all_organizer_permissions=True,
        )
        return {
            "token": team.tokens.create(name="tests").token,
            "items": [item.pk for item in items],
            "question": question.pk,
            "check_in_list": check_in_list.pk,
        }


class Quiet(WSGIRequestHandler):
    """Says nothing about each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        pass


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread: a webhook's receiver may ask something meanwhile."""

    daemon_threads = True


def main(what: str, file: Path, port: int) -> None:
    """Write an empty database, or fill and serve one."""
    file.parent.mkdir(exist_ok=True)
    set_up(file, port)
    if what == "empty":
        from django.core.management import call_command

        call_command("migrate", run_syncdb=True, verbosity=0)
        return
    from django.urls import get_resolver
    from pretix.wsgi import application

    # The first request would load all pages, and take longer than who asks waits.
    _ = get_resolver().url_patterns
    print(json.dumps(fill()), flush=True)  # noqa: T201  # what the test waits for
    with make_server("127.0.0.1", port, application, Server, Quiet) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).absolute(), int((*sys.argv, "0")[3]))
