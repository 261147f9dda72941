"""Taking back: a check-in that was a mistake, and why it was one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from shared.errors import Conflict

Mistake = Literal["wrong_person", "wrong_item", "not_inside", "trial", "other"]
"""Another badge or row than was meant; another programme item; somebody who did not go in after
all; a trial before the doors opened; something else. The list is closed: pages have words for
each, and the audit trail holds codes alone."""
MISTAKES: tuple[Mistake, ...] = get_args(Mistake)


@dataclass(frozen=True, slots=True)
class Undoing:
    """Why a check-in is taken back, and which one: when it was, as somebody saw it."""

    mistake: Mistake
    checked_in_at: datetime | None = None


def is_to_be_undone(checked_in_at: datetime | None, meant: datetime | None) -> bool:
    """Say whether there is a check-in to take back, which is the one that was meant.

    Raises `Conflict` where the one that was meant is gone and the person was checked in anew: that
    was no mistake of before. An earlier time than was seen is the same arrival: a scan came late.
    """
    if checked_in_at is None:
        return False
    if meant is not None and checked_in_at > meant:
        raise Conflict(
            f"This check-in is a new one, of {checked_in_at.isoformat()}: look at it first.",
            code="checked_in_again",
        )
    return True


def counts(at: datetime, undone_at: datetime | None) -> bool:
    """Say whether an arrival of this time stands, where one was last taken back at `undone_at`."""
    return undone_at is None or at > undone_at
