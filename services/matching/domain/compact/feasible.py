"""A first schedule, whatever its breaks: greedy, by chains, and by pushing others out.

Pushing out is iterative forward search (Barták, Müller and Rudová 2005): a meeting takes its slot,
and what was in its way is placed anew. What it leaves over CP-SAT decides.
"""

from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from services.matching.domain.compact.filling import NOWHERE, Filling
from services.matching.domain.compact.layout import Layout, bits

PUSHES_PER_MEETING = 4
PUSHES_MIN = 300


def fill(board: Layout, random: Random, has_ended: Callable[[], bool]) -> Filling:
    """Place all meetings, or what can be until time is over or pushing out leads nowhere."""
    filling = Filling(board)
    waiting = deque(one for one in hardest_first(board) if not _put(filling, one))
    pushed = [0] * len(board.people)
    for _ in range(max(PUSHES_MIN, PUSHES_PER_MEETING * len(board.people))):
        if not waiting or has_ended():
            break
        one = waiting.popleft()
        if not _put(filling, one):
            waiting.extend(_push(filling, one, pushed, random))
    return filling


def hardest_first(board: Layout) -> list[int]:
    """Order the meetings by how little room their participants have."""
    room = []
    for held in board.held:
        possible = 0
        for one in held:
            possible |= board.domains[one]
        room.append(possible.bit_count() - len(held))
    ways = [
        sum(room[person] for person in people) + domain.bit_count()
        for people, domain in zip(board.people, board.domains, strict=True)
    ]
    return sorted(range(len(ways)), key=ways.__getitem__)


def _put(filling: Filling, meeting: int) -> bool:
    return filling.place(meeting) or filling.chain(meeting)


def _push(filling: Filling, meeting: int, pushed: list[int], random: Random) -> Iterable[int]:
    """Hold a meeting where the least pushed are in its way, and give what was."""
    choices = [
        _in_way(filling, meeting, slot, random) for slot in bits(filling.board.domains[meeting])
    ]
    if not choices:
        return [meeting]
    slot, out = min(choices, key=lambda c: (sum(1 + pushed[one] for one in c[1]), random.random()))
    for one in out:
        pushed[one] += 1
        filling.lift(one)
    filling.put(meeting, slot)
    return out


def _in_way(filling: Filling, meeting: int, slot: int, random: Random) -> tuple[int, set[int]]:
    board, slots = filling.board, filling.slots
    out = {filling.at[person][slot] for person in board.people[meeting]} - {NOWHERE}
    if filling.left[slot] < 1 and not out:
        out.add(random.choice([one for one, held in enumerate(slots) if held == slot]))
    out.update(one for one in board.earlier.get(meeting, ()) if slots[one] >= slot)
    out.update(
        one for one in board.later.get(meeting, ()) if slots[one] != NOWHERE and slots[one] <= slot
    )
    return slot, out
