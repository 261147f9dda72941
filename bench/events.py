"""Events made by a seed, with a schedule that surely exists: a fair, or a mission.

At a fair everybody may meet everybody, some are more popular than others. On a mission all meetings
are between a delegate, most of whose slots are taken, and one of many local companies.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Literal

from services.matching.domain.compact.problem import Agenda, Meeting

Kind = Literal["fair", "mission"]

SLOTS = 20
MEETINGS_EACH = 4
"""For each participant; everybody takes part in twice as many, as there are two in a meeting."""
USE = 0.91
"""How many of the tables are taken."""
AWAY = 0.08
"""In how many of the slots without a meeting somebody is away."""
BOUND = 0.1
"""How many meetings may be in the morning alone, or in the afternoon alone."""
POPULARITY = 0.5
"""How skewed the numbers of meetings are (sigma of a log-normal distribution)."""
DELEGATES = 0.22
PAIRINGS_MAX = 50


def event(kind: Kind, people: int, use: float = USE, seed: int = 1) -> Agenda:
    """Make an event of so many people."""
    random = Random(seed)  # noqa: S311  # no secret
    popularity = [random.lognormvariate(0, POPULARITY) for _ in range(people)]
    tables = people * MEETINGS_EACH // SLOTS
    met: Counter[int] = Counter()
    pairs: set[tuple[int, int]] = set()
    held = []

    def some(among: Sequence[int], count: int) -> list[int]:
        # Efraimidis and Spirakis (2006): a sample by weight; who meets nearly always comes last.
        def key(one: int) -> tuple[bool, float]:
            return met[one] < SLOTS - 1, random.random() ** (1 / popularity[one])

        return sorted(among, key=key, reverse=True)[:count]

    for slot in range(SLOTS):
        if kind == "fair":
            drawn = some(range(people), 2 * tables)
            random.shuffle(drawn)
            sides = drawn[:tables], drawn[tables:]
        else:
            delegates = round(people * DELEGATES)
            sides = some(range(delegates), tables), some(range(delegates, people), tables)
        fresh = _paired(*sides, pairs, random)
        pairs.update(fresh)
        met.update(person for pair in fresh for person in pair)
        held += [(pair, slot) for pair in fresh]
    random.shuffle(held)
    return Agenda(
        tuple(Meeting(pair, _session(slot, random)) for pair, slot in held),
        (round(tables / use),) * SLOTS,
        _away(held, people, random),
    )


def _paired(
    some: list[int], others: list[int], met: set[tuple[int, int]], random: Random
) -> list[tuple[int, int]]:
    """Pair as many as have not met."""
    found = []
    for _ in range(PAIRINGS_MAX):
        random.shuffle(others)
        pairs = [(min(pair), max(pair)) for pair in zip(some, others, strict=True)]
        found += [pair for pair in pairs if pair not in met]
        left = [
            (one, other)
            for one, other, pair in zip(some, others, pairs, strict=True)
            if pair in met
        ]
        some, others = [one for one, _ in left], [other for _, other in left]
    return found


def _session(slot: int, random: Random) -> frozenset[int]:
    if random.random() >= BOUND:
        return frozenset(range(SLOTS))
    half = SLOTS // 2
    return frozenset(range(half) if slot < half else range(half, SLOTS))


def _away(
    held: Sequence[tuple[tuple[int, int], int]], people: int, random: Random
) -> dict[int, frozenset[int]]:
    busy = {(person, slot) for pair, slot in held for person in pair}
    idle = [(p, s) for p in range(people) for s in range(SLOTS) if (p, s) not in busy]
    away: dict[int, set[int]] = {}
    for person, slot in random.sample(idle, round(len(idle) * AWAY)):
        away.setdefault(person, set()).add(slot)
    return {person: frozenset(slots) for person, slots in away.items()}
