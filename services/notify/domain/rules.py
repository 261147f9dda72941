"""Rules: who hears what, when and how. Decided from values alone; times are of the stop's clock."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.notify.domain.mail import ChannelName, Kind, State
from shared.events.base import Language

DAY = timedelta(days=1)

OWN_CHOICE: tuple[ChannelName, ...] = ("email", "web_push", "sms")
"""What people choose from; a robot tells a whole group, and the desk's sheet is for the rest."""

MAIL_ALONE: tuple[Kind, ...] = ("sign_in", "trial")
"""What goes nowhere but to the mail address: its link is the sign-in itself, or it is a mail that
is tried out."""

MANY: tuple[Kind, ...] = ("announcement", "results")
"""What is written to many, and what people may do without."""

NEVER_PRINTED: tuple[Kind, ...] = ("results",)
"""What is told when no desk is there any more that would hand out a sheet."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a mission tells its people."""

    channels: tuple[ChannelName, ...] = ("email", "web_push")
    """For those who chose nothing."""
    fallback: tuple[ChannelName, ...] = ("email", "sms", "web_push", "print")
    """What is tried, in this order, when a channel failed for good."""
    urgent: timedelta = timedelta(hours=4)
    """Changes of what begins within this time are told at once, also at night."""
    digest_at: time | None = time(18)
    """All other changes are told together then; None: at once as well."""
    quiet_from: time = time(22)
    quiet_until: time = time(7)
    """What is not urgent waits meanwhile; no quiet hours where both are the same."""
    asks_for_results: bool = True
    """Whether who met is asked afterwards what came of it."""


AT_ONCE = Rules(digest_at=None, quiet_from=time(0), quiet_until=time(0))
"""For a rehearsal, which plays days in minutes."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How somebody wants to be told; what is None is left to the mission."""

    channels: tuple[ChannelName, ...] | None = None
    language: Language | None = None
    phone: str | None = None
    has_devices: bool = False
    """Whether any browser of this person takes messages."""
    announcements: bool = True
    """Whether what is written to many is to be sent to this person."""

    def reached_by(self, channel: ChannelName) -> bool:
        """Say whether there is anything to reach this person by over a channel."""
        return {"sms": bool(self.phone), "web_push": self.has_devices}.get(channel, True)


@dataclass(frozen=True, slots=True)
class Turn:
    """When something is told, and whether that is pressing."""

    at: datetime
    is_urgent: bool


def turn(soonest: datetime, *, is_first: bool, rules: Rules, zone: ZoneInfo, now: datetime) -> Turn:
    """Say when somebody hears of a change of what begins at `soonest`, before it or after it.

    The first news of a day waits for no digest. What waits is told before it becomes urgent.
    """
    pressing = soonest - rules.urgent
    if pressing <= now:
        return Turn(now, is_urgent=True)
    at = now if is_first or rules.digest_at is None else _next(rules.digest_at, zone, now)
    at = after_quiet(min(at, pressing), rules, zone)
    return Turn(min(at, pressing), is_urgent=False)


def chosen(
    kind: Kind, wishes: Wishes, rules: Rules, available: Collection[ChannelName]
) -> tuple[ChannelName, ...]:
    """Say over which channels somebody hears of something: each once, one at least.

    Mail comes first where it is among them: it has the calendar.
    """
    if kind in MAIL_ALONE:
        return ("email",)
    wanted = rules.channels if wishes.channels is None else wishes.channels
    found = [name for name in OWN_CHOICE if name in wanted and name in available]
    return tuple(filter(wishes.reached_by, found)) or ("email",)


def second(
    kind: Kind,
    tried: Collection[ChannelName],
    wishes: Wishes,
    rules: Rules,
    available: Collection[ChannelName],
) -> ChannelName | None:
    """Say which channel is tried when one failed for good; None: every one was."""
    if kind in MAIL_ALONE:
        return None
    out = {*tried, "print"} if kind in NEVER_PRINTED else tried
    left = (name for name in rules.fallback if name in available and name not in out)
    return next(filter(wishes.reached_by, left), None)


def is_told_enough(failed: ChannelName, others: Collection[State]) -> bool:
    """Say whether somebody is told although one channel failed for good.

    Without a mail there is no calendar, and of the others nobody knows whether they were seen: a
    failed mail is always told otherwise.
    """
    return failed != "email" and not {"queued", "sent"}.isdisjoint(others)


def _next(clock: time, zone: ZoneInfo, now: datetime) -> datetime:
    """Give the next moment, which may be this one, when the stop's clock shows a time."""
    today = now.astimezone(zone).date()
    moments = (_moment(today + days * DAY, clock, zone) for days in range(3))
    return next(moment for moment in moments if moment >= now)


def after_quiet(at: datetime, rules: Rules, zone: ZoneInfo) -> datetime:
    """Give the moment itself, or the end of the quiet hours that it falls into."""
    begin, end = rules.quiet_from, rules.quiet_until
    clock = at.astimezone(zone).time()
    is_quiet = begin <= clock < end if begin <= end else clock >= begin or clock < end
    return _next(end, zone, at) if is_quiet else at


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
