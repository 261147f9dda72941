"""Scans: what the door is told when a badge is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.registration.domain.taking_back import counts

OPENS_BEFORE = timedelta(hours=3)
"""How long before an item begins people may arrive."""
AGE_MAX = timedelta(days=14)
"""No phone keeps a scan for longer than a journey: its clock was put right in between."""

ON_ITS_WAY_MAX = timedelta(seconds=10)
"""So long a phone waits for an answer: its clock is right, as far as anybody can tell."""


class Outcome(StrEnum):
    """What became of a scan."""

    ACCEPTED = "accepted"
    ALREADY = "already"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why somebody is not let in. The list is closed: pages have words for each."""

    UNKNOWN_CODE = "unknown_code"
    REVOKED_BADGE = "revoked_badge"
    ERASED = "erased"
    OTHER_STOP = "other_stop"
    OTHER_ITEM = "other_item"
    NOT_YOUR_INVITEE = "not_your_invitee"
    NOT_CONFIRMED = "not_confirmed"
    WAITLISTED = "waitlisted"
    NOT_ACCEPTED = "not_accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    NOT_YET_OPEN = "not_yet_open"
    CHECK_IN_UNDONE = "check_in_undone"
    """Scanned before a check-in was taken back, and heard of after it: look, and scan again."""
    NONCE_REUSED = "nonce_reused"


_BY_STATUS = {
    "pending_approval": Reason.NOT_CONFIRMED,
    "waitlisted": Reason.WAITLISTED,
    "offered": Reason.NOT_ACCEPTED,
    "offer_expired": Reason.CANCELLED,
    "rejected": Reason.REJECTED,
    "cancelled": Reason.CANCELLED,
}
STATUSES = ("confirmed", *_BY_STATUS)
_IS_OVER = frozenset({"offer_expired", "rejected", "cancelled"})


@dataclass(frozen=True, slots=True)
class Holding:
    """A registration of whoever is at the door, to an item of this stop."""

    registration_id: UUID
    programme_item_id: UUID
    status: str
    starts_at: datetime
    ends_at: datetime
    checked_in_at: datetime | None = None
    check_in_undone_at: datetime | None = None
    """When a check-in was last taken back."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is on file about what was shown: nobody, or somebody with registrations here."""

    person_id: UUID | None
    badge_id: UUID | None = None
    is_revoked: bool = False
    is_erased: bool = False
    holdings: Sequence[Holding] = ()
    """Those that the scanner may see."""
    is_somebody_elses: bool = False
    """Whether there are holdings here that the scanner may not see."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the door is told."""

    outcome: Outcome
    reason: Reason | None = None
    holding: Holding | None = None
    checked_in_at: datetime | None = None


def happened(scanned_at: datetime, sent_at: datetime | None, now: datetime) -> datetime:
    """Say when a scan was, by our clock: phones know how long ago it was, not what time it is.

    A clock that is behind by no more than a sending takes is believed: the time on the way must not
    bring a scan behind what was done in it.
    """
    if sent_at is None or timedelta() <= now - sent_at <= ON_ITS_WAY_MAX:
        sent_at = now
    age = sent_at - scanned_at
    return now - age if timedelta() <= age <= AGE_MAX else now


def judge(shown: Shown, item_id: UUID | None, at: datetime) -> Verdict:
    """Decide about whoever shows a badge at a time, at an item or at whatever is on."""
    reason = _barred(shown)
    if reason is not None:
        return Verdict(Outcome.REFUSED, reason)
    holding = _meant(shown.holdings, item_id, at)
    if holding is None:
        return Verdict(Outcome.REFUSED, Reason.OTHER_ITEM)
    if holding.status != "confirmed":
        return Verdict(Outcome.REFUSED, _BY_STATUS[holding.status], holding)
    return _arrival(holding, at)


def _arrival(holding: Holding, at: datetime) -> Verdict:
    stands = counts(at, holding.check_in_undone_at)
    if holding.checked_in_at is not None:
        # One that was taken back does not become the time of the one that stands.
        arrived_at = min(holding.checked_in_at, at) if stands else holding.checked_in_at
        return Verdict(Outcome.ALREADY, None, holding, arrived_at)
    if not stands:
        return Verdict(Outcome.REFUSED, Reason.CHECK_IN_UNDONE, holding)
    if at < holding.starts_at - OPENS_BEFORE:
        return Verdict(Outcome.REFUSED, Reason.NOT_YET_OPEN, holding)
    return Verdict(Outcome.ACCEPTED, None, holding, at)


def _barred(shown: Shown) -> Reason | None:
    if shown.person_id is None:
        return Reason.UNKNOWN_CODE
    if shown.is_erased:
        return Reason.ERASED
    if shown.is_revoked:
        return Reason.REVOKED_BADGE
    if not shown.holdings:
        return Reason.NOT_YOUR_INVITEE if shown.is_somebody_elses else Reason.OTHER_STOP
    return None


def _meant(holdings: Sequence[Holding], item_id: UUID | None, at: datetime) -> Holding | None:
    """Find the registration a scan is about.

    Without an item it is the confirmed one whose door is open; else the one that comes next; else
    the last. What was checked in before counts not: a second look at a badge finds the same again.
    """
    if item_id is not None:
        return next((one for one in holdings if one.programme_item_id == item_id), None)

    def order(holding: Holding) -> tuple[bool, bool, bool, float]:
        is_past = holding.ends_at <= at
        is_open = holding.starts_at - OPENS_BEFORE <= at and not is_past
        begins = holding.starts_at.timestamp()
        return (
            not (is_open and holding.status == "confirmed"),
            is_past,
            holding.status in _IS_OVER,
            -begins if is_past else begins,
        )

    return min(holdings, key=order)
