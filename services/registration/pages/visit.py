"""A visit: what a page needs to know of a request when it is shown again with what was wrong."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from services.registration.resources import Resources
from shared.access import Principal
from shared.errors import Refusal
from shared.problems import status_of


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, what is held open for it, by whom and when it came."""

    request: Request
    held: Resources
    who: Principal
    now: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong: fields, or the state of things."""

    wrong: frozenset[str] = frozenset()
    refusal: Refusal | None = None

    @property
    def status(self) -> int:
        """Give the HTTP status of a page that shows it."""
        if self.refusal:
            return status_of(self.refusal)
        return 422 if self.wrong else 200

    @property
    def code(self) -> str:
        """Give the refusal's code, or nothing."""
        return self.refusal.code if self.refusal else ""


NONE = Trouble()
