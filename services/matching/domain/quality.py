"""Quality: how good a version is, for all and for those who are worst off."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from typing import Literal
from uuid import UUID

from services.matching.domain.ground import SIDES, Room
from services.matching.domain.pace import Pace, longest_run, paces
from services.matching.domain.problem import DEFAULT_QUOTAS, Quota
from services.matching.domain.quotas import exceeding
from services.matching.domain.versions import Entry
from services.matching.domain.wishes import Wishes
from shared.events.base import Facts, Side

WishKind = Literal["must_meet", "request", "meet"]
WISH_KINDS: tuple[WishKind, ...] = ("must_meet", "request", "meet")


class Wished(Facts):
    """Of the wishes of one kind, for people and for companies, how many are fulfilled."""

    kind: WishKind
    stated: int
    met: int


class Unfulfilled(Facts):
    """A wish that the version does not fulfil, and why."""

    participant_id: UUID
    counterpart_id: UUID | None
    organization_id: UUID | None
    kind: WishKind
    code: str


class Guaranteed(Facts):
    """Of those with a guaranteed minimum, how many have it, and who has not."""

    people: int
    kept: int
    short: tuple[UUID, ...]


class Exceeded(Facts):
    """Who has more meetings than allowed: by hand, or because fewer are allowed by now."""

    participant_id: UUID
    meetings: int
    maximum: int


class Spread(Facts):
    """How meetings are spread over the people of a side."""

    side: Side
    people: int
    meetings: int
    least: int
    most: int
    mean: float
    gini: float
    """0: all have equally many; towards 1: one has all of them."""
    without: int
    """How many have none."""
    worst_off: tuple[UUID, ...]
    """Who has the fewest."""


class Days(Facts):
    """What a day is like for those who have meetings."""

    people: int
    breaks: int
    """How often somebody waits between two meetings of a session while slots go by."""
    idle_slots: int
    most_breaks: int
    table_changes: int
    """How often somebody's next meeting of a session is at another point."""


class Personal(Facts):
    """What the version is to one person."""

    participant_id: UUID
    side: Side
    wishes: int
    wishes_met: int
    meetings: int
    breaks: int
    idle_slots: int
    table_changes: int


class Interpreting(Facts):
    """How much the interpreters have to do."""

    interpreters: int
    meetings: int
    slots: int
    """In how many slots they could have helped, all together."""
    longest_run: int
    """The most meetings that one of them has without a pause."""


class Tables(Facts):
    """How much of the tables is used, over all slots."""

    used: int
    open: int


class Quality(Facts):
    """The whole report of a version."""

    meetings: int
    wishes: tuple[Wished, ...]
    unmet: tuple[Unfulfilled, ...]
    guaranteed: Guaranteed
    exceeded: tuple[Exceeded, ...]
    sides: tuple[Spread, ...]
    days: Days
    personal: tuple[Personal, ...]
    interpreting: Interpreting
    tables: Tables


@dataclass(frozen=True, slots=True)
class Setting:
    """What a version is judged by."""

    people: Mapping[UUID, Side]
    """Everybody who has a place among these meetings."""
    wishes: Wishes
    elsewhere: AbstractSet[frozenset[UUID]]
    """The pairs that meet at another stop: their wishes are fulfilled there."""
    quotas: Mapping[UUID, Quota]
    rooms: Mapping[UUID, Room]
    helpers: Sequence[UUID]
    reasons: Mapping[tuple[UUID, UUID], str] = field(default_factory=dict)
    """Why a wish is unmet, by who wishes and which person or company, as far as it was told."""
    left_out: AbstractSet[frozenset[UUID]] = frozenset()
    """The pairs that staff took out by hand."""


def judged(entries: Sequence[Entry], setting: Setting) -> Quality:
    """Judge a version."""
    pairs = {frozenset(entry.people) for entry in entries} | setting.elsewhere
    wishes = [*_wishes(setting, pairs)]
    personal = tuple(_personal(entries, setting, wishes))
    counts = Counter(person for entry in entries for person in entry.people)
    return Quality(
        meetings=len(entries),
        wishes=tuple(_counted(kind, wishes) for kind in WISH_KINDS),
        unmet=tuple(wish for wish, is_met in wishes if not is_met),
        guaranteed=_guaranteed(setting, counts),
        exceeded=tuple(
            Exceeded(participant_id=one, meetings=counts[one], maximum=most)
            for one, most in exceeding(counts, setting.people, setting.quotas).items()
        ),
        sides=tuple(_spread(side, setting.people, counts) for side in SIDES),
        days=_days(personal),
        personal=personal,
        interpreting=_interpreting(entries, setting),
        tables=_tables(entries, setting.rooms),
    )


def gini(counts: Iterable[int]) -> float:
    """Give the Gini coefficient: the mean difference between two, relative to twice the mean.

    C. Gini, Variabilità e mutabilità, 1912; in the form for sorted values. 0 for none and for
    nothing but zeros.
    """
    ordered = sorted(counts)
    total, size = sum(ordered), len(ordered)
    if not total:
        return 0.0
    ranked = sum(rank * count for rank, count in enumerate(ordered, start=1))
    return 2 * ranked / (size * total) - (size + 1) / size


def _wishes(
    setting: Setting, pairs: AbstractSet[frozenset[UUID]]
) -> Iterator[tuple[Unfulfilled, bool]]:
    """Give every wish and whether it is fulfilled, the strongest first."""
    for wish in setting.wishes.positive():
        if wish.kind == "no_thanks":
            continue
        pair = frozenset((wish.participant_id, wish.counterpart_id))
        told = setting.reasons.get((wish.participant_id, wish.counterpart_id), "not_scheduled")
        yield (
            Unfulfilled(
                participant_id=wish.participant_id,
                counterpart_id=wish.counterpart_id,
                organization_id=None,
                kind=wish.kind,
                code="left_out" if pair in setting.left_out else told,
            ),
            pair in pairs,
        )
    for company in setting.wishes.positive_for_companies():
        if company.kind == "no_thanks":
            continue
        one, organization = company.participant_id, company.organization_id
        others = setting.wishes.representatives(organization)
        yield (
            Unfulfilled(
                participant_id=one,
                counterpart_id=None,
                organization_id=organization,
                kind=company.kind,
                code=setting.reasons.get((one, organization), "not_scheduled"),
            ),
            any(frozenset((one, other)) in pairs for other in others),
        )


def _counted(kind: WishKind, wishes: Sequence[tuple[Unfulfilled, bool]]) -> Wished:
    met = [is_met for wish, is_met in wishes if wish.kind == kind]
    return Wished(kind=kind, stated=len(met), met=sum(met))


def _guaranteed(setting: Setting, counts: Counter[UUID]) -> Guaranteed:
    minima = {
        person: quota.minimum
        for person, side in setting.people.items()
        if (quota := setting.quotas.get(person, DEFAULT_QUOTAS[side])).minimum
    }
    short = tuple(sorted(one for one, least in minima.items() if counts[one] < least))
    return Guaranteed(people=len(minima), kept=len(minima) - len(short), short=short)


def _spread(side: Side, people: Mapping[UUID, Side], counts: Counter[UUID]) -> Spread:
    held = {person: counts[person] for person, their in people.items() if their == side}
    least = min(held.values(), default=0)
    return Spread(
        side=side,
        people=len(held),
        meetings=sum(held.values()),
        least=least,
        most=max(held.values(), default=0),
        mean=sum(held.values()) / len(held) if held else 0.0,
        gini=gini(held.values()),
        without=sum(count == 0 for count in held.values()),
        worst_off=tuple(sorted(person for person, count in held.items() if count == least)),
    )


def _days(personal: Sequence[Personal]) -> Days:
    return Days(
        people=sum(one.meetings > 0 for one in personal),
        breaks=sum(one.breaks for one in personal),
        idle_slots=sum(one.idle_slots for one in personal),
        most_breaks=max((one.breaks for one in personal), default=0),
        table_changes=sum(one.table_changes for one in personal),
    )


def _personal(
    entries: Sequence[Entry], setting: Setting, wishes: Sequence[tuple[Unfulfilled, bool]]
) -> Iterator[Personal]:
    """Give everybody's part, with a place or without, the fewest meetings first."""
    found = paces(entries, setting.rooms)
    stated = Counter(wish.participant_id for wish, _ in wishes)
    met = Counter(wish.participant_id for wish, is_met in wishes if is_met)
    sides: dict[UUID, Side] = dict(setting.people)
    for entry in entries:
        sides.update(zip(entry.people, SIDES, strict=True))
    for person in sorted(sides, key=lambda one: (found.get(one, Pace()).meetings, one)):
        yield Personal(
            participant_id=person,
            side=sides[person],
            wishes=stated[person],
            wishes_met=met[person],
            **asdict(found.get(person, Pace())),
        )


def _interpreting(entries: Sequence[Entry], setting: Setting) -> Interpreting:
    helped = [entry for entry in entries if entry.interpreter_id]
    slots = {(s.starts_at, s.ends_at) for room in setting.rooms.values() for s in room.slots}
    by_helper: dict[UUID, list[Entry]] = {}
    for entry in sorted(helped, key=lambda entry: entry.starts_at):
        assert entry.interpreter_id is not None
        by_helper.setdefault(entry.interpreter_id, []).append(entry)
    helpers = set(setting.helpers) | by_helper.keys()
    return Interpreting(
        interpreters=len(helpers),
        meetings=len(helped),
        slots=len(helpers) * len(slots),
        longest_run=max(map(longest_run, by_helper.values()), default=0),
    )


def _tables(entries: Sequence[Entry], rooms: Mapping[UUID, Room]) -> Tables:
    places = {
        (slot.starts_at, point.id)
        for room in rooms.values()
        for slot in room.slots
        for point in room.points.values()
        if point.is_open_until(slot.ends_at)
    }
    used = {(entry.starts_at, entry.point_id) for entry in entries}
    return Tables(used=len(used), open=len(places | used))
