"""Webhooks: signatures (Standard Webhooks 1.0), when to try again, and when to give up."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Scheme = Literal["v1", "v1a"]
State = Literal["active", "paused", "disabled"]
Reason = Literal["gone", "failing"]

SECRET_LENGTH = 32
ROTATION = timedelta(hours=24)
"""How long a secret that was replaced signs as well."""
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PAUSES = (
    *(timedelta(seconds=5), 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR),
    *(10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
)
"""After each attempt but the last."""
JITTER = 0.1
FAILING_MAX = timedelta(days=5)
REST_MIN, REST_MAX = timedelta(seconds=5), 10 * MINUTE
THROTTLED = (429, 502, 503, 504)
THROTTLE_MIN, THROTTLE_MAX = timedelta(seconds=10), 24 * HOUR
GONE = 410
REFUSED = (400, 404, 405, GONE, 413, 415, 422)
"""Of this one message, and most likely of its next attempt as well."""
REFUSALS_MAX = 4
"""So many, over half an hour, and it is given up: what comes after it is not held for three days.
Until then its receiver may be in the middle of an update."""
SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Secret:
    """What signs: 32 bytes, of which `v1a` makes a key pair (Ed25519)."""

    scheme: Scheme
    key: bytes

    def text(self) -> str:
        """Give what the receiver needs: the secret, or the public key alone."""
        if self.scheme == "v1":
            return "whsec_" + base64.b64encode(self.key).decode()
        public = Ed25519PrivateKey.from_private_bytes(self.key).public_key()
        return "whpk_" + base64.b64encode(public.public_bytes_raw()).decode()

    def sign(self, content: bytes) -> str:
        """Sign, and say by which scheme."""
        if self.scheme == "v1":
            signature = hmac.digest(self.key, content, "sha256")
        else:
            signature = Ed25519PrivateKey.from_private_bytes(self.key).sign(content)
        return f"{self.scheme},{base64.b64encode(signature).decode()}"


def headers(
    event_id: UUID, body: bytes, secrets: Sequence[Secret], now: datetime
) -> dict[str, str]:
    """Give the headers of an attempt: the id is the event's, the time that of the attempt."""
    timestamp = str(int(now.timestamp()))
    content = f"{event_id}.{timestamp}.".encode() + body
    return {
        "Content-Type": "application/json",
        "webhook-id": str(event_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(secret.sign(content) for secret in secrets),
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: an answer's status, or None where nobody answered."""

    status: int | None
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Whether it was taken; a redirect was not, and is not followed."""
        return self.status in SUCCESS

    @property
    def is_refusal(self) -> bool:
        """Whether it will be the same next time, as far as one can tell."""
        return self.status in REFUSED

    @property
    def rest(self) -> timedelta:
        """Give how long the endpoint asks to be left alone."""
        if self.is_success:
            return timedelta()
        least = THROTTLE_MIN if self.status in THROTTLED else timedelta()
        return min(max(self.retry_after or least, least), THROTTLE_MAX)


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3); None for anything else."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= len("86400"):
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(until - now, timedelta())


def next_attempt(
    tries: tuple[int, int], outcome: Outcome, now: datetime, chance: float
) -> datetime | None:
    """Say when to try again after so many attempts, and so many refusals among them; None: never.

    `chance`, from 0 to 1, spreads what failed together.
    """
    attempts, refusals = tries
    if attempts > len(PAUSES) or (outcome.is_refusal and refusals >= REFUSALS_MAX):
        return None
    pause = PAUSES[(refusals if outcome.is_refusal else attempts) - 1] * (1 + JITTER * chance)
    return now + max(pause, outcome.rest)


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint fares. A circuit breaker: after a failure one attempt at a time is made."""

    state: State = "active"
    reason: Reason | None = None
    failures: int = 0
    """Rounds of attempts since the last success."""
    failing_since: datetime | None = None
    resting_until: datetime | None = None

    def after(self, outcomes: Sequence[Outcome], now: datetime) -> "Health":
        """Say how it fares after a round of attempts."""
        rest = max(outcome.rest for outcome in outcomes)
        throttled = now + rest if rest else None
        if any(outcome.status == GONE for outcome in outcomes):
            return replace(self, state="disabled", reason="gone", resting_until=None)
        if any(outcome.is_success for outcome in outcomes):
            return replace(self, failures=0, failing_since=None, resting_until=throttled)
        since = self.failing_since or now
        if now - since >= FAILING_MAX:
            return replace(self, state="disabled", reason="failing", resting_until=None)
        pause = min(REST_MIN * 2 ** min(self.failures, 10), REST_MAX)
        return replace(
            self,
            failures=self.failures + 1,
            failing_since=since,
            resting_until=now + max(pause, rest),
        )


def told(headers: Mapping[str, str] | Sequence[tuple[str, str]], first: str) -> str:
    """Write a head as the log shows it."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [first, *(f"{name}: {value}" for name, value in pairs)]
    return "\n".join(lines).replace("\0", "\N{REPLACEMENT CHARACTER}")
