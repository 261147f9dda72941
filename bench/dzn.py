"""The B2B instances of Bofill and others (JAIR 74, 2022), as agendas.

They number participants, meetings and slots from 1; 0 says none, and stands in sets that are empty.
"""

import re
from pathlib import Path

from services.matching.domain.compact.problem import Agenda, Meeting

ANY = 3
"""The session of who may meet the whole day; 1 is the morning, 2 the afternoon."""


def read(path: Path, spread: int | None = 2) -> Agenda:
    """Read one instance; KeyError or ValueError if it is none."""
    text = dict(re.findall(r"(\w+)\s*=\s*([^;]*);", path.read_text()))
    slots, morning = int(text["nTotalSlots"]), int(text["nMorningSlots"])
    sessions = {1: range(morning), 2: range(morning, slots), ANY: range(slots)}
    rows = [[int(n) for n in row.split(",")[:3]] for row in text["requested"].split("|")[1:-1]]
    fixed = _numbers(text["fixed"])
    allowed = [{at - 1} if at else sessions[row[2]] for row, at in zip(rows, fixed, strict=True)]
    people = range(1, int(text["nBusiness"]) + 1)
    return Agenda(
        tuple(
            Meeting((one, other), frozenset(at))
            for (one, other, _), at in zip(rows, allowed, strict=True)
        ),
        (int(text["nTables"]),) * slots,
        dict(zip(people, _sets(text["forbidden"]), strict=True)),
        tuple(
            (before, place)
            for place, all_before in enumerate(_sets(text["precedences"]))
            for before in sorted(all_before)
        ),
        spread,
    )


def _numbers(text: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", text)]


def _sets(text: str) -> list[frozenset[int]]:
    sets = re.findall(r"\{([^}]*)\}", text)
    return [frozenset(n - 1 for n in _numbers(one) if n) for one in sets]
