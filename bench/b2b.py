"""The product's exact engine on the B2B instances of JAIR 74 (2022), beside that paper's encoding.

Run: `python -m bench.b2b DIR [--seconds N] [--no-peer]`. Each instance is solved in a process of
its own, forked from one that has loaded all code, and each schedule judged by a checker that shares
nothing with the solvers. Where DIR has an `optima.json`, what was found is compared with it. Ends
with one line of JSON.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.dzn import read
from bench.peers import paper_encoding
from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.maxsat import Compact, compact
from services.matching.domain.compact.problem import Agenda, Meeting
from services.matching.domain.compact.windows import Cause

GRACE_SECONDS = 15.0
"""How much longer a process may take to stop by itself, and to name a cause."""


@dataclass(frozen=True)
class Run:
    """What a solver made of an instance; seconds are of the processor and of the clock."""

    found: Compact | None
    """None if it did not come to an end in time."""
    cpu_seconds: float
    wall_seconds: float


def main() -> None:
    """Solve all instances of a folder, say it on the way, and end with one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench.b2b", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--seconds", type=float, default=60.0, help="limit for an instance")
    parser.add_argument("--peer-seconds", type=float, default=60.0, help="the peer's limit")
    parser.add_argument("--no-peer", action="store_true", help="leave the paper's encoding out")
    parser.add_argument("--spread", type=int, default=2, help="by how much breaks may differ")
    parser.add_argument("--only", default="", metavar="TEXT", help="what a name must contain")
    given = parser.parse_args()
    paths = [one for one in sorted(given.folder.glob("*.dzn")) if given.only in one.name]
    if not paths:
        parser.error(f"no instances in {given.folder}")
    optima = _optima(given.folder / "optima.json", given.spread)
    loading = _loading()
    rows = []
    print("instance objective bound proven checked optimum | CPU s, wall s | peer: objective CPU s")
    for path in paths:
        rows.append(_row(path, given, optima.get(path.stem)))
        print(rows[-1].line(), flush=True)
    print(json.dumps(_summary(rows, loading)))


def _loading() -> float:
    """Load what is compiled, by one meeting, and give the CPU seconds; no instance pays for it."""
    began = time.process_time()
    compact(Agenda((Meeting((0, 1), frozenset({0})),), (1,)))
    return time.process_time() - began


@dataclass(frozen=True)
class Row:
    """An instance, with the optimum if it is known; None as objective says that there is none."""

    name: str
    ours: Run
    peer: Run | None
    is_sound: bool
    """Whether all schedules given are good ones with as many breaks as was said."""
    optimum: int | str | None

    @property
    def is_proven(self) -> bool:
        """Whether the product came to a proof."""
        return self.ours.found is not None and self.ours.found.is_proven

    @property
    def is_equal(self) -> bool:
        """Whether the proof says what is known."""
        return self.is_proven and self.optimum == _objective(self.ours)

    def line(self) -> str:
        """Say it in a line, and why if no schedule exists."""
        found = self.ours.found
        peer = f" | {_objective(self.peer)} {self.peer.cpu_seconds:.2f}" if self.peer else ""
        why = f" | {_words(found.cause)}" if found is not None and found.cause is not None else ""
        return (
            f"{self.name:<28} {_objective(self.ours)} {found.bound if found else 0}"
            f" {'proven' if self.is_proven else 'open'} {'sound' if self.is_sound else 'WRONG'}"
            f" {self.optimum} | {self.ours.cpu_seconds:.2f} {self.ours.wall_seconds:.2f}{peer}{why}"
        )


def _row(path: Path, given: argparse.Namespace, optimum: int | str | None) -> Row:
    agenda = read(path, given.spread)
    ours = _apart(lambda: compact(agenda, given.seconds), given.seconds)
    peer = None if given.no_peer else _apart(lambda: _peer(agenda), given.peer_seconds)
    runs = [ours] if peer is None else [ours, peer]
    return Row(path.stem, ours, peer, all(_is_sound(agenda, run.found) for run in runs), optimum)


def _peer(agenda: Agenda) -> Compact:
    slots = paper_encoding.solve(agenda)
    return Compact(slots, 0 if slots is None else sum(breaks(agenda, slots).values()))


def _is_sound(agenda: Agenda, found: Compact | None) -> bool:
    if found is None or found.slots is None:
        return True
    counted = sum(breaks(agenda, found.slots).values())
    return not faults(agenda, found.slots) and found.breaks == counted


def _apart(solve: Callable[[], Compact], seconds: float) -> Run:
    """Solve in a process of its own, which is killed when its time is over."""
    start, cpu_start = time.monotonic(), _cpu_seconds()
    receiving, sending = multiprocessing.Pipe(duplex=False)
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=lambda: sending.send(solve()))
    process.start()
    sending.close()
    found: Compact | None = receiving.recv() if receiving.poll(seconds + GRACE_SECONDS) else None
    process.kill()
    process.join()
    return Run(found, _cpu_seconds() - cpu_start, time.monotonic() - start)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _words(cause: Cause) -> str:
    """Say a cause with numbers from 1, as the instances have them."""
    meetings, slots = ([n + 1 for n in sorted(of)] for of in (cause.meetings, cause.slots))
    least = "" if cause.is_least else ", perhaps not all of them needed"
    people = list(cause.participants)
    return f"{cause.kind}: participants {people}, meetings {meetings}, slots {slots}{least}"


def _objective(run: Run) -> int | str:
    if run.found is None or not (run.found.is_proven or run.found.slots):
        return "unknown"
    return "infeasible" if run.found.slots is None else run.found.breaks


def _optima(path: Path, spread: int) -> dict[str, int | str]:
    known = json.loads(path.read_text()) if path.exists() else {}
    return {name: of[key] for name, of in known.items() if (key := f"d{spread}") in of}


def _summary(rows: Sequence[Row], loading: float) -> dict[str, object]:
    taken = [row.ours.cpu_seconds for row in rows]
    pairs = [(row.ours, row.peer) for row in rows if row.is_proven and row.peer]
    both = [(ours, peer) for ours, peer in pairs if peer.found]
    figures = {
        "loading_cpu_seconds": round(loading, 2),
        "instances": len(rows),
        "proven_share": round(sum(row.is_proven for row in rows) / len(rows), 4),
        "infeasible": sum(_objective(row.ours) == "infeasible" for row in rows),
        "sound_share": sum(row.is_sound for row in rows) / len(rows),
        "equal_to_known_optima": sum(row.is_equal for row in rows),
        "known_optima": sum(row.optimum is not None for row in rows),
        "total_cpu_seconds": round(sum(taken), 2),
        "max_seconds": round(max(taken), 2),
        "median_seconds": round(statistics.median(taken), 3),
        "max_wall_seconds": round(max(row.ours.wall_seconds for row in rows), 2),
        "peer_compared": len(both),
        "peer_timeouts": sum(row.peer is not None and row.peer.found is None for row in rows),
        "peer_cpu_seconds": round(sum(peer.cpu_seconds for _, peer in pairs), 2),
    }
    ratios = {
        "cpu_vs_paper_encoding": _ratio(both),
        # Where the peer came to no end, what it took until then is less than it needs.
        "cpu_vs_paper_encoding_at_least": _ratio(pairs),
    }
    return {"bench": "b2b", "ratios": ratios, "figures": figures}


def _ratio(pairs: Sequence[tuple[Run, Run]]) -> float | None:
    ours, peers = (sum(pair[at].cpu_seconds for pair in pairs) for at in (0, 1))
    return round(peers / ours, 2) if ours else None


if __name__ == "__main__":
    main()
