"""Mail: which events are told, how long changes are gathered, when a failed mail is tried again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

Kind = Literal[
    "confirmed",
    "waitlisted",
    "pending",
    "rejected",
    "offered",
    "offer_expired",
    "sign_in",
    "schedule",
    "application_drafted",
    "application_submitted",
    "application_info_requested",
    "application_selected",
    "application_reserve_listed",
    "application_rejected",
    "application_confirmed",
    "application_lapsed",
    "announcement",
    "trial",
    "results",
]

State = Literal["queued", "sent", "failed", "superseded", "suppressed"]

ChannelName = Literal["email", "web_push", "wecom", "sms", "print"]

Method = Literal["PUBLISH", "REQUEST", "CANCEL"]
"""What a calendar says of its meetings (RFC 5546, 1.4)."""

OF_APPLICATIONS: Mapping[str, Kind] = {
    "info_requested": "application_info_requested",
    "selected": "application_selected",
    "reserve_listed": "application_reserve_listed",
    "rejected": "application_rejected",
    "confirmed": "application_confirmed",
    "lapsed": "application_lapsed",
}
"""By the state of a company's application, the mail that tells it; of the others nobody is told."""

QUIET = timedelta(seconds=4)
"""A schedule mail waits until no change came for this long,"""
WAIT_MAX = timedelta(seconds=20)
"""but not longer than this."""

LEASE = timedelta(seconds=120)
"""How long a claimed mail belongs to its sender; after a crash another one takes it then."""
ATTEMPTS_MAX = 18
BACKOFF_MIN = timedelta(seconds=5)
BACKOFF_MAX = timedelta(hours=1)

COPIES_MAX = 3
"""A message of which so many attempts ended in the dark is not handed over again: each of them may
have arrived."""

REASON_LENGTH_MAX = 300
_ADDRESS = re.compile(r"<?[^\s<>\"']+@[^\s<>\"']+>?")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is to be sent over a channel, by ids."""

    id: int
    message_id: UUID
    kind: Kind
    person_id: UUID
    mission_id: UUID
    stop_id: UUID | None
    programme_item_id: UUID | None
    attempts: int
    """Counts this one."""
    notification_id: UUID
    """The same for what is said over several channels."""
    offered_until: datetime | None = None
    announcement_id: UUID | None = None
    channel: ChannelName = "email"
    is_urgent: bool = False
    is_lead: bool = True
    """The first of its notification: what it tells counts as told. Others tell it as well."""


class NotYet(Exception):
    """Something that the mail needs has not arrived yet."""


class Never(Exception):
    """The mail can never be sent, and why."""


class Unwanted(Never):
    """The reader said that such mails are not to be sent."""


class NothingNew(Exception):
    """An earlier mail has said all of it."""


def backoff(attempts: int) -> timedelta:
    """Give the wait after that many failed attempts: doubled each time, an hour at most."""
    doublings: int = min(attempts - 1, 16)
    return min(BACKOFF_MIN * (1 << doublings), BACKOFF_MAX)


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """Say when to try again; None is never."""
    return now + backoff(attempts) if attempts < ATTEMPTS_MAX else None


def without_addresses(reason: str) -> str:
    """Shorten a server's answer and take e-mail addresses out: the queue holds none."""
    return _ADDRESS.sub("<address>", reason)[:REASON_LENGTH_MAX]
