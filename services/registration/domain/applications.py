"""Applications of companies: their states, and who may lead them from which to which."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.errors import Conflict, Fault, Forbidden, Invalid


class Status(StrEnum):
    """The state of an application."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    INFO_REQUESTED = "info_requested"
    SELECTED = "selected"
    RESERVE_LISTED = "reserve_listed"
    REJECTED = "rejected"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


class Actor(StrEnum):
    """Who changes a state."""

    APPLICANT = "applicant"
    STAFF = "staff"
    CLOCK = "clock"


class Action(StrEnum):
    """What somebody does about an application."""

    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    BEGIN_REVIEW = "begin_review"
    REQUEST_INFO = "request_info"
    ANSWER = "answer"
    RESUME = "resume"
    SELECT = "select"
    RESERVE = "reserve"
    REJECT = "reject"
    CONFIRM = "confirm"
    DECLINE = "decline"
    LAPSE = "lapse"
    REOPEN = "reopen"


_APPLICANT = frozenset({Actor.APPLICANT})
_STAFF = frozenset({Actor.STAFF})
_CLOCK = frozenset({Actor.CLOCK})
# Staff acts for a company that telephones.
_EITHER = _APPLICANT | _STAFF

S, A = Status, Action

TRANSITIONS: Mapping[tuple[Status, Action], tuple[Status, frozenset[Actor]]] = {
    (S.DRAFT, A.SUBMIT): (S.SUBMITTED, _APPLICANT),
    (S.DRAFT, A.WITHDRAW): (S.WITHDRAWN, _EITHER),
    (S.SUBMITTED, A.BEGIN_REVIEW): (S.IN_REVIEW, _STAFF),
    (S.SUBMITTED, A.REQUEST_INFO): (S.INFO_REQUESTED, _STAFF),
    (S.SUBMITTED, A.REJECT): (S.REJECTED, _STAFF),
    (S.SUBMITTED, A.WITHDRAW): (S.WITHDRAWN, _EITHER),
    (S.IN_REVIEW, A.REQUEST_INFO): (S.INFO_REQUESTED, _STAFF),
    (S.IN_REVIEW, A.SELECT): (S.SELECTED, _STAFF),
    (S.IN_REVIEW, A.RESERVE): (S.RESERVE_LISTED, _STAFF),
    (S.IN_REVIEW, A.REJECT): (S.REJECTED, _STAFF),
    (S.IN_REVIEW, A.WITHDRAW): (S.WITHDRAWN, _EITHER),
    (S.INFO_REQUESTED, A.ANSWER): (S.IN_REVIEW, _APPLICANT),
    (S.INFO_REQUESTED, A.RESUME): (S.IN_REVIEW, _STAFF),
    (S.INFO_REQUESTED, A.REJECT): (S.REJECTED, _STAFF),
    (S.INFO_REQUESTED, A.WITHDRAW): (S.WITHDRAWN, _EITHER),
    (S.SELECTED, A.CONFIRM): (S.CONFIRMED, _EITHER),
    (S.SELECTED, A.DECLINE): (S.DECLINED, _EITHER),
    (S.SELECTED, A.LAPSE): (S.LAPSED, _CLOCK),
    (S.RESERVE_LISTED, A.SELECT): (S.SELECTED, _STAFF | _CLOCK),
    (S.RESERVE_LISTED, A.REJECT): (S.REJECTED, _STAFF),
    (S.RESERVE_LISTED, A.WITHDRAW): (S.WITHDRAWN, _EITHER),
    (S.CONFIRMED, A.WITHDRAW): (S.WITHDRAWN, _EITHER),
    (S.REJECTED, A.REOPEN): (S.IN_REVIEW, _STAFF),
    (S.DECLINED, A.REOPEN): (S.IN_REVIEW, _STAFF),
    (S.LAPSED, A.REOPEN): (S.IN_REVIEW, _STAFF),
    (S.WITHDRAWN, A.REOPEN): (S.IN_REVIEW, _STAFF),
}
"""State and action, then the state that follows and who may do it. What is not here is refused."""

EDITABLE = frozenset({Status.DRAFT, Status.SUBMITTED})
REVIEWABLE = frozenset({Status.IN_REVIEW, Status.INFO_REQUESTED})
HOLDS_A_PLACE = frozenset({Status.SELECTED, Status.CONFIRMED})
SIGNABLE = frozenset(Status) - {
    Status.DRAFT,
    Status.REJECTED,
    Status.DECLINED,
    Status.LAPSED,
    Status.WITHDRAWN,
}
"""Where a company may sign a text that changed after it had signed."""
NEEDS_A_MESSAGE = frozenset({Action.REQUEST_INFO, Action.ANSWER})

CERTIFICATIONS = ("home_content", "export_control", "anti_bribery", "litigation")
"""What every company certifies, in the order in which it is asked."""


class Minimum(StrEnum):
    """Whether enough companies have confirmed for the mission to take place."""

    REACHED = "reached"
    OPEN = "open"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Terms:
    """When a mission takes applications, how many it wants, and how long a place is held."""

    timezone: str
    opens_at: datetime
    closes_at: datetime
    decide_on: date
    participants_min: int
    participants_max: int
    days_to_confirm: int

    def is_open(self, now: datetime) -> bool:
        """Say whether applications are taken and may still be changed."""
        return self.opens_at <= now < self.closes_at

    def check_open(self, now: datetime) -> None:
        """Raise `Conflict` unless applications are taken."""
        if now < self.opens_at:
            raise Conflict("Applications are not taken yet.", code="call_not_open")
        if now >= self.closes_at:
            raise Conflict("The time for applications is over.", code="call_closed")

    def minimum(self, confirmed: int, now: datetime) -> Minimum:
        """Say how the number of confirmed companies stands; the day of decision counts in full."""
        if confirmed >= self.participants_min:
            return Minimum.REACHED
        return Minimum.OPEN if now < self.decided_at else Minimum.NOT_REACHED

    @property
    def decided_at(self) -> datetime:
        """When the day of decision is over, in the call's zone."""
        day_after = self.decide_on + timedelta(days=1)
        return datetime.combine(day_after, time(), ZoneInfo(self.timezone))

    def confirm_by(self, now: datetime, starts_on: date) -> datetime:
        """Give the time by which a company that is selected now confirms: before the mission."""
        start = datetime.combine(starts_on, time(), ZoneInfo(self.timezone))
        return min(now + timedelta(days=self.days_to_confirm), start)

    def may_offer(self, now: datetime, starts_on: date) -> bool:
        """Say whether a place may still be offered: nobody is invited once the mission began."""
        return self.confirm_by(now, starts_on) > now


def decided(status: Status, action: Action, actor: Actor, *, was_submitted: bool = True) -> Status:
    """Give the state after an action.

    Raises `Conflict` where the state does not allow it, `Forbidden` where it is for somebody else.
    """
    found = TRANSITIONS.get((status, action))
    if found is None:
        raise Conflict(
            f"An application that is {status} cannot be changed by: {action}.",
            code="illegal_state",
        )
    outcome, actors = found
    if actor not in actors:
        raise Forbidden(f"This ({action}) is not for {actor}.")
    if action is Action.REOPEN and not was_submitted:
        return Status.DRAFT
    return outcome


def actions(status: Status, actor: Actor) -> tuple[Action, ...]:
    """List what somebody may do about an application now."""
    return tuple(
        action
        for (of, action), (_, actors) in TRANSITIONS.items()
        if of == status and actor in actors
    )


def check_message(action: Action, message: str | None) -> None:
    """Raise `Invalid` when an action says something to the other side and nothing is said."""
    if action in NEEDS_A_MESSAGE and not (message or "").strip():
        fault = Fault("/message", "Write what the other side is to know.")
        raise Invalid("A message is needed.", faults=[fault])


def check_in_time(confirm_by: datetime | None, now: datetime) -> None:
    """Raise `Conflict` when a place was not confirmed in time."""
    if confirm_by is not None and now >= confirm_by:
        raise Conflict("The time to confirm is over.", code="too_late")
