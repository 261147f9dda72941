"""How fast mail goes out to a server on this machine, and how soon a whole stop's calendar is made.

The service's own senders without their rests, over a durable PostgreSQL and real SMTP. Everybody
gets a link to sign in with; then a schedule of several meetings with a calendar file.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import uvloop

from services.embedded.servers.postgres import postgres
from services.notify.channels.email import Email, MailServer
from services.notify.commands.calendar import Appointment, Frame, calendar
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.planning import tell
from services.notify.commands.sending import Sender
from services.notify.commands.telling import tell_change
from services.notify.domain.mail import WAIT_MAX
from services.notify.store import facts
from services.notify.store.messages import News
from shared.contacts import Contact
from shared.events.base import Bilingual
from shared.events.matching import MeetingScheduled, Party
from shared.events.registration import MissionAnnounced, StopPlanned
from shared.postgres import Database, migrate

PEOPLE = 1_000
MEETINGS_EACH = 8
CONNECTIONS = 4
GOAL = 200
STOP_MEETINGS = 1_000
"""As many as a large stop has in all."""
NOW = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)
NAME = Bilingual(en="Benchmark", zh="基准测试")
HEAD = Letterhead("Tradewind <no-reply@example.org>", "https://mission.example.org")
MIGRATIONS = Path(__file__).parents[1] / "services" / "notify" / "migrations"


class Everybody:
    """Knows an address for every id, as registration does from its memory."""

    async def of(self, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Look up people."""
        return {
            person: Contact(
                person_id=person,
                name="Sample Person",
                email=f"{person.hex}@example.org",
                language="zh" if person.int % 2 else "en",
                role="delegate",
                sign_in_path="/sign-in?token=abc",
            )
            for person in ids
        }


@asynccontextmanager
async def house() -> AsyncIterator[Database]:
    """Open notify's database in a durable PostgreSQL of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    try:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(postgres(folder))
            own = await asyncpg.connect(server.url)
            await own.execute("CREATE DATABASE notify")
            await own.close()
            url = server.url.rpartition("/")[0] + "/notify"
            await migrate(url, [MIGRATIONS])
            yield await stack.enter_async_context(Database.connect(url))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def planned(mission: UUID, stop: UUID, pair: tuple[UUID, UUID], number: int) -> MeetingScheduled:
    """Make one meeting of two people."""
    starts_at = NOW + timedelta(days=1, minutes=30 * number)
    name = "Sample Wind Co., Ltd."
    parties = (
        Party(participant_id=pair[0], side="delegation", organization=name),
        Party(participant_id=pair[1], side="local", organization=name),
    )
    return MeetingScheduled(
        meeting_id=uuid4(),
        stop_id=stop,
        mission_id=mission,
        revision=1,
        state="scheduled",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=25),
        point=f"T{number}",
        parties=parties,
        schedule_number=1,
        occurred_at=NOW,
    )


async def known(database: Database) -> tuple[UUID, UUID]:
    """Announce a mission and plan a stop."""
    mission, stop = uuid4(), uuid4()
    announced = MissionAnnounced(
        mission_id=mission,
        slug="benchmark",
        title=NAME,
        starts_on=date(2030, 11, 6),
        ends_on=date(2030, 11, 11),
        is_rehearsal=False,
    )
    stop_planned = StopPlanned(
        stop_id=stop,
        mission_id=mission,
        slug="stop",
        city=NAME,
        title=NAME,
        venue=NAME,
        timezone="Asia/Shanghai",
        on=date(2030, 11, 8),
    )
    async with database.transaction() as connection:
        await facts.put_mission(connection, announced, 1)
        await facts.put_stop(connection, stop_planned, 1)
    return mission, stop


async def links(database: Database, people: int) -> None:
    """Have everybody sent a link to sign in with."""
    mission, _ = await known(database)
    async with database.transaction() as connection:
        news = [News("sign_in", uuid4(), mission) for _ in range(people)]
        await tell(connection, news, NOW)


async def schedules(database: Database, people: int) -> None:
    """Have everybody told of a day with several meetings."""
    mission, stop = await known(database)
    halves = [[uuid4() for _ in range(people // 2)] for _ in range(2)]
    async with database.transaction() as connection:
        for number in range(MEETINGS_EACH):
            others = halves[1][number:] + halves[1][:number]
            for pair in zip(halves[0], others, strict=True):
                await tell_change(connection, planned(mission, stop, pair, number), NOW)


FILLS = {"link": links, "schedule": schedules}


@asynccontextmanager
async def sink() -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Run a mail server as a process of its own, and give its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.peers.smtp_sink", stdin=PIPE, stdout=PIPE
    )
    assert process.stdout
    try:
        yield int(await process.stdout.readline()), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def mails(people: int, kind: str) -> dict[str, float]:
    """Send everybody one mail, and measure."""
    async with house() as database, sink() as (port, server):
        await FILLS[kind](database, people)
        channels = [Email(HEAD.sender, MailServer("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work(database, channel) for channel in channels))
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
        taken, _ = await server.communicate(b"")
    if int(taken) != people:
        raise RuntimeError(f"{taken!r} mails came of {people}")
    return {
        f"{kind}_mails_per_second": people / seconds,
        f"{kind}_cpu_ms_per_mail": 1000 * cpu_seconds / people,
        f"{kind}_mails_per_cpu_second": people / cpu_seconds,
    }


async def work(database: Database, channel: Email) -> None:
    """Send until nothing is left, as one sender of several on one queue."""
    sender = Sender(database, Everybody(), HEAD, channel, rest=0)  # type: ignore[arg-type]  # all it asks for
    while await sender.send_due(NOW + WAIT_MAX):
        pass
    await channel.close()


def whole_stop() -> float:
    """Write the calendar of a large stop, and give the seconds."""
    appointments = [
        Appointment(
            meeting_id=uuid4(),
            revision=1,
            change="new",
            is_on=True,
            starts_at=NOW + timedelta(minutes=30 * (number // 40)),
            ends_at=NOW + timedelta(minutes=30 * (number // 40) + 25),
            delay_minutes=0,
            point=f"T{number % 40}",
            counterparts=(("Sample Wind Co., Ltd.", "样例风电有限公司"),),
            has_interpreter=False,
        )
        for number in range(STOP_MEETINGS)
    ]
    begun = time.process_time()
    calendar(appointments, Frame("Example Hall", HEAD.organizer, ("", ""), NOW))
    return time.process_time() - begun


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    people = parser.parse_args().people // 2 * 2
    figures: dict[str, float] = {}
    for kind in FILLS:
        figures |= uvloop.run(mails(people, kind))
    figures["stop_calendar_cpu_seconds"] = whole_stop()
    ratios = {
        # Of a core of its own: by the clock, whatever else runs here counts as well.
        f"{kind}_mails_vs_{GOAL}_per_second": figures[f"{kind}_mails_per_cpu_second"] / GOAL
        for kind in FILLS
    } | {"stop_calendar_vs_1_second": figures["stop_calendar_cpu_seconds"]}
    rounded = {name: round(value, 3) for name, value in figures.items()}
    counts = {
        "mails": people,
        "connections": CONNECTIONS,
        "meetings_each": MEETINGS_EACH,
        "stop_meetings": STOP_MEETINGS,
    }
    print(
        json.dumps(
            {
                "bench": "mail",
                "ratios": {name: round(value, 3) for name, value in ratios.items()},
                "figures": rounded | counts,
            }
        )
    )


if __name__ == "__main__":
    main()
