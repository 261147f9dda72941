"""What scores are about, and what they say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from shared.events.base import Bilingual, Side
from shared.events.registration import Listing


@dataclass(frozen=True, slots=True)
class Profile:
    """A participant as scores see it: no name, company facts alone."""

    id: UUID
    side: Side
    organization: str
    native_organization: str | None
    sectors: frozenset[str]
    languages: frozenset[str]
    listings: tuple[Listing, ...]
    partner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a pair fits: a stable code, the sentence in both languages, and what it names.

    `parameters` may hold `sector`, a code of the mission's, and `concept`, one of the taxonomy's.
    """

    code: str
    text: Bilingual
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)


class Recommendation(NamedTuple):
    """A scored pair as one of the two sees it; a tuple, for there are tens of thousands."""

    participant_id: UUID
    counterpart_id: UUID
    score: int
    reasons: tuple[Reason, ...]
    needs_interpreter: bool
