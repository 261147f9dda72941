"""Outcomes: the ledger of deals. A deal is counted once, whoever tells of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args
from uuid import UUID

from services.matching.domain.currencies import CURRENCIES
from shared.errors import Conflict, Fault, Invalid
from shared.events.base import Facts, Side
from shared.events.matching import OutcomeKind, OutcomeState

Act = Literal["report", "verify", "dispute", "retract"]

KINDS: tuple[OutcomeKind, ...] = get_args(OutcomeKind)
"""From the first contact to what binds most."""

WITHOUT_VALUE: frozenset[OutcomeKind] = frozenset({"follow_up", "nda"})


@dataclass(frozen=True, slots=True)
class Deal:
    """What is agreed, as somebody states it; `value` in whole units of `currency` (ISO 4217)."""

    kind: OutcomeKind
    value: Decimal | None = None
    currency: str | None = None


class Evidence(Facts):
    """What shows that it is so: a link, a text, or a note of a document that is kept elsewhere."""

    kind: Literal["link", "text", "attachment"]
    content: str


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, and for which side; None is the staff's own word."""

    id: UUID
    role: str
    side: Side | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One word in the ledger."""

    revision: int
    act: Act
    deal: Deal
    evidence: tuple[Evidence, ...]
    is_evidenced: bool
    note: str | None
    by: Speaker
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a deal stands after all that was said of it."""

    deal: Deal
    state: OutcomeState
    revision: int
    author: Speaker
    """Who stated the deal as it stands."""

    @property
    def is_open(self) -> bool:
        """Whether it is counted at all."""
        return self.state != "retracted"


def standing(statements: Sequence[Statement]) -> Standing:
    """Give where a deal stands; there is one statement at least, in order."""
    state: OutcomeState = "reported"
    author = statements[0].by
    deal = statements[0].deal
    for one in statements:
        if one.act == "report":
            is_new = one.deal != deal or state in ("disputed", "retracted") or one.revision == 1
            if is_new:
                author, deal, state = one.by, one.deal, "reported"
            if one.is_evidenced and state == "reported":
                state = "evidenced"
        else:
            state = _AFTER[one.act]
    return Standing(deal, state, statements[-1].revision, author)


_AFTER: Mapping[Act, OutcomeState] = {
    "verify": "verified",
    "dispute": "disputed",
    "retract": "retracted",
}


def reported_as(now: Standing, deal: Deal, by: Speaker) -> Act:
    """Say what a report is to the ledger: the other side's own words for the same are a yes."""
    is_waiting = now.state in ("reported", "evidenced")
    return "verify" if is_waiting and deal == now.deal and may_judge(now, by) else "report"


def may_judge(now: Standing, by: Speaker) -> bool:
    """Say whether somebody may confirm or dispute: nobody judges the word of the own side."""
    is_own_side = by.side is not None and by.side == now.author.side
    return by.id != now.author.id and not is_own_side


def check_judgement(now: Standing, act: Literal["verify", "dispute"], by: Speaker) -> None:
    """Raise `Conflict` where a deal is not to be confirmed or disputed by this speaker."""
    allowed = ("reported", "evidenced", *(("verified",) if act == "dispute" else ("disputed",)))
    if now.state not in allowed:
        raise Conflict(f"An outcome that is {now.state} is not judged.", code="illegal_state")
    if not may_judge(now, by):
        raise Conflict("Nobody confirms or disputes the own word.", code="own_word")


def check_retraction(now: Standing, by: Speaker) -> None:
    """Raise `Conflict` unless it is the own word, or staff's to take back, and still counted."""
    if not now.is_open:
        raise Conflict("It is retracted already.", code="illegal_state")
    if by.side is not None and by.side != now.author.side:
        raise Conflict("Only who stated it takes it back; dispute it.", code="not_own_word")


def meant(deals: Mapping[UUID, Sequence[Statement]], by: Speaker) -> UUID | None:
    """Say which deal of two companies a report is about: one to be answered, else the last.

    `deals` in the order of their opening; None where there is none to be counted.
    """
    found = [one for one, said in deals.items() if standing(said).is_open]
    return unanswered(deals, by) or (found[-1] if found else None)


def unanswered(deals: Mapping[UUID, Sequence[Statement]], by: Speaker) -> UUID | None:
    """Find a deal of two companies that the speaker's side has said nothing of yet.

    Until it has, another deal could be that one told twice. Staff sees both sides.
    """
    if by.side is None:
        return None
    for outcome_id, said in deals.items():
        now = standing(said)
        has_spoken = any(one.by.side == by.side for one in said)
        if now.is_open and not has_spoken and now.state != "verified":
            return outcome_id
    return None


def check_deal(deal: Deal) -> None:
    """Raise `Invalid` for a value without a currency, or of a kind that has none."""
    faults = []
    if (deal.value is None) != (deal.currency is None):
        missing = "/currency" if deal.currency is None else "/value"
        faults.append(Fault(missing, "A value and its currency go together."))
    if deal.value is not None and deal.kind in WITHOUT_VALUE:
        faults.append(Fault("/value", f"{deal.kind} has no value."))
    if deal.currency is not None and deal.currency not in CURRENCIES:
        faults.append(Fault("/currency", "This is no currency code of ISO 4217."))
    if faults:
        raise Invalid("A deal cannot be stated like this.", faults=faults)


class Value(Facts):
    """What deals in one currency are worth: as stated, and of that what is verified."""

    currency: str
    stated: Decimal
    verified: Decimal


class Stage(Facts):
    """How many deals stand at one kind, and how many of them are verified."""

    kind: OutcomeKind
    deals: int
    verified: int


class Totals(Facts):
    """All deals, each once. What is disputed is counted apart, what was retracted nowhere."""

    deals: int
    verified: int
    evidenced: int
    disputed: int
    stages: tuple[Stage, ...]
    values: tuple[Value, ...]


def totals(found: Iterable[Standing]) -> Totals:
    """Count deals by where they stand."""
    kept = [one for one in found if one.is_open]
    counted = [one for one in kept if one.state != "disputed"]
    currencies = sorted({one.deal.currency for one in counted if one.deal.currency})
    return Totals(
        deals=len(counted),
        verified=_count(counted, "verified"),
        evidenced=_count(counted, "evidenced"),
        disputed=len(kept) - len(counted),
        stages=tuple(
            Stage(kind=kind, deals=len(those), verified=_count(those, "verified"))
            for kind in KINDS
            if (those := [one for one in counted if one.deal.kind == kind])
        ),
        values=tuple(
            Value(
                currency=currency,
                stated=_sum(one for one in counted if one.deal.currency == currency),
                verified=_sum(
                    one
                    for one in counted
                    if one.deal.currency == currency and one.state == "verified"
                ),
            )
            for currency in currencies
        ),
    )


def _count(found: Iterable[Standing], state: OutcomeState) -> int:
    return sum(one.state == state for one in found)


def _sum(found: Iterable[Standing]) -> Decimal:
    return sum((one.deal.value or Decimal(0) for one in found), Decimal(0))
