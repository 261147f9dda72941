"""Annealing by chains, compiled: some five million chains are looked at in a second.

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

Word = np.uint64

NOBODY = -1
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

    people: NDArray[np.int32]
    domains: Masks
    windows: Masks
    held: Numbers
    least: Numbers
    tables: Numbers
    orders: Numbers
    """From where to where in `others` each meeting's precedences are."""
    others: Numbers
    signs: Numbers
    """1 where the other is later, -1 where it is earlier."""
    spread: int


class State(NamedTuple):
    """What a search changes, and `best`, the best schedule that it came by."""

    slots: NDArray[np.int32]
    at: NDArray[np.int32]
    used: Masks
    weights: NDArray[np.float64]
    load: Numbers
    waiting: Numbers
    """The participants with more breaks than the least, and behind them nothing."""
    places: Numbers
    """Where in `waiting` each of them is, or -1."""
    counts: Numbers
    best: NDArray[np.int32]
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
    if found == 0 or windows == 0:
        return heavy
    window = (ONE << np.uint64(board.held[person])) - ONE
    outside = OUTSIDE_MAX
    while windows:
        if windows & ONE:
            outside = min(outside, ones(window & ~used))
        windows >>= ONE
        window <<= ONE
    return heavy + COMPACTNESS * outside


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
        to = slot + other - state.slots[meeting]
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
def is_ordered(board: Board, state: State, slot: int, other: int) -> bool:
    """Say whether the chain's meetings would still be before and after those they have to."""
    for place in range(state.counts[LENGTH]):
        meeting = state.chain[place]
        to = slot + other - state.slots[meeting]
        for number in range(board.orders[meeting], board.orders[meeting + 1]):
            one = board.others[number]
            beside = state.slots[one]
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
    length, gain = state.counts[LENGTH], state.counts[GAIN]
    for place in range(length):
        meeting = state.chain[place]
        for seat in range(board.people.shape[1]):
            person = board.people[meeting, seat]
            if person == NOBODY:
                break
            state.at[person, state.slots[meeting]] = NOBODY
    for place in range(length):
        meeting = state.chain[place]
        to = slot + other - state.slots[meeting]
        state.slots[meeting] = to
        for seat in range(board.people.shape[1]):
            person = board.people[meeting, seat]
            if person == NOBODY:
                break
            state.at[person, to] = meeting
    state.load[other] += gain
    state.load[slot] -= gain


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
def walk(state: State, person: int, slot: int, step: int, is_held: bool) -> int:
    """Go on from a slot, round the day, to the first in which somebody has a meeting, or has none.

    So the ends of runs are met more often than their middles, and the slots beside runs too.
    """
    slots = state.at.shape[1]
    for _ in range(slots):
        if (state.at[person, slot] != NOBODY) == is_held:
            break
        slot += step
        if slot == slots:
            slot = 0
        elif slot < 0:
            slot = slots - 1
    return slot


@inlined
def heaviness(board: Board, state: State, over: int, limit: float) -> float:
    """Give by how much the ends of the chain, and tables too many, become heavier.

    What is over the limit by breaks alone is not looked at further.
    """
    least = heavier = TABLE_WEIGHT * over
    for place in range(state.counts[ENDS]):
        one = state.ends[place]
        least += breaks(state.ends_used[place]) - state.weights[one]
    if least > limit:
        return least
    for place in range(state.counts[ENDS]):
        one = state.ends[place]
        heavier += weight(board, one, state.ends_used[place]) - state.weights[one]
    return heavier


@inlined
def attempt(
    board: Board, state: State, meeting: int, person: int, other: int, temperature: float
) -> bool:
    """Move somebody's meeting to another slot, if that leads to no more breaks of this one.

    Others may have more, as far as the temperature lets them (Metropolis and others 1953).
    """
    slot = state.slots[meeting]
    if state.at[person, other] != NOBODY or not (board.domains[meeting] >> np.uint64(other)) & ONE:
        return False
    used = state.used[person]
    if breaks(moved(used, slot, other)) > breaks(used):
        return False
    if not follow(board, state, meeting, slot, other):
        return False
    limit = -temperature * np.log((below(state.random, 1 << 32) + 1) * 2.0**-32)
    gain = state.counts[GAIN]
    over = excess(board, state, other, gain) + excess(board, state, slot, -gain)
    if heaviness(board, state, over, limit) > limit or not is_ordered(board, state, slot, other):
        return False
    exchange(board, state, slot, other)
    state.counts[EXCESS] += over
    for place in range(state.counts[ENDS]):
        settle(board, state, state.ends[place], state.ends_used[place])
    return True


@compiled
def anneal(board: Board, state: State, steps: int, temperature: float, share: float) -> None:
    """Try as many moves at a temperature, this share of them for those who wait."""
    random, counts = state.random, state.counts
    meetings, width = board.people.shape
    slots = len(board.tables)
    for _ in range(steps):
        if counts[WAITING] and below(random, 1 << 16) < share * (1 << 16):
            person = state.waiting[below(random, counts[WAITING])]
            step = 2 * below(random, 2) - 1
            slot = walk(state, person, below(random, slots), step, True)
            meeting = state.at[person, slot]
            other = walk(state, person, below(random, slots), step, False)
        else:
            meeting = below(random, meetings)
            person = board.people[meeting, below(random, width)]
            if person == NOBODY:
                continue
            other = below(random, slots)
        if (
            attempt(board, state, meeting, person, other, temperature)
            and counts[BREAKS] < counts[BEST]
            and counts[EXCESS] == 0
            and counts[UNFAIR] == 0
        ):
            counts[BEST] = counts[BREAKS]
            for one in range(meetings):
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
