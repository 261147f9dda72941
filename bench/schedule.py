"""How soon there is a schedule for hundreds and thousands, and how compact it becomes in seconds.

Beside it, in the same run, CP-SAT with the plain model. All times are of the processor, `--seconds`
of it for each event and each of the two.
"""

import argparse
import json
import math
import time
from typing import Any, get_args

from bench.events import Kind, event
from bench.peers import cp_sat
from services.matching.domain.compact.anytime import anytime
from services.matching.domain.compact.check import faults
from services.matching.domain.compact.maxsat import Compact

SIZES = (300, 1000, 3000)
PEER_SIZES = (300, 1000)
"""With more, CP-SAT needs longer to be told what is asked."""
USES = (0.98, 1.0)
BREAKS_EACH = 0.5
"""How long it takes to come to so many breaks for each participant is compared between sizes."""


def main() -> None:
    """Measure, say it on the way, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="300 participants, two seconds")
    arguments = parser.parse_args()
    sizes = SIZES[:1] if arguments.quick else SIZES
    seconds = 2 if arguments.quick else arguments.seconds
    loading = _loading()
    figures: dict[str, Any] = {"loading_cpu_seconds": round(loading, 2), "seconds": seconds}
    ratios: dict[str, float] = {}
    for kind in get_args(Kind):
        for people in sizes:
            name = f"{kind}_{people}"
            figures[name] = measured = measure(kind, people, seconds, arguments.seed)
            print(name, measured, flush=True)
            if people in PEER_SIZES:
                peer = beside(kind, people, seconds, arguments.seed)
                figures[f"{name}_cp_sat"] = peer
                print(name, "CP-SAT", peer, flush=True)
                for figure in ("first_cpu_seconds", "breaks"):
                    if peer[figure]:
                        ratio = measured[figure] / peer[figure]
                        ratios[f"{name}_{figure}_to_cp_sat"] = round(ratio, 4)
        figures[f"{kind}_growth"] = _growth([(n, figures[f"{kind}_{n}"]) for n in sizes])
        figures[f"{kind}_full"] = {
            str(use): _full(kind, sizes[-1], use, arguments.seed) for use in USES
        }
    print(json.dumps({"bench": "schedule", "ratios": ratios, "figures": figures}))


def measure(kind: Kind, people: int, seconds: float, seed: int) -> dict[str, Any]:
    """Schedule one event, and say how good it was when; ValueError if a schedule has faults."""
    agenda = event(kind, people, seed=seed)
    heard: list[tuple[float, Compact]] = []
    began = time.process_time()
    best = anytime(
        agenda,
        seconds,
        lambda found: heard.append((time.process_time() - began, found)),
        time.process_time,
        seed=seed,
    )
    taken = time.process_time() - began
    for slots in (heard[0][1].slots, best.slots):
        if slots is None or (wrong := faults(agenda, slots)):
            raise ValueError(f"{kind} of {people}: {wrong[:3] if slots else 'no schedule'}")
    near = (at for at, found in heard if found.breaks <= BREAKS_EACH * people)
    return {
        "meetings": len(agenda.meetings),
        "first_cpu_seconds": round(heard[0][0], 3),
        "first_breaks": heard[0][1].breaks,
        "cpu_seconds": round(taken, 2),
        "half_a_break_each_cpu_seconds": round(next(near, math.nan), 2),
        "breaks": best.breaks,
        "bound": best.bound,
        "gap": best.breaks - best.bound,
        "breaks_each": round(best.breaks / people, 4),
    }


def beside(kind: Kind, people: int, seconds: float, seed: int) -> dict[str, Any]:
    """Give the same event to CP-SAT."""
    found = cp_sat.solve(event(kind, people, seed=seed), seconds)
    first = found.first_cpu_seconds
    return {
        "first_cpu_seconds": None if first is None else round(first, 3),
        "breaks": found.breaks,
        "bound": found.bound,
    }


def _loading() -> float:
    """Load what is compiled, by a small event, and say how long that took."""
    began = time.process_time()
    anytime(event("fair", 100), 1, lambda _: None, time.process_time)
    return time.process_time() - began


def _full(kind: Kind, people: int, use: float, seed: int) -> float:
    """Give the CPU seconds to a first schedule with hardly a table left."""
    agenda = event(kind, people, use, seed)
    heard: list[Compact] = []
    began = time.process_time()
    found = anytime(agenda, 60, heard.append, time.process_time, is_stopped=lambda: bool(heard))
    if found.slots is None or faults(agenda, found.slots):
        raise ValueError(f"{kind} of {people} with {use} of the tables has no schedule")
    return round(time.process_time() - began, 3)


def _growth(of: list[tuple[int, dict[str, Any]]]) -> dict[str, float]:
    """Give the power of the number of participants with which times grow: 1 is in proportion."""
    (few, small), (many, large) = of[0], of[-1]
    if few == many:
        return {}
    return {
        name: round(math.log(large[name] / small[name]) / math.log(many / few), 2)
        for name in ("first_cpu_seconds", "half_a_break_each_cpu_seconds")
    }


if __name__ == "__main__":
    main()
