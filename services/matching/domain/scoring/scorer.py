"""The scorer: people in, ranked people with reasons out.

A pair's score is 0 to 1000: what one side offers is held against what the other needs or plans, by
sector and by text, in both directions; a shared sector and a shared language add to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import repeat
from uuid import UUID

import numpy as np

from services.matching.domain.scoring.crowd import Codes, Crowd, Numbers
from services.matching.domain.scoring.profiles import Profile, Reason, Recommendation
from services.matching.domain.scoring.reasons import Reasons
from services.matching.domain.scoring.sheets import Sheet, concept, sector
from shared.events.base import Bilingual

WISH_WORTH: Mapping[str, int] = {"must_meet": 200, "meet": 80}
"""What a wish of the reader, or of staff on the reader's behalf, adds to the score."""
_RECOMMENDATION = partial(tuple.__new__, Recommendation)
"""Makes one of its fields in their order: twenty thousand calls of a class take twice as long."""


class Best:
    """Everybody's best counterparts, and why: pairs with the same to be told share it."""

    def __init__(self, sheet: Sheet, limit: int, reasons: Reasons, sectors: Sequence[str]) -> None:
        self._sheet, self._reasons, self._sectors = sheet, reasons, sectors
        self.chosen = sheet.best(limit)
        readers = np.repeat(np.arange(len(self.chosen)), self.chosen.shape[1])
        others = self.chosen.ravel()
        self._offered = sheet.offered.told(others, readers)
        self._needed = sheet.needed.told(readers, others)
        self._speak = sheet.share_language[readers, others]
        self._shared = self._shared_sectors(readers, others)
        self._scores = sheet.scores(readers, others)
        self._silent = (~self._speak).tolist()
        self._why, self._reason_of = self._reasoned()
        self._ids = [person.id for person in sheet.others.people]

    def of(self, reader_id: UUID) -> list[Recommendation]:
        """Give somebody's best counterparts, the best first."""
        reader = self._sheet.readers.number[reader_id]
        width = self.chosen.shape[1]
        entries = slice(reader * width, (reader + 1) * width)
        others, why = self._ids, self._why
        told = zip(
            repeat(reader_id, width),
            [others[other] for other in self.chosen[reader].tolist()],
            self._scores[entries],
            [why[reason] for reason in self._reason_of[entries]],
            self._silent[entries],
            strict=True,
        )
        return list(map(_RECOMMENDATION, told))

    def _shared_sectors(self, readers: Numbers, others: Numbers) -> list[str]:
        """Give the first sector a pair shares, where nothing else is to be said of what they do."""
        shared = [""] * len(readers)
        untold = ~(self._offered.is_said | self._needed.is_said)
        both = self._sheet.share_sectors[readers, others]
        for entry in np.flatnonzero(untold & both).tolist():
            one = self._sheet.readers.people[readers[entry]]
            other = self._sheet.others.people[others[entry]]
            shared[entry] = min(one.sectors & other.sectors)
        return shared

    def _reasoned(self) -> tuple[list[tuple[Reason, ...]], list[int]]:
        """Give all there is to tell, and for each entry which of it."""
        names = Codes()
        shared = [names[name] for name in self._shared]
        columns = [np.array(shared, np.intp), self._speak.astype(np.intp)]
        for told in (self._offered, self._needed):
            columns += [told.is_said.astype(np.intp), told.concepts + 1, told.sectors + 1]
        if not shared:
            return [], []
        key = np.ravel_multi_index(columns, [int(each.max()) + 1 for each in columns])
        _, first, which = np.unique(key, return_index=True, return_inverse=True)
        return [tuple(self._found(entry)) for entry in first.tolist()], which.tolist()

    def _found(self, entry: int) -> Iterable[Reason]:
        for code, told in (("they_offer", self._offered), ("they_need", self._needed)):
            if told.is_said[entry]:
                named = sector(int(told.sectors[entry]), self._sectors)
                yield self._reasons.give(code, named, concept(int(told.concepts[entry])))
        if self._shared[entry]:
            yield self._reasons.give("same_sector", self._shared[entry])
        if self._speak[entry]:
            yield self._reasons.give("shared_language")


class Scorer:
    """Scores pairs among the people of one stop, who may change one by one."""

    def __init__(self, people: Iterable[Profile], sectors: Mapping[str, Bilingual]) -> None:
        codes = (Codes(), Codes(), Codes())
        self._sectors = codes[2]
        self._sides = {"delegation": Crowd(codes), "local": Crowd(codes)}
        self._reasons = Reasons(sectors)
        for person in people:
            self.put(person)

    def put(self, person: Profile) -> None:
        """Take somebody in, or take note of a changed profile: nobody else is read again."""
        for side, crowd in self._sides.items():
            if side == person.side:
                if crowd.people.get(person.id) != person:
                    crowd.put(person)
            elif person.id in crowd.people:
                crowd.drop(person.id)

    def drop(self, person_id: UUID) -> None:
        """Forget somebody, if known."""
        for crowd in self._sides.values():
            if person_id in crowd.people:
                crowd.drop(person_id)

    def score(self, one: Profile, other: Profile) -> Recommendation:
        """Score a pair as `one` sees it."""
        self.put(one)
        self.put(other)
        sheet = Sheet(self._sides[one.side].only(one.id), self._sides[other.side].only(other.id))
        return self._best(sheet, 1).of(one.id)[0]

    def table(self) -> dict[tuple[UUID, UUID], int]:
        """Score every delegate with every local at once, without reasons."""
        sheet = Sheet(self._sides["delegation"].all(), self._sides["local"].all())
        delegates, others = sheet.readers.people, sheet.others.people
        readers = np.repeat(np.arange(len(delegates)), len(others))
        scores = sheet.scores(readers, np.tile(np.arange(len(others)), len(delegates)))
        pairs = ((one.id, other.id) for one in delegates for other in others)
        return dict(zip(pairs, scores, strict=True))

    def ranked(
        self,
        one: Profile,
        others: Iterable[Profile],
        limit: int | None = None,
        wishes: Mapping[UUID, str] | None = None,
    ) -> list[Recommendation]:
        """Rank the other side's people among `others`, the best first; equals by company.

        `wishes`: whom `one` wants to meet, and how much, as in `WISH_WORTH`.
        """
        self.put(one)
        wanted = {other.id for other in others if other.side != one.side}
        sheet = Sheet(self._sides[one.side].only(one.id), self._across(one).all())
        places = [place for place, other in enumerate(sheet.others.people) if other.id in wanted]
        if len(places) < len(sheet.others.people):
            hidden = np.ones(len(sheet.others.people), bool)
            hidden[places] = False
            sheet.totals[0, hidden] = -1
        for place in places:
            if wish := (wishes or {}).get(sheet.others.people[place].id):
                sheet.totals[0, place] += WISH_WORTH[wish]
        count = len(places) if limit is None else min(limit, len(places))
        if not count:
            return []
        found = self._best(sheet, count).of(one.id)
        return [
            self._wished(each) if wishes and each.counterpart_id in wishes else each
            for each in found
        ]

    def _wished(self, found: Recommendation) -> Recommendation:
        return found._replace(reasons=(self._reasons.give("you_wish"), *found.reasons))

    def everybody(self, limit: int) -> Best:
        """Rank locals for all delegates at once."""
        sheet = Sheet(self._sides["delegation"].all(), self._sides["local"].all())
        return self._best(sheet, limit)

    def _across(self, one: Profile) -> Crowd:
        return self._sides["local" if one.side == "delegation" else "delegation"]

    def _best(self, sheet: Sheet, limit: int) -> Best:
        return Best(sheet, limit, self._reasons, list(self._sectors))
