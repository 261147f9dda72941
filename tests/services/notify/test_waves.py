"""Those who met are asked what came of it: each once in every wave, on time or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.base import Letter, Reader
from services.notify.commands import asking, erasing
from services.notify.commands.asking import ask
from services.notify.commands.sending import Sender
from services.notify.domain.mail import ChannelName
from services.notify.domain.rules import Rules, Wishes
from services.notify.domain.waves import AGAIN, KEPT, OVERDUE_MAX, last_days, moment, wave_due
from services.notify.resources import Resources
from services.notify.store import deliveries, facts, people, waves, wishes
from shared import sweeping
from shared.access import Principal
from shared.events.registration import PersonErased
from shared.http import now
from shared.postgres import Database
from shared.process import cancelling
from shared.waves import WAVES

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
LAST_DAY = date(2023, 4, 12)
EVENING = datetime(2023, 4, 12, 10, 0, tzinfo=UTC)
"""18:00 of the last day in Shanghai."""
SECOND = timedelta(seconds=1)

Asked = Callable[[], Awaitable[list[tuple[UUID, str]]]]


class Kept:
    """A channel that keeps what it is given."""

    def __init__(self, name: ChannelName) -> None:
        self.name = name
        self.letters: dict[UUID, Letter] = {}

    async def open(self) -> None: ...

    async def send(self, letter: Letter, reader: Reader) -> None:
        self.letters[reader.person_id] = letter

    async def close(self) -> None: ...


@pytest.fixture
async def met(planned: Any, stored: Any, registration: Any) -> Any:
    """A mission of two stops on one day, where two people met with an interpreter."""
    registration.know(planned.delegate, "delegate@example.org", name="Ada Sample")
    registration.know(planned.local, "local@example.org", language="zh", native_name="样例先生")
    await stored(planned.meeting(interpreter_id=planned.interpreter))
    return planned


@pytest.fixture
def asked(database: Database) -> Asked:
    """A function that says who is told of results over which channel, a line for each message."""

    async def asked() -> list[tuple[UUID, str]]:
        async with database.reading() as connection:
            rows = await connection.fetch(
                "SELECT person_id, channel FROM message WHERE kind = 'results' ORDER BY id"
            )
        return [(row["person_id"], row["channel"]) for row in rows]

    return asked


@pytest.fixture
def move(database: Database) -> Callable[..., Awaitable[None]]:
    """A function that moves a stop."""
    versions = iter(range(2, 100))

    async def move(world: Any, stop: UUID, on: date, zone: str = "Asia/Shanghai") -> None:
        event = world.stop_planned(stop).model_copy(update={"on": on, "timezone": zone})
        async with database.transaction() as connection:
            await facts.put_stop(connection, event, next(versions))

    return move


@pytest.fixture
async def other_process(notify_database: str) -> AsyncIterator[Database]:
    async with Database.connect(notify_database, size=4) as database:
        yield database


async def told(resources: Resources, channel: ChannelName = "email") -> dict[UUID, Letter]:
    kept = Kept(channel)
    sender = Sender(resources.database, resources.contacts, resources.letterhead, kept, rest=0)
    while await sender.send_due(now() + timedelta(minutes=1)):
        pass
    return kept.letters


def everybody(world: Any) -> list[tuple[UUID, str]]:
    return [(person, "email") for person in sorted((world.delegate, world.local))]


@pytest.mark.parametrize(
    ("days", "zone", "last_day", "due"),
    [
        (0, SHANGHAI, "2023-04-12", "2023-04-12T18:00+08:00"),
        (90, SHANGHAI, "2023-04-12", "2023-07-11T10:00+08:00"),
        (180, SHANGHAI, "2023-04-12", "2023-10-09T10:00+08:00"),
        (365, SHANGHAI, "2023-04-12", "2024-04-11T10:00+08:00"),
        # From winter into summer, and back.
        (0, NEW_YORK, "2023-02-10", "2023-02-10T18:00-05:00"),
        (90, NEW_YORK, "2023-02-10", "2023-05-11T10:00-04:00"),
        (365, NEW_YORK, "2023-02-10", "2024-02-10T10:00-05:00"),
    ],
)
def test_a_wave_is_due_by_the_clock_of_the_last_stop(
    days: int, zone: ZoneInfo, last_day: Any, due: Any
) -> None:
    last_day, due = date.fromisoformat(last_day), datetime.fromisoformat(due)
    assert moment(days, last_day, zone) == due
    found = [wave_due(last_day, zone, due + late) for late in (-SECOND, 0 * SECOND)]
    assert found == [None, days]
    ends = [wave_due(last_day, zone, due + OVERDUE_MAX + late) for late in (0 * SECOND, SECOND)]
    assert ends == [days, None]


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.sampled_from([SHANGHAI, NEW_YORK, ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")]),
    st.timedeltas(timedelta(-2), timedelta(400)),
)
def test_what_is_due_has_come_and_is_not_long_over(
    last_day: date, zone: ZoneInfo, since: timedelta
) -> None:
    at = datetime.combine(last_day, time(), UTC) + since
    days = wave_due(last_day, zone, at)
    if days is None:
        assert all(not 0 * SECOND <= at - moment(d, last_day, zone) <= OVERDUE_MAX for d in WAVES)
    else:
        local = at.astimezone(zone)
        assert timedelta(days) <= local.date() - last_day <= timedelta(days) + OVERDUE_MAX
        assert local.date() - last_day > timedelta(days) or local.hour >= (10 if days else 18)


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.sampled_from([ZoneInfo(f"Etc/GMT{hours:+d}") for hours in (-14, -8, 0, 5, 12)]),
    st.sampled_from(WAVES),
    st.timedeltas(timedelta(0), OVERDUE_MAX),
)
def test_what_is_due_by_any_clock_is_looked_for(
    last_day: date, zone: ZoneInfo, days: int, since: timedelta
) -> None:
    first, last = last_days(moment(days, last_day, zone) + since)[days]
    assert first <= last_day <= last


async def test_of_two_stops_on_the_last_day_the_later_evening_counts(
    met: Any, move: Any, database: Database
) -> None:
    for here, there in ((met.stop, met.other_stop), (met.other_stop, met.stop)):
        await move(met, here, LAST_DAY, "America/New_York")
        await move(met, there, LAST_DAY)
        assert await ask(database, EVENING) == 0
    assert await ask(database, datetime(2023, 4, 12, 18, tzinfo=NEW_YORK)) == 2


async def test_both_sides_are_asked_at_the_hour_of_the_last_stop_and_once(
    met: Any, move: Any, asked: Asked, database: Database
) -> None:
    await move(met, met.other_stop, date(2023, 4, 14), "America/New_York")
    due = datetime(2023, 4, 14, 18, tzinfo=NEW_YORK).astimezone(UTC)
    assert await ask(database, EVENING) == 0
    assert await ask(database, due - SECOND) == 0
    assert await asked() == []
    assert await ask(database, due) == 2
    assert await asked() == everybody(met)
    for later in (0 * SECOND, timedelta(minutes=1), OVERDUE_MAX):
        assert await ask(database, due + later) == 0
    assert await asked() == everybody(met)


async def test_they_are_asked_again_in_every_wave(
    met: Any, asked: Asked, database: Database
) -> None:
    moments = [moment(days, LAST_DAY, SHANGHAI) for days in WAVES]
    counts = [await ask(database, at + late) for at in moments for late in (0 * SECOND, SECOND)]
    assert counts == [2, 0] * len(WAVES)
    assert await asked() == everybody(met) * len(WAVES)


async def test_only_who_met_somebody_is_asked(
    planned: Any, stored: Any, asked: Asked, database: Database
) -> None:
    met, cancelled, missed, later = ((uuid4(), uuid4()) for _ in range(4))
    for_later = EVENING + timedelta(minutes=30)
    await stored(
        planned.meeting("completed", parties=planned.parties(*met), stop_id=planned.other_stop),
        planned.meeting("scheduled", parties=planned.parties(met[0], uuid4())),
        planned.meeting("cancelled", parties=planned.parties(*cancelled)),
        planned.meeting("no_show", parties=planned.parties(*missed)),
        planned.meeting(parties=planned.parties(met[0], cancelled[1]), starts_at=for_later),
        planned.meeting(parties=planned.parties(*later), starts_at=for_later),
    )
    assert await ask(database, EVENING) == 3
    first = {person for person, _ in await asked()}
    assert first > {*met}
    assert first.isdisjoint({*cancelled, *missed, *later})
    assert await ask(database, for_later) == 3
    assert {person for person, _ in await asked()} - first == {cancelled[1], *later}


async def test_another_missions_people_are_left_alone(
    met: Any, stored: Any, asked: Asked, database: Database
) -> None:
    elsewhere = met.parties(uuid4(), uuid4())
    await stored(met.meeting(parties=elsewhere, stop_id=uuid4(), mission_id=uuid4()))
    assert await ask(database, EVENING) == 2
    assert await asked() == everybody(met)


async def test_a_wave_that_is_long_over_is_left_out(
    met: Any, asked: Asked, database: Database
) -> None:
    assert await ask(database, EVENING + OVERDUE_MAX + SECOND) == 0
    assert await asked() == []
    assert await ask(database, moment(90, LAST_DAY, SHANGHAI) + OVERDUE_MAX) == 2
    assert await asked() == everybody(met)


async def test_a_last_stop_that_moves_has_nobody_asked_twice(
    met: Any, move: Any, stored: Any, asked: Asked, database: Database
) -> None:
    assert await ask(database, EVENING) == 2
    await move(met, met.other_stop, date(2023, 4, 15))
    due = EVENING + timedelta(days=3)
    assert await ask(database, due) == 0
    # Who met somebody only there is asked for the first time.
    newcomer = uuid4()
    meeting = met.meeting(parties=met.parties(met.delegate, newcomer), stop_id=met.other_stop)
    await stored(meeting)
    assert await ask(database, due + AGAIN) == 1
    assert (await asked())[2:] == [(newcomer, "email")]


async def test_a_last_stop_that_moves_far_back_leaves_its_wave_out(
    met: Any, move: Any, asked: Asked, database: Database
) -> None:
    for stop in (met.stop, met.other_stop):
        await move(met, stop, LAST_DAY - OVERDUE_MAX - timedelta(days=1))
    assert await ask(database, EVENING) == 0
    assert await asked() == []


@pytest.fixture
async def looked(notify_database: str) -> AsyncIterator[tuple[Database, list[str]]]:
    """A database over one connection, and what is asked of it."""
    asked: list[str] = []
    async with Database.connect(notify_database, size=1) as database:
        async with database.reading() as connection:
            connection.add_query_logger(lambda query: asked.append(query.query))
        yield database, asked


async def test_meetings_are_read_only_where_somebody_can_still_be_due(
    met: Any, move: Any, stored: Any, looked: tuple[Database, list[str]]
) -> None:
    database, statements = looked

    async def reads(at: datetime) -> tuple[int, int]:
        statements.clear()
        await ask(database, at)
        ours = [one for one in statements if " stop " in one or "message_rules" in one]
        return len(ours), sum("live_meeting" in one for one in ours)

    begins = EVENING + timedelta(minutes=30)
    await stored(met.meeting(number=1, starts_at=begins, ends_at=begins + timedelta(minutes=25)))
    assert await reads(EVENING - SECOND) == (1, 0)
    assert (await reads(EVENING))[1] > 0
    minutes = [EVENING + timedelta(minutes=number) for number in range(1, 180)]
    read = [at for at in minutes if (await reads(at))[1]]
    assert read == [begins, begins + AGAIN, begins + 2 * AGAIN]
    assert {await reads(at) for at in minutes} == {(1, 0)}
    # A last day that moves is another wave.
    for stop in (met.stop, met.other_stop):
        await move(met, stop, LAST_DAY - timedelta(days=1))
    assert (await reads(minutes[-1]))[1] > 0
    assert await reads(EVENING + timedelta(days=30)) == (1, 0)


async def test_who_asks_at_once_waits_for_the_other_and_asks_nobody_twice(
    met: Any, asked: Asked, database: Database, other_process: Database
) -> None:
    async with database.transaction() as connection:
        assert len(await waves.begin(connection, met.mission, 0, EVENING)) == 2
        second = asyncio.create_task(ask(other_process, EVENING))
        async with asyncio.timeout(60), other_process.reading() as looking:
            while not await looking.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
            ):
                assert not second.done(), "The second did not wait."
                await asyncio.sleep(0.01)
    assert await second == 0
    assert await asked() == []


async def test_many_processes_ask_each_once(
    met: Any, stored: Any, asked: Asked, database: Database, other_process: Database
) -> None:
    for number in range(40):
        await stored(met.meeting(number=number % 8, parties=met.parties(uuid4(), uuid4())))
    processes = [database, other_process] * 4
    counts = await asyncio.gather(*(ask(process, EVENING) for process in processes))
    assert sum(counts) == 82
    said = await asked()
    assert len(said) == len(set(said)) == 82


async def test_a_crash_between_noting_and_queueing_leaves_nothing_and_is_made_up_for(
    met: Any, asked: Asked, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(asking, "tell", crash)
        with pytest.raises(ConnectionResetError):
            await ask(database, EVENING)
    assert await asked() == []
    assert await ask(database, EVENING + timedelta(minutes=1)) == 2
    assert await asked() == everybody(met)


async def test_the_loop_asks_by_itself(
    met: Any, asked: Asked, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "now", lambda: EVENING)
    async with cancelling(sweeping.for_ever(asking.ask, database)), asyncio.timeout(60):
        while await asked() != everybody(met):
            await asyncio.sleep(0.01)


async def test_what_is_made_up_for_waits_for_the_morning(
    met: Any, asked: Asked, database: Database
) -> None:
    night = datetime(2023, 4, 14, 2, tzinfo=SHANGHAI)
    assert await ask(database, night) == 0
    assert await asked() == []
    assert await ask(database, night.replace(hour=7)) == 2
    rules = Rules(quiet_from=time(9), quiet_until=time(12))
    async with database.transaction() as connection:
        await wishes.put_rules(connection, met.mission, rules, 0)
    due = moment(90, LAST_DAY, SHANGHAI)
    assert [await ask(database, due + timedelta(hours=h)) for h in (0, 2)] == [0, 2]


async def test_nobody_is_asked_who_was_erased_and_who_was_asked_is_forgotten(
    met: Any, asked: Asked, database: Database, resources: Resources
) -> None:
    async def erase(person: UUID) -> None:
        event = PersonErased(person_id=person, mission_id=met.mission, erased_at=now())
        async with database.transaction() as connection:
            await erasing.erase(connection, resources.live, resources.contacts, event)

    await erase(met.delegate)
    assert await ask(database, EVENING) == 1
    assert await asked() == [(met.local, "email")]
    async with database.reading() as connection:
        assert "result_wave" in await people.everything(connection, met.local)
    await erase(met.local)
    async with database.reading() as connection:
        assert set(await people.everything(connection, met.local)) == {"erased_person"}
    assert await ask(database, moment(90, LAST_DAY, SHANGHAI)) == 0


async def test_a_mission_that_asks_nobody_does_so_until_it_is_switched_on_again(
    met: Any, asked: Asked, staff: Principal, browser: Any, database: Database
) -> None:
    page, rules = (
        f"/desk/missions/{met.mission}/messages",
        f"/api/v1/messages/rules/{met.mission}",
    )

    async def switch(*, on: bool) -> None:
        found = await browser.get(rules, staff)
        body, seen = found.json() | {"asks_for_results": on}, {"If-Match": found.headers["etag"]}
        answer = await browser.send("PUT", rules, staff, json=body, headers=seen)
        assert answer.status_code == 204

    await switch(on=False)
    assert 'name="asks_for_results" value="yes">' in (await browser.get(page, staff)).text
    due = moment(90, LAST_DAY, SHANGHAI)
    assert [await ask(database, at) for at in (EVENING, due)] == [0, 0]
    await switch(on=True)
    assert 'name="asks_for_results" value="yes" checked>' in (await browser.get(page, staff)).text
    assert [await ask(database, due + late * SECOND) for late in (1, 2)] == [2, 0]
    await switch(on=False)
    await switch(on=True)
    assert await ask(database, due + 3 * SECOND) == 0
    assert await asked() == everybody(met)
    trail = (await browser.get(f"/api/v1/messages/audit/{met.mission}", staff)).json()["items"]
    assert [one["details"]["asks_for_results"] for one in trail] == [True, False, True, False]
    assert "nobody is asked what came of it" in (await browser.get(f"{page}/audit", staff)).text
    assert "不征询成果" in (await browser.get(f"{page}/audit", staff, "zh")).text


async def test_a_switch_stops_one_mission_alone_and_is_its_staffs(
    met: Any, browser: Any, person: Any, database: Database
) -> None:
    async with database.transaction() as connection:
        other = uuid4()
        await facts.put_mission(
            connection, met.mission_announced().model_copy(update={"mission_id": other}), 1
        )
        await wishes.put_rules(connection, other, Rules(asks_for_results=False), 0)
    path = f"/api/v1/messages/rules/{met.mission}"
    body = {
        "channels": ["email"],
        "fallback": [],
        "urgent_minutes": 0,
        "quiet_from": "00:00",
        "quiet_until": "00:00",
        "asks_for_results": False,
    }
    for who in (
        Principal("mission_staff", uuid4(), other),
        person("partner_staff"),
        person("door_staff"),
        person("delegate", met.delegate),
    ):
        answer = await browser.send("PUT", path, who, json=body, headers={"If-Match": '"0"'})
        assert answer.status_code == 403
    assert await ask(database, EVENING) == 2


async def test_an_erased_id_that_a_late_write_brought_back_is_not_asked(
    met: Any, stored: Any, asked: Asked, database: Database, resources: Resources
) -> None:
    event = PersonErased(person_id=met.delegate, mission_id=met.mission, erased_at=now())
    async with database.transaction() as connection:
        await erasing.erase(connection, resources.live, resources.contacts, event)
    await stored(met.meeting())
    assert await ask(database, EVENING) == 1
    assert await asked() == [(met.local, "email")]


async def test_who_was_asked_stays_on_file_until_the_waves_are_over(
    met: Any, database: Database
) -> None:
    await ask(database, EVENING)

    kept = []
    for late in (0 * SECOND, SECOND):
        await erasing.sweep(database, EVENING + KEPT + late)
        async with database.reading() as connection:
            kept.append("result_wave" in await people.everything(connection, met.local))
    assert kept == [True, False]
    assert moment(WAVES[-1], LAST_DAY, SHANGHAI) + OVERDUE_MAX - EVENING <= KEPT


async def test_the_letter_is_short_and_leads_to_the_page_in_the_readers_language(
    met: Any, database: Database, resources: Resources
) -> None:
    await ask(database, EVENING)
    letters = await told(resources)
    english, chinese = letters[met.delegate], letters[met.local]
    link = (
        "https://mission.example.org/sign-in?token=abc"
        f"&next=%2Foutcomes%3Fmission_id%3D{met.mission}"
    )
    assert english.subject == "What came of your meetings? Synthetic Mission"
    assert english.body.startswith("Dear Ada Sample,\n\nhas anything come of your meetings")
    assert chinese.subject == "洽谈有何成果？样例代表团"
    assert chinese.body.startswith("样例先生，您好：\n\n您的洽谈是否已有进展")
    for letter, button in ((english, "Say what came of it"), (chinese, "登记成果")):
        assert link in letter.body.split("\n")
        assert letter.unsubscribe in letter.body
        assert letter.unsubscribe.startswith("https://mission.example.org/messages/unsubscribe/")
        assert letter.link_words == button
        assert len(letter.body.split("\n\n")) == 5
    assert english.unsubscribe != chinese.unsubscribe


async def test_a_rehearsal_says_that_it_is_one(
    met: Any, database: Database, resources: Resources
) -> None:
    async with database.transaction() as connection:
        await facts.put_mission(connection, met.mission_announced(is_rehearsal=True), 2)
    await ask(database, EVENING)
    subjects = {letter.subject for letter in (await told(resources)).values()}
    assert subjects == {
        "[Rehearsal] What came of your meetings? Synthetic Mission",
        "【演练】洽谈有何成果？样例代表团",
    }


async def test_who_unsubscribed_is_not_asked(
    met: Any, database: Database, resources: Resources
) -> None:
    async with database.transaction() as connection:
        await wishes.put_announcements(connection, met.delegate, are_wanted=False)
    await ask(database, EVENING)
    assert set(await told(resources)) == {met.local}
    async with database.reading() as connection:
        states = await connection.fetch("SELECT person_id, state FROM message")
    assert {(row["person_id"], row["state"]) for row in states} == {
        (met.delegate, "suppressed"),
        (met.local, "sent"),
    }


async def test_people_are_asked_over_the_channels_that_they_chose(
    met: Any, asked: Asked, database: Database, resources: Resources
) -> None:
    async with database.transaction() as connection:
        await wishes.put(connection, met.delegate, Wishes(("sms",), phone="+4915700000000"))
    await ask(database, EVENING, ("email", "sms", "print"))
    assert set(await asked()) == {(met.delegate, "sms"), (met.local, "email")}
    (letter,) = (await told(resources, "sms")).values()
    assert letter.brief == (
        "Synthetic Mission: what came of your meetings? Please say so on your page."
    )


@pytest.fixture
def staff(person: Any, registration: Any) -> Principal:
    found: Principal = person("mission_staff")
    registration.know(found.subject, "staff@example.org", name="Sample Staff")
    return found


def typed(do: str, bodies: Sequence[str] = ("Well, {name}?\n{link}", "{name}\n{link}")) -> Any:
    texts = {"subject_en": "So?", "subject_zh": "成果？"}
    return texts | {"body_en": bodies[0], "body_zh": bodies[1], "do": do, "version": 0}


async def test_a_mission_asks_in_its_own_words_after_a_look_and_a_test(
    met: Any, staff: Principal, browser: Any, database: Database, resources: Resources
) -> None:
    page = f"/desk/missions/{met.mission}/messages/templates/results"
    shown = await browser.send("POST", page, staff, data=typed("preview"))
    assert "Well, Alex Sample?" in shown.text
    without = await browser.send("POST", page, staff, data=typed("save", ("Well?", "好吗？")))
    assert without.status_code == 422
    await browser.send("POST", page, staff, data=typed("test"))
    tried = await told(resources)
    assert set(tried) == {staff.subject}
    assert tried[staff.subject].subject == "【测试】成果？"
    await browser.send("POST", page, staff, data=typed("save"))
    await ask(database, EVENING)
    letters = await told(resources)
    assert letters[met.delegate].subject == "So?"
    assert letters[met.delegate].body.startswith("Well, Ada Sample?\nhttps://mission.example.org/")
    # One click ends it whatever the words are.
    assert letters[met.delegate].unsubscribe


async def test_the_delivery_log_of_where_they_met_last_shows_it(
    met: Any, stored: Any, staff: Principal, browser: Any, database: Database
) -> None:
    later = met.meeting(
        number=2, stop_id=met.other_stop, parties=met.parties(met.delegate, uuid4())
    )
    await stored(later)
    await ask(database, EVENING)
    for stop, person, absent in (
        (met.stop, met.local, met.delegate),
        (met.other_stop, met.delegate, met.local),
    ):
        async with database.reading() as connection:
            written_to = await deliveries.people_of_stop(connection, stop)
        assert person in written_to
        assert absent not in written_to
        page = f"/desk/stops/{stop}/deliveries?shown=all"
        assert "What came of it" in (await browser.get(page, staff)).text
        assert "成果征询" in (await browser.get(page, staff, "zh")).text
