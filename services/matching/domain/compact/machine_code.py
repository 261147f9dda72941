"""Functions as machine code, by numba."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

UNCOUNTED: dict[str, Any] = {"_nrt": False}
"""Nobody counts who refers to an array: that took four fifths of the time.

So nothing that is compiled may make an array; numba refuses it. Its types do not know the option.
"""


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function into those that call it."""
    made: Callable[P, R] = njit(forceinline=True, **UNCOUNTED)(function)
    return made


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function at its first call, and keep the code for later processes.

    It takes seconds; where there is no folder to keep it in, each process takes them.
    """
    made: Callable[P, R]
    try:
        made = njit(cache=True, **UNCOUNTED)(function)
    except RuntimeError:
        made = njit(**UNCOUNTED)(function)
    return made
