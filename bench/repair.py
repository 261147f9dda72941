"""How fast and how well a disturbed day is repaired, beside CP-SAT alone in the same run.

`python -m bench.repair` disturbs planted days of 300 participants (1,200 meetings in 20 slots) at
91 and 98 % use of the tables, and of 3,000, a hundred or 25 times in each of four ways, on a chart
that is kept, as the service keeps it; how long the chart takes to make, and to change by one
meeting, is said beside. Then it asks a running service, at both sizes; before each repair one
meeting is changed. The first repair is asked for a while after the service was started amid the
day. Times of the processor are what to compare; those of the clock are longer on a
machine that does other things. `--quick` takes a tenth of the cases.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.repair_days import KINDS, Event, Kind, Size, fair, mission
from bench.repair_service import first_round_trip, others, round_trips, service
from services.matching.domain.repair import exact
from services.matching.domain.repair.board import Board
from services.matching.domain.repair.chart import Chart
from services.matching.domain.repair.day import Day, Disturbance
from services.matching.domain.repair.proposal import repair

SIZES = {
    "300 at 91 %": Size(300, 66),
    "300 at 98 %": Size(300, 61),
    "3000 at 91 %": Size(3000, 660),
    "3000 at 98 %": Size(3000, 610),
}
SERVED = ("300 at 91 %", "3000 at 91 %")
EVENTS: dict[str, Callable[[Size, random.Random], Event]] = {"fair": fair, "mission": mission}
SEED = 7
CASES = 100
CASES_OF_LARGE = 25
PEER_CASES = 5
PEER_SECONDS_MAX = 10.0


@dataclass
class Found:
    """What came of one kind of disturbance, in milliseconds and meetings."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    moved: int = 0
    dropped: int = 0
    dropped_unproven: int = 0
    """Dropped although no bound is known to force that."""
    proven: int = 0

    def add(self, other: "Found") -> None:
        """Count another one's cases too."""
        self.wall += other.wall
        self.cpu += other.cpu
        self.moved += other.moved
        self.dropped += other.dropped
        self.dropped_unproven += other.dropped_unproven
        self.proven += other.proven

    def figures(self) -> dict[str, float]:
        """Sum it up."""
        return {
            "wall_ms_p50": percentile(self.wall, 0.5),
            "wall_ms_p95": percentile(self.wall, 0.95),
            "wall_ms_max": percentile(self.wall, 1),
            "cpu_ms_p50": percentile(self.cpu, 0.5),
            "cpu_ms_p95": percentile(self.cpu, 0.95),
            "cpu_ms_max": percentile(self.cpu, 1),
            "proven_share": round(self.proven / len(self.cpu), 4),
            "moved": self.moved,
            "dropped": self.dropped,
            "dropped_unproven": self.dropped_unproven,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value that this share stays under."""
    ordered = sorted(values)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 1)


def main() -> None:
    """Measure, say it on the way, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    share = 0.1 if parser.parse_args().quick else 1.0
    by_size = {name: _disturbed(name, size, share) for name, size in SIZES.items()}
    ratios = _beside_peer(max(2, int(PEER_CASES * share)))
    figures: dict[str, Any] = {name: found.figures() for name, found in by_size.items()}
    for name in SERVED:
        served = _served(SIZES[name], max(3, int(CASES * share / 4)))
        figures[f"service, {name}"] = asyncio.run(served)
    print(json.dumps({"bench": "repair", "ratios": ratios, "figures": figures}))


def _disturbed(name: str, size: Size, share: float) -> Found:
    print(f"{name}: wall ms p50 p95 max | CPU ms p50 p95 max | proven | moved, dropped (unproven)")
    cases = CASES if size.meetings < SIZES["3000 at 91 %"].meetings else CASES_OF_LARGE
    total = Found()
    for label, make in EVENTS.items():
        event = make(size, random.Random(SEED))  # noqa: S311  # the same each time
        chart = _kept(label, event)
        for kind in KINDS:
            found = _found((event, chart), kind, max(2, int(cases * share)))
            total.add(found)
            print(f"  {label:8} {kind:16} {_line(found)}", flush=True)
    return total


def _kept(label: str, event: Event) -> Chart:
    """Make the chart of a day, and change it as often as it has meetings."""
    before = time.process_time()
    chart = Chart(event.day(0))
    made = time.process_time()
    for one in event.meetings:
        chart.put([one], set())
    changed = (time.process_time() - made) / len(event.meetings)
    print(
        f"  {label:8} chart            made in {1000 * (made - before):.1f} ms CPU, "
        f"changed by one meeting in {1000 * changed:.3f} ms"
    )
    return chart


def _found(on: tuple[Event, Chart], kind: Kind, cases: int) -> Found:
    event, chart = on
    rng = random.Random(SEED)  # noqa: S311  # the same each time
    found = Found()
    for _ in range(cases):
        day, disturbance = event.disturbed(kind, rng)
        wall, cpu = time.perf_counter(), time.process_time()
        proposal = repair(day, disturbance, time.monotonic, chart)
        found.cpu.append(1000 * (time.process_time() - cpu))
        found.wall.append(1000 * (time.perf_counter() - wall))
        found.moved += len(proposal.moves)
        found.dropped += len(proposal.drops)
        found.dropped_unproven += 0 if proposal.drops_proven else len(proposal.drops)
        found.proven += proposal.moves_proven
    return found


def _line(found: Found) -> str:
    f = found.figures()
    times = (
        f"{f[f'{kind}_ms_{q}']:7.1f}" for kind in ("wall", "cpu") for q in ("p50", "p95", "max")
    )
    counts = f"{f['moved']:.0f}, {f['dropped']:.0f} ({f['dropped_unproven']:.0f})"
    return f"{' '.join(times)} | {100 * f['proven_share']:.0f} % | {counts}"


def _beside_peer(cases: int) -> dict[str, float]:
    """Let CP-SAT alone repair the same days, in its neighbourhood and without chains and bounds."""
    ours, peer = 0.0, 0.0
    touched: list[tuple[int, int]] = []
    for make in EVENTS.values():
        event = make(SIZES["300 at 91 %"], random.Random(SEED))  # noqa: S311  # the same each time
        chart = Chart(event.day(0))
        for kind in KINDS:
            rng = random.Random(SEED)  # noqa: S311  # the same each time
            for _ in range(cases):
                day, disturbance = event.disturbed(kind, rng)
                before = time.process_time()
                proposal = repair(day, disturbance, time.monotonic, chart)
                ours += time.process_time() - before
                before = time.process_time()
                found = _by_cp_sat(day, disturbance)
                peer += time.process_time() - before
                if found is not None:
                    touched.append((len(proposal.moves) + len(proposal.drops), found))
    solved = len(touched) / (cases * len(EVENTS) * len(KINDS))
    ours_touched, peer_touched = (sum(column) for column in zip(*touched, strict=True))
    print(
        f"CP-SAT alone: {peer / ours:.1f} x the CPU, {100 * solved:.0f} % answered in time, "
        f"{peer_touched} touched there, ours {ours_touched}"
    )
    return {
        "cp_sat_cpu_to_ours": round(peer / ours, 2),
        "cp_sat_answered_share": round(solved, 3),
        "cp_sat_touched_to_ours": round(peer_touched / ours_touched, 3),
    }


def _by_cp_sat(day: Day, disturbance: Disturbance) -> int | None:
    """Repair a day by CP-SAT, and count what that touches; None when it had no answer in time."""
    board = Board(day, disturbance)
    for piece in board.hit:
        board.lift(piece)
    until = time.monotonic() + PEER_SECONDS_MAX
    found = exact.solved(board, board.hit, (0, 0), (time.monotonic, until))
    if found is None:
        return None
    free = exact.neighbourhood(board, board.hit)
    stays = sum(
        piece.seat is not None and (slot, helper) == (piece.seat[0], piece.seat[2])
        for piece, slot, helper in found
    )
    return len(free) - stays


async def _served(size: Size, count: int) -> dict[str, Any]:
    event = mission(size, random.Random(SEED))  # noqa: S311  # the same each time
    async with service(event) as stop:
        first = await first_round_trip(stop)
        await round_trips(stop, 2)
        times, cpu = await round_trips(stop, count)
        calm, busy = await others(stop, beside=False), await others(stop, beside=True)
    every = [1000 * seconds for kind in times.values() for seconds in kind]
    figures = {
        "first_round_trip_ms": round(1000 * first, 1),
        "round_trip_ms_p50": percentile(every, 0.5),
        "round_trip_ms_p95": percentile(every, 0.95),
        "round_trip_ms_max": percentile(every, 1),
        "cpu_ms_a_repair": round(1000 * cpu, 1),
        "others_ms_p99_without": round(1000 * calm.percentile(0.99), 1),
        "others_ms_p99_beside": round(1000 * busy.percentile(0.99), 1),
    }
    print(f"over the service, {size.participants} participants: {figures}")
    return figures


if __name__ == "__main__":
    main()
