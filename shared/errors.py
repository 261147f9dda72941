"""Refusals: the answers a rule gives when it says no.

Anything else that is raised is a bug or an outage.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in an input; `pointer` is a JSON Pointer (RFC 6901) into the request body."""

    pointer: str
    detail: str


class Refusal(Exception):
    """A rule said no. `code` is stable and machine-readable; `detail` is English for an API reader.

    Pages show the words of `refusal.<code>` in the reader's language instead of `detail`.
    """

    code = "refused"

    def __init__(self, detail: str, *, code: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        if code:
            self.code = code


class Malformed(Refusal):
    """The request lacks something it needs before it can be judged."""

    code = "malformed"


class Unauthenticated(Refusal):
    """Nobody is signed in, or the token is not ours or has expired."""

    code = "sign_in_needed"


class Forbidden(Refusal):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(Refusal):
    """There is no such thing, or none that the caller may see."""

    code = "not_found"


class Conflict(Refusal):
    """The state of things does not allow it now."""

    code = "conflict"


class Invalid(Refusal):
    """The input is readable and wrong; `faults` name the fields."""

    code = "invalid"


class Stale(Refusal):
    """The caller decided on an older revision than the current one."""

    code = "stale_revision"


class PreconditionMissing(Refusal):
    """The call needs an If-Match header with the revision it was decided on."""

    code = "revision_needed"


class Busy(Refusal):
    """More is asked at once than can be done; `retry_seconds` says when it is worth another try.

    `link` leads to where to wait for one's turn.
    """

    code = "busy"

    def __init__(
        self, detail: str, *, code: str = "", retry_seconds: float = 1.0, link: str = ""
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_seconds = retry_seconds
        self.link = link


class TooMany(Busy):
    """This caller asks more often than anybody may."""

    code = "too_many_requests"
