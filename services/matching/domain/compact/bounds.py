"""The breaks that each participant cannot do without, for thousands of participants at once.

As `windows`, but over bits: a meeting that may be anywhere in a window needs no matching there.
"""

from collections.abc import Sequence

from services.matching.domain.compact.layout import Layout


def starts(domains: Sequence[int], slots: int) -> int:
    """Give, as bits, the first slots from which these meetings could follow without a break."""
    length, found, every = len(domains), 0, -1
    possible = 0
    for mask in domains:
        possible |= mask
        every &= mask
    for start in range(slots - length + 1):
        window = ((1 << length) - 1) << start
        if window & ~possible:
            continue
        if not window & ~every or _fits([m & window for m in domains if window & ~m]):
            found |= 1 << start
    return found


def _fits(narrow: Sequence[int]) -> bool:
    """Say whether each can have a slot of its own (Kuhn 1955)."""
    holder: dict[int, int] = {}
    return all(_put(one, narrow, holder, [0]) for one in range(len(narrow)))


def _put(one: int, narrow: Sequence[int], holder: dict[int, int], seen: list[int]) -> bool:
    while fresh := narrow[one] & ~seen[0]:
        slot = fresh & -fresh
        seen[0] |= slot
        if slot not in holder or _put(holder[slot], narrow, holder, seen):
            holder[slot] = one
            return True
    return False


def least(domains: Sequence[int], windows: int) -> int:
    """Give the breaks that somebody has at least.

    Without a window it is one; and each run of meetings lies in one spell of possible slots.
    """
    possible = 0
    for mask in domains:
        possible |= mask
    spells = [len(spell) for spell in f"{possible:b}".split("0") if spell]
    left, breaks = len(domains), -1
    for spell in sorted(spells, reverse=True):
        breaks += 1
        left -= spell
        if left <= 0:
            break
    return max(breaks, 0 if windows else 1)


def window_starts(board: Layout) -> list[int]:
    """Give for each participant the starts of windows without a break, as bits."""
    return [starts([board.domains[m] for m in held], board.slots) for held in board.held]


def breaks_least(board: Layout, windows: Sequence[int]) -> list[int]:
    """Give for each participant a number of breaks that no schedule is below."""
    return [
        least([board.domains[m] for m in held], starts_of)
        for held, starts_of in zip(board.held, windows, strict=True)
    ]
