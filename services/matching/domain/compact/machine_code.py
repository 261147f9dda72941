"""Functions as machine code, by numba."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

inlined = njit(forceinline=True)
"""Compiles a function into those that call it: a call would count references to each array."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function at its first call, and keep the code for later processes.

    It takes seconds; where there is no folder to keep it in, each process takes them.
    """
    try:
        return njit(cache=True)(function)
    except RuntimeError:
        return njit()(function)
