"""Slots that a meeting cannot have because others of its participants need them, or all tables."""

from collections.abc import Sequence
from dataclasses import replace

from services.matching.domain.compact.layout import Layout, keep_order, layout
from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.windows import filling


def narrowed(agenda: Agenda) -> Layout:
    """Lay an agenda out with the slots that are left; no slot for some if no schedule exists."""
    board = layout(agenda)
    domains = list(board.domains)
    known: list[int] = []
    while domains != known:
        known = list(domains)
        for held in board.held:
            _keep_apart(domains, held)
        _keep_seats(domains, board.tables)
        keep_order(domains, agenda.precedences, board.slots)
    return replace(board, domains=domains)


def _keep_apart(domains: list[int], held: Sequence[int]) -> None:
    """Take away the slots of somebody's meetings that have one only.

    Who is busy in all slots has those that are part of a way to fill them (Régin 1994).
    """
    taken, possible = 0, 0
    for one in held:
        possible |= domains[one]
        if _is_certain(domains[one]):
            taken |= domains[one]
    for one in held:
        if not _is_certain(domains[one]):
            domains[one] &= ~taken
    if possible.bit_count() <= len(held):
        ways = filling([domains[one] for one in held], possible) or [0] * len(held)
        for one, mask in zip(held, ways, strict=True):
            domains[one] = mask


def _keep_seats(domains: list[int], tables: Sequence[int]) -> None:
    """Take away the slots in which others are certain to have all tables."""
    left = list(tables)
    for mask in domains:
        if _is_certain(mask):
            left[mask.bit_length() - 1] -= 1
    full = sum(1 << slot for slot, tables_left in enumerate(left) if tables_left <= 0)
    for one, mask in enumerate(domains):
        if not _is_certain(mask):
            domains[one] = mask & ~full


def _is_certain(mask: int) -> bool:
    return mask.bit_count() == 1
