"""pretix beside Tradewind: orders of a free ticket with a quota, against registrations.

Run: `python -m bench.peers.pretix [--seconds N]`. It makes a virtual environment with pretix of the
version below in a temporary folder, its database on a PostgreSQL of its own that commits durably,
and serves it by gunicorn with two workers, as pretix's documentation says; then it measures both on
this machine, one after the other. pretix does more for an order than we do for a registration
(prices, taxes, invoices, plugins' hooks), so the ratio compares what a visitor waits for, not two
programs that do the same. Takes about ten minutes, most of it for pretix's migrations.
"""

import argparse
import asyncio
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from bench import load, people
from bench.house import database, house, listening
from services.embedded.servers.child import free_port

PRETIX = ("pretix==2026.8.0", "gunicorn", "psycopg2-binary")
CONNECTIONS = 16
OUR_CONNECTIONS = 64
"""Each has as many as it does best with: pretix answers no more a second to a longer queue."""
QUOTA = 20_000
WARM_UP_SECONDS = 20

SETUP = """
import datetime
from decimal import Decimal
from django.utils.timezone import now
from django_scopes import scopes_disabled
from pretix.base.models import Event, Organizer, Quota, Team
with scopes_disabled():
    organizer = Organizer.objects.create(name="Bench", slug="bench")
    event = Event.objects.create(organizer=organizer, name="Bench", slug="bench", live=True,
        date_from=now() + datetime.timedelta(days=30), currency="EUR", plugins="")
    item = event.items.create(name="Ticket", default_price=Decimal("0.00"))
    quota = Quota.objects.create(event=event, name="All", size={quota})
    quota.items.add(item)
    team = Team.objects.create(organizer=organizer, name="API", all_events=True)
    for name in ("all_event_permissions", "all_organizer_permissions"):
        if hasattr(team, name):
            setattr(team, name, True)
    team.save()
    print("TOKEN", team.tokens.create(name="bench").token, item.pk)
"""


def order(item: int) -> str:
    """Give the body of an order of one free ticket."""
    return json.dumps(
        {
            "email": "bench@example.com",
            "locale": "en",
            "sales_channel": "web",
            "status": "p",
            "positions": [{"positionid": 1, "item": item, "variation": None, "price": "0.00"}],
        }
    )


def requests(token: str, item: int) -> Callable[[], bytes]:
    """Give a function that makes the next order's whole request."""
    numbers = itertools.count()
    content = order(item).encode()

    def make() -> bytes:
        head = (
            "POST /api/v1/organizers/bench/events/bench/orders/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Token {token}\r\nContent-Type: application/json\r\n"
            f"X-Idempotency-Key: bench-{next(numbers)}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    return make


@asynccontextmanager
async def pretix(postgres_url: str) -> AsyncIterator[tuple[int, str, int]]:
    """Install, set up and serve pretix; gives its port, a token and the item on sale."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-pretix-"))
    try:
        url = await database(postgres_url, "pretix")
        port = free_port()
        environment = _environment(folder, url, port)
        python = folder / "venv" / "bin" / "python"
        _run([sys.executable, "-m", "venv", str(folder / "venv")], environment)
        _run([str(python), "-m", "pip", "install", "-q", *PRETIX], environment)
        _run([str(python), "-m", "pretix", "migrate"], environment)
        made = _run(
            [str(python), "-m", "pretix", "shell", "-c", SETUP.format(quota=QUOTA)], environment
        )
        token, item = made.rpartition("TOKEN ")[2].split()
        server = await asyncio.create_subprocess_exec(
            # The workers of pretix's documentation close a connection after each answer, which a
            # proxy before them hides; these keep it, as the load asks for on both sides.
            *(str(python), "-m", "gunicorn", "pretix.wsgi", "--workers", "2"),
            *("--worker-class", "gthread", "--threads", "4", "--log-level", "warning"),
            *("--bind", f"127.0.0.1:{port}", "--timeout", "120", "--keep-alive", "60"),
            env=environment,
            cwd=folder,
        )
        try:
            await listening(port)
            yield port, token, int(item)
        finally:
            server.terminate()
            await server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, url: str, port: int) -> dict[str, str]:
    server, _, name = url.rpartition("/")
    user, _, place = server.removeprefix("postgresql://").partition("@")
    host, _, database_port = place.partition(":")
    configuration = folder / "pretix.cfg"
    configuration.write_text(
        f"[pretix]\ninstance_name=bench\nurl=http://127.0.0.1:{port}\ndatadir={folder}/data\n"
        f"trust_x_forwarded_for=off\n[database]\nbackend=postgresql\nname={name}\nuser={user}\n"
        f"password=\nhost={host}\nport={database_port}\n[django]\nsecret=only-for-the-benchmark\n"
        "debug=off\n[locale]\ndefault=en\ntimezone=UTC\n[mail]\nfrom=bench@example.com\n"
    )
    return {
        **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        **{
            key: value
            for key, value in os.environ.items()
            if key.startswith(("PIP_", "SSL_", "UV_", "REQUESTS_"))
        },
        "PRETIX_CONFIG_FILE": str(configuration),
    }


def _run(command: list[str], environment: dict[str, str]) -> str:
    print("pretix:", " ".join(command)[:110])
    finished = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if finished.returncode != 0:
        raise RuntimeError(f"{command[:4]} failed: {finished.stderr[-3000:]}")
    return finished.stdout


async def main(seconds: float) -> dict[str, object]:
    """Measure both and give the ratio."""
    async with house() as home:
        async with pretix(home.postgres_url) as (port, token, item):
            make = requests(token, item)
            await load.closed(port, make, connections=2, seconds=WARM_UP_SECONDS)
            theirs = await load.closed(port, make, connections=CONNECTIONS, seconds=seconds)
        ours = await load.closed(
            home.port,
            people.requests("beside-pretix", await home.item()),
            connections=OUR_CONNECTIONS,
            seconds=seconds,
        )
    return {
        "bench": "registration beside pretix",
        "ratios": {"vs_pretix": round(ours.rate / theirs.rate, 1)},
        "figures": {
            "registrations_per_second": round(ours.rate, 1),
            "pretix_orders_per_second": round(theirs.rate, 2),
            "pretix_p50_ms": round(theirs.percentile(0.5) * 1000),
            "registration_p50_ms": round(ours.percentile(0.5) * 1000, 1),
            "pretix_statuses": {str(code): n for code, n in theirs.statuses.items()},
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    print(json.dumps(uvloop.run(main(parser.parse_args().seconds))))
