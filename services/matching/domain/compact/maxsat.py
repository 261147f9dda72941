"""The schedule with the fewest breaks, proven: core-guided MaxSAT.

RC2 (Ignatiev, Morgado and Marques-Silva 2019) over CaDiCaL, both under the MIT licence.
"""

from dataclasses import dataclass

from pysat.examples.rc2 import RC2

from services.matching.domain.compact.encoding import Encoding
from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.windows import Cause, cause


@dataclass(frozen=True, slots=True)
class Compact:
    """A slot for each meeting, and the breaks, which none can be below; None if none exists."""

    slots: tuple[int, ...] | None
    breaks: int
    cause: Cause | None = None
    """Why there is none, where pigeonholes tell."""


def compact(agenda: Agenda) -> Compact:
    """Find a schedule with the fewest breaks, however long the proof takes; raises as Encoding."""
    if (why := cause(agenda)) is not None:
        return Compact(None, 0, why)
    encoding = Encoding(agenda)
    with RC2(encoding.clauses, solver="cadical195") as solver:
        model = solver.compute()
        if model is None:
            return Compact(None, 0)
        true = {literal for literal in model if literal > 0}
        slots = tuple(
            next(slot for slot, literal in of.items() if literal in true) for of in encoding.held
        )
        return Compact(slots, int(solver.cost))
