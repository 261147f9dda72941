"""Annealing by chains, compiled: some ten million moves are tried in a second.

A move exchanges two slots along a chain of meetings (Kempe 1879), as for colourings by
Morgenstern and Shapiro (1990). Only those at a chain's ends have other slots afterwards, and only
they are weighed; for those between, two meetings change places.

All is in one file: code that is kept is made anew when its own file changes, not when another does.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.domain.compact.machine_code import compiled, inlined

Masks = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Narrow = NDArray[np.int16 | np.int32]
Bytes = NDArray[np.int8]

Word = np.uint64

NOBODY = -1
PAIR = 2
ONE = np.uint64(1)

# The numbers that `State.counts` has.
WAITING, BREAKS, EXCESS, UNFAIR, BEST, STAMP, LENGTH, ENDS, GAIN = range(9)

COMPACTNESS = 0.5
"""What a meeting outside somebody's best window weighs, where a break weighs 1."""
OUTSIDE_MAX = 3
"""More outside do not weigh more: who has to have a break may as well be scattered."""
TABLE_WEIGHT = 2.5
"""What a table too many weighs: less, and full slots are overbooked; more, and they freeze."""
UNFAIR_WEIGHT = 2.0
"""What a break beyond the spread weighs more than another one."""
CHAIN_MAX = 200
"""Longer chains are let go: they cost much and rarely fit."""


class Board(NamedTuple):
    """What does not change, by number of meeting, participant or slot."""

    people: Narrow
    domains: Masks
    windows: Masks
    held: Bytes
    least: Bytes
    tables: Numbers
    orders: Numbers
    """From where to where in `others` each meeting's precedences are."""
    others: Numbers
    signs: Numbers
    """1 where the other is later, -1 where it is earlier."""
    spread: int
    sums: Narrow
    """The sum of the two in each meeting: less one of them, it is the other."""
    is_plain: bool
    """Whether all meet in pairs, in any order: then chains are paths."""


class State(NamedTuple):
    """What a search changes, and `best`, the best schedule that it came by."""

    slots: Bytes
    at: Narrow
    used: Masks
    weights: NDArray[np.float32]
    load: Numbers
    waiting: NDArray[np.int32]
    """The participants with more breaks than the least, and behind them nothing."""
    places: NDArray[np.int32]
    """Where in `waiting` each of them is, or -1."""
    counts: Numbers
    best: Bytes
    marks: Numbers
    chain: Numbers
    ends: Numbers
    ends_used: Masks
    random: Masks


@inlined
def below(random: Masks, limit: int) -> int:
    """Give a random number below a limit (xorshift, Marsaglia 2003)."""
    word = random[0]
    word ^= word << np.uint64(13)
    word ^= word >> np.uint64(7)
    word ^= word << np.uint64(17)
    random[0] = word
    return int(np.int64(((word >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)))


@inlined
def ones(word: Word) -> int:
    """Count the bits that are set (Warren, "Hacker's Delight")."""
    word -= (word >> ONE) & np.uint64(0x5555555555555555)
    fours = np.uint64(0x3333333333333333)
    word = (word & fours) + ((word >> np.uint64(2)) & fours)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int(np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56)))


@inlined
def breaks(used: Word) -> int:
    """Count the idle runs between the slots that are used."""
    return ones(used & ~(used << ONE)) - 1


@inlined
def weight(board: Board, person: int, used: Word) -> float:
    """Weigh somebody's breaks, and how far the meetings are from a window without any."""
    found = breaks(used)
    heavy = float(found)
    if found > board.spread:
        heavy += UNFAIR_WEIGHT * (found - board.spread)
    windows = board.windows[person]
    if found == 0:
        return heavy
    if windows == 0:
        # Who has a break anyway: it is the same for each, and so `weight_least` holds for them too.
        return heavy + COMPACTNESS
    window = (ONE << np.uint64(board.held[person])) - ONE
    outside = OUTSIDE_MAX
    while windows:
        if windows & ONE:
            outside = min(outside, ones(window & ~used))
        windows >>= ONE
        window <<= ONE
    return heavy + COMPACTNESS * outside


@inlined
def weight_least(found: int) -> float:
    """Give what somebody with so many breaks weighs at least."""
    return found + COMPACTNESS if found > 0 else 0.0


@inlined
def moved(used: Word, slot: int, other: int) -> Word:
    """Exchange a slot that is used for one that is not."""
    return (used ^ (ONE << np.uint64(slot))) | (ONE << np.uint64(other))


@inlined
def follow(board: Board, state: State, first: int, slot: int, other: int) -> bool:
    """Collect the chain of a meeting and what its ends gain; say whether all in it may move."""
    counts, chain = state.counts, state.chain
    counts[STAMP] += 1
    stamp = counts[STAMP]
    chain[0] = first
    state.marks[first] = stamp
    length, ends, gain, place = 1, 0, 0, 0
    while place < length:
        meeting = chain[place]
        place += 1
        to = slot + other - int(state.slots[meeting])
        if not (board.domains[meeting] >> np.uint64(to)) & ONE:
            return False
        gain += 1 if to == other else -1
        for seat in range(board.people.shape[1]):
            person = board.people[meeting, seat]
            if person == NOBODY:
                break
            beside = state.at[person, to]
            if beside == NOBODY:
                state.ends[ends] = person
                state.ends_used[ends] = moved(state.used[person], slot + other - to, to)
                ends += 1
            elif state.marks[beside] != stamp:
                if length == CHAIN_MAX:
                    return False
                state.marks[beside] = stamp
                chain[length] = beside
                length += 1
    counts[LENGTH], counts[ENDS], counts[GAIN] = length, ends, gain
    return True


@inlined
def follow_path(board: Board, state: State, person: int, slot: int, other: int) -> bool:
    """As `follow`, where all is plain, from somebody who is free in the other slot."""
    end, frm, to, length = person, slot, other, 1
    meeting = int(state.at[person, slot])
    while True:
        if not (board.domains[meeting] >> np.uint64(to)) & ONE:
            return False
        end = board.sums[meeting] - end
        meeting = int(state.at[end, to])
        if meeting == NOBODY:
            break
        length += 1
        frm, to = to, frm
    state.ends[0], state.ends[1] = person, end
    state.ends_used[0] = moved(state.used[person], slot, other)
    state.ends_used[1] = moved(state.used[end], frm, to)
    state.counts[ENDS], state.counts[GAIN] = PAIR, length & 1
    return True


@inlined
def is_ordered(board: Board, state: State, slot: int, other: int) -> bool:
    """Say whether the chain's meetings would still be before and after those they have to."""
    for place in range(state.counts[LENGTH]):
        meeting = state.chain[place]
        to = slot + other - int(state.slots[meeting])
        for number in range(board.orders[meeting], board.orders[meeting + 1]):
            one = board.others[number]
            beside = int(state.slots[one])
            if state.marks[one] == state.counts[STAMP]:
                beside = slot + other - beside
            if (beside - to) * board.signs[number] <= 0:
                return False
    return True


@inlined
def excess(board: Board, state: State, slot: int, more: int) -> int:
    """Give by how many more tables a slot is overbooked after `more` meetings more."""
    left = int(board.tables[slot] - state.load[slot])
    return max(0, more - left) - max(0, -left)


@inlined
def exchange(board: Board, state: State, slot: int, other: int) -> None:
    """Move the chain."""
    length = state.counts[LENGTH]
    for place in range(length):
        meeting = state.chain[place]
        for seat in range(board.people.shape[1]):
            person = board.people[meeting, seat]
            if person == NOBODY:
                break
            state.at[person, state.slots[meeting]] = NOBODY
    for place in range(length):
        meeting = state.chain[place]
        to = slot + other - int(state.slots[meeting])
        state.slots[meeting] = to
        for seat in range(board.people.shape[1]):
            person = board.people[meeting, seat]
            if person == NOBODY:
                break
            state.at[person, to] = meeting


@inlined
def exchange_path(board: Board, state: State, person: int, slot: int, other: int) -> None:
    """Move the path that begins with somebody."""
    meeting = int(state.at[person, slot])
    state.at[person, slot] = NOBODY
    frm, to = slot, other
    while meeting != NOBODY:
        state.at[person, to] = meeting
        state.slots[meeting] = to
        person = board.sums[meeting] - person
        beside = int(state.at[person, to])
        state.at[person, to] = meeting
        if beside == NOBODY:
            state.at[person, frm] = NOBODY
        meeting = beside
        frm, to = to, frm


@inlined
def settle(board: Board, state: State, person: int, used: Word) -> None:
    """Give somebody new slots, and keep the list of who waits."""
    counts, spread = state.counts, board.spread
    old, new = breaks(state.used[person]), breaks(used)
    counts[BREAKS] += new - old
    counts[UNFAIR] += int(new > spread) - int(old > spread)
    state.used[person] = used
    state.weights[person] = weight(board, person, used)
    place = state.places[person]
    if new > board.least[person] and place == NOBODY:
        state.places[person] = counts[WAITING]
        state.waiting[counts[WAITING]] = person
        counts[WAITING] += 1
    elif new <= board.least[person] and place != NOBODY:
        counts[WAITING] -= 1
        last = state.waiting[counts[WAITING]]
        state.waiting[place] = last
        state.places[last] = place
        state.places[person] = NOBODY


@inlined
def near(random: Masks, word: Word, slots: int, is_up: bool) -> int:
    """Go from a random slot, round the day, to the first whose bit is set; at least one is.

    So the slots behind long gaps are met more often.
    """
    start = np.uint64(below(random, slots))
    if is_up:
        part = word >> start << start
        word = part if part else word
        return ones((word & (~word + ONE)) - ONE)
    part = word & ((ONE << start << ONE) - ONE)
    word = part if part else word
    for shift in (1, 2, 4, 8, 16, 32):
        word |= word >> np.uint64(shift)
    return ones(word) - 1


@inlined
def heaviness(board: Board, state: State, over: int, limit: float) -> float:
    """Give by how much the ends of the chain, and tables too many, become heavier.

    What is over the limit at least is not looked at further.
    """
    least = heavier = TABLE_WEIGHT * over
    for place in range(state.counts[ENDS]):
        one = state.ends[place]
        least += weight_least(breaks(state.ends_used[place])) - state.weights[one]
    if least > limit:
        return least
    for place in range(state.counts[ENDS]):
        one = state.ends[place]
        heavier += weight(board, one, state.ends_used[place]) - state.weights[one]
    return heavier


@inlined
def attempt(board: Board, state: State, person: int, slot: int, other: int, heat: float) -> bool:
    """Move somebody's meeting to a slot that is free, if it leads to no more breaks of this one.

    Others may have more, as far as the temperature `heat` lets them (Metropolis and others 1953).
    """
    used = state.used[person]
    if breaks(moved(used, slot, other)) > breaks(used):
        return False
    if board.is_plain:
        may = follow_path(board, state, person, slot, other)
    else:
        may = follow(board, state, state.at[person, slot], slot, other)
    if not may:
        return False
    limit = -heat * np.log((below(state.random, 1 << 32) + 1) * 2.0**-32)
    gain = state.counts[GAIN]
    over = excess(board, state, other, gain) + excess(board, state, slot, -gain)
    if heaviness(board, state, over, limit) > limit:
        return False
    if board.is_plain:
        exchange_path(board, state, person, slot, other)
    elif is_ordered(board, state, slot, other):
        exchange(board, state, slot, other)
    else:
        return False
    state.load[other] += gain
    state.load[slot] -= gain
    state.counts[EXCESS] += over
    for place in range(state.counts[ENDS]):
        settle(board, state, state.ends[place], state.ends_used[place])
    return True


@inlined
def choose(board: Board, state: State, share: int) -> tuple[int, int, int]:
    """Choose somebody, one of the slots with a meeting and a free one; `NOBODY` if it is none.

    Who waits moves the ends of runs, mostly to the end of a run; others move the first meeting of
    a run behind one, or the last before one, or now and then anything anywhere. Nearly all else
    would be one break more. `share` is of 2^16.
    """
    random, counts = state.random, state.counts
    slots = state.at.shape[1]
    chance = below(random, 1 << 20)
    is_up, is_near = (chance & 1) == 1, (chance & 6) != 0
    if counts[WAITING] and chance >> 4 < share:
        person = state.waiting[below(random, counts[WAITING])]
        used = state.used[person]
        slot = near(random, used & ~((used << ONE) & (used >> ONE)), slots, is_up)
        free = ~used
        if is_near:
            rest = used ^ (ONE << np.uint64(slot))
            free &= (rest << ONE) | (rest >> ONE)
    elif is_near:
        person = below(random, len(state.used))
        used = state.used[person]
        beside = used << ONE if is_up else used >> ONE
        slot = near(random, used & ~beside, slots, True)
        free = beside & ~used
    else:
        meeting = below(random, len(state.slots))
        person = int(board.people[meeting, below(random, board.people.shape[1])])
        if person == NOBODY:
            return NOBODY, 0, 0
        slot = int(state.slots[meeting])
        free = ~state.used[person]
    free &= board.domains[state.at[person, slot]]
    if not free:
        return NOBODY, 0, 0
    return person, slot, near(random, free, slots, is_up)


@compiled
def anneal(board: Board, state: State, steps: int, heat: float, share: float) -> None:
    """Try as many moves at a temperature, this share of them for those who wait."""
    counts = state.counts
    for _ in range(steps):
        person, slot, other = choose(board, state, int(share * (1 << 16)))
        if (
            person != NOBODY
            and attempt(board, state, person, slot, other, heat)
            and counts[BREAKS] < counts[BEST]
            and counts[EXCESS] == 0
            and counts[UNFAIR] == 0
        ):
            counts[BEST] = counts[BREAKS]
            for one in range(len(state.slots)):
                state.best[one] = state.slots[one]


@compiled
def count(board: Board, state: State) -> None:
    """Count a new state's breaks, and remember it if it is good."""
    counts = state.counts
    counts[BEST] = np.iinfo(np.int64).max
    for person in range(len(state.used)):
        found = breaks(state.used[person])
        counts[BREAKS] += found
        counts[UNFAIR] += int(found > board.spread)
        # Counted once more here, for the list: the slots are the same.
        settle(board, state, person, state.used[person])
    if counts[UNFAIR] == 0:
        counts[BEST] = counts[BREAKS]
