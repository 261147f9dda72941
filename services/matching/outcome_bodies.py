"""What callers send about meetings that are over, and about what came of them."""

from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints, model_validator

from services.matching.domain.feedback import USEFULNESS_MAX, NextStep
from services.matching.domain.outcomes import Deal, Evidence
from shared.events.base import Side
from shared.events.matching import OutcomeKind
from shared.http import Body

NOTE_LENGTH_MAX = 1_000
EVIDENCE_MAX = 10

Note = Annotated[str, StringConstraints(min_length=1, max_length=NOTE_LENGTH_MAX)]
Value = Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=2)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class MeetingReportBody(Body):
    """What a meeting was to one of the two; without `participant_id` to the caller."""

    participant_id: UUID | None = None
    was_held: StrictBool
    usefulness: Annotated[int, Field(strict=True, ge=1, le=USEFULNESS_MAX)] | None = None
    next_step: NextStep | None = None
    note: Note | None = None


class EvidenceBody(Body):
    """A link, a text, or a note of a document that is kept elsewhere."""

    kind: Literal["link", "text", "attachment"]
    content: Note

    @model_validator(mode="after")
    def _is_a_link(self) -> "EvidenceBody":
        found = urlsplit(self.content)
        if self.kind == "link" and not (found.scheme == "https" and found.netloc):
            raise ValueError("A link begins with https://.")
        return self


class WordBody(Body):
    """A word on an outcome; `side`: for which side staff speaks, its own word without."""

    side: Side | None = None
    note: Note | None = None


class DealBody(WordBody):
    """What a deal is, and what shows it. `value` in whole units of `currency` (ISO 4217)."""

    kind: OutcomeKind
    value: Value | None = None
    currency: Currency | None = None
    evidence: list[EvidenceBody] = Field(default_factory=list, max_length=EVIDENCE_MAX)

    @property
    def deal(self) -> Deal:
        """What is stated."""
        return Deal(self.kind, self.value, self.currency)

    @property
    def shown_by(self) -> tuple[Evidence, ...]:
        """What shows it."""
        return tuple(Evidence(kind=one.kind, content=one.content) for one in self.evidence)


class OutcomeBody(DealBody):
    """A deal of two; `is_another` opens one beside those that their companies have."""

    delegate_id: UUID
    local_id: UUID
    stop_id: UUID | None = None
    is_another: StrictBool = False
