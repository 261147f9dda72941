"""What the rules promise, whatever the hour, the zone, the mission and the person."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.mail import ChannelName, Kind
from services.notify.domain.rules import (
    AT_ONCE,
    MAIL_ALONE,
    NEVER_PRINTED,
    OWN_CHOICE,
    Rules,
    Wishes,
    chosen,
    is_told_enough,
    second,
    turn,
)

CHANNELS: tuple[ChannelName, ...] = get_args(ChannelName)
SHANGHAI = ZoneInfo("Asia/Shanghai")

zones = st.sampled_from(
    [ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC")]
)
# Spring and autumn of a year, with both changes of the clock in them.
moments = st.timedeltas(timedelta(0), timedelta(days=275)).map(
    lambda since: datetime(2023, 3, 1, tzinfo=UTC) + since
)
hours = st.integers(0, 23).map(time)
some_channels = st.lists(st.sampled_from(CHANNELS), unique=True).map(tuple)
rules_of = st.builds(
    Rules,
    channels=some_channels,
    fallback=some_channels,
    urgent=st.integers(0, 48).map(lambda hours: timedelta(hours=hours)),
    digest_at=st.none() | hours,
    quiet_from=hours,
    quiet_until=hours,
)
wishes_of = st.builds(
    Wishes,
    channels=st.none() | some_channels,
    phone=st.none() | st.just("+8613800000000"),
    has_devices=st.booleans(),
)
ahead = st.timedeltas(timedelta(hours=-5), timedelta(days=20))


def is_quiet(at: datetime, rules: Rules, zone: ZoneInfo) -> bool:
    clock = at.astimezone(zone).time()
    if rules.quiet_from <= rules.quiet_until:
        return rules.quiet_from <= clock < rules.quiet_until
    return not rules.quiet_until <= clock < rules.quiet_from


@given(moments, ahead, st.booleans(), rules_of, zones)
def test_what_begins_soon_is_told_at_once_and_nothing_else_at_night(
    now: datetime, distance: timedelta, is_first: bool, rules: Rules, zone: ZoneInfo
) -> None:
    decided = turn(now + distance, is_first=is_first, rules=rules, zone=zone, now=now)
    assert decided.is_urgent == (distance <= rules.urgent)
    if decided.is_urgent:
        assert decided.at == now
    else:
        pressing = now + distance - rules.urgent
        assert now <= decided.at <= pressing
        assert not is_quiet(decided.at, rules, zone) or decided.at == pressing


@given(moments, ahead, st.booleans(), rules_of, zones)
def test_whose_turn_has_come_is_told_then(
    now: datetime, distance: timedelta, is_first: bool, rules: Rules, zone: ZoneInfo
) -> None:
    soonest = now + distance
    decided = turn(soonest, is_first=is_first, rules=rules, zone=zone, now=now)
    at_that_time = turn(soonest, is_first=True, rules=rules, zone=zone, now=decided.at)
    assert at_that_time.at == decided.at


@given(moments, ahead, rules_of, zones)
def test_nobody_waits_longer_than_a_day_and_its_night(
    now: datetime, distance: timedelta, rules: Rules, zone: ZoneInfo
) -> None:
    decided = turn(now + distance, is_first=False, rules=rules, zone=zone, now=now)
    assert decided.at - now <= timedelta(hours=49)


@given(moments, hours, zones)
def test_a_digest_is_told_when_the_stops_clock_shows_its_time(
    now: datetime, digest_at: time, zone: ZoneInfo
) -> None:
    rules = replace(AT_ONCE, digest_at=digest_at, urgent=timedelta(hours=4))
    decided = turn(now + timedelta(days=20), is_first=False, rules=rules, zone=zone, now=now)
    shown = decided.at.astimezone(zone).time()
    # A clock that is put forward never shows some times.
    assert shown in (digest_at, digest_at.replace(hour=(digest_at.hour + 1) % 24))


@given(st.sampled_from(get_args(Kind)), wishes_of, rules_of, some_channels)
def test_nothing_is_told_twice_over_one_channel_and_everything_over_one(
    kind: Kind, wishes: Wishes, rules: Rules, available: tuple[ChannelName, ...]
) -> None:
    told = chosen(kind, wishes, rules, available)
    assert len(set(told)) == len(told) >= 1
    assert set(told) <= {*available, "email"} & {*OWN_CHOICE}
    wanted = rules.channels if wishes.channels is None else wishes.channels
    assert set(told) <= {*wanted, "email"}
    assert "sms" not in told or wishes.phone
    assert "web_push" not in told or wishes.has_devices
    assert "email" not in told or told[0] == "email"


@given(st.sampled_from(get_args(Kind)), wishes_of, rules_of, some_channels)
def test_what_fails_everywhere_is_tried_everywhere_once(
    kind: Kind, wishes: Wishes, rules: Rules, available: tuple[ChannelName, ...]
) -> None:
    tried = [*chosen(kind, wishes, rules, available)]
    while (other := second(kind, tried, wishes, rules, available)) is not None:
        assert other not in tried
        assert other in available
        tried.append(other)
    able = {name for name in rules.fallback if name in available} - {"sms", "web_push"}
    if kind in NEVER_PRINTED:
        assert "print" not in tried
        able -= {"print"}
    assert kind in MAIL_ALONE or able <= set(tried)


@pytest.mark.parametrize(
    ("now", "begins", "told"),
    [
        ("2023-04-12T15:00", "2023-04-12T16:00", "2023-04-12T15:00"),
        ("2023-04-11T15:00", "2023-04-12T16:00", "2023-04-11T18:00"),
        ("2023-04-11T19:00", "2023-04-12T16:00", "2023-04-12T12:00"),
        ("2023-04-11T23:00", "2023-04-12T09:30", "2023-04-12T05:30"),
        ("2023-04-12T03:00", "2023-04-12T06:00", "2023-04-12T03:00"),
    ],
)
def test_a_missions_own_rules_as_its_staff_would_say_them(now: str, begins: str, told: str) -> None:
    at, soonest, expected = (
        datetime.fromisoformat(text).replace(tzinfo=SHANGHAI) for text in (now, begins, told)
    )
    assert turn(soonest, is_first=False, rules=Rules(), zone=SHANGHAI, now=at).at == expected


def test_the_first_schedule_waits_for_the_morning_and_for_nothing_else() -> None:
    evening = datetime(2023, 4, 1, 23, tzinfo=SHANGHAI)
    soonest = evening + timedelta(days=10)
    first = turn(soonest, is_first=True, rules=Rules(), zone=SHANGHAI, now=evening)
    assert first.at == datetime(2023, 4, 2, 7, tzinfo=SHANGHAI)
    noon = datetime(2023, 4, 1, 12, tzinfo=SHANGHAI)
    assert turn(soonest, is_first=True, rules=Rules(), zone=SHANGHAI, now=noon).at == noon


@given(moments, ahead, st.booleans(), zones)
def test_a_rehearsal_waits_for_nothing(
    now: datetime, distance: timedelta, is_first: bool, zone: ZoneInfo
) -> None:
    assert turn(now + distance, is_first=is_first, rules=AT_ONCE, zone=zone, now=now).at == now


def test_a_failed_mail_is_always_told_otherwise_and_the_rest_when_nothing_else_went() -> None:
    assert not is_told_enough("email", ["sent", "queued"])
    assert is_told_enough("web_push", ["sent"])
    assert is_told_enough("sms", ["failed", "queued"])
    assert not is_told_enough("web_push", ["failed", "superseded"])
    assert not is_told_enough("sms", [])
