"""Aside: long work in a thread, while the service answers others."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

SWITCH_SECONDS = 0.0005
"""How long others wait for their turn beside such work; usually it is ten times that."""

P = ParamSpec("P")
T = TypeVar("T")


class _Switching:
    """The interval is the process's own: the last to end sets it back."""

    def __init__(self) -> None:
        self._count = 0
        self._usual = 0.0

    @contextmanager
    def quick(self) -> Iterator[None]:
        """Let threads take turns more often; called from the process's one event loop."""
        if not self._count:
            self._usual = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                sys.setswitchinterval(self._usual)


_switching = _Switching()


class _Keeping:
    """What is kept for hours is no garbage, and looking through it holds up every thread."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Look for no cycles meanwhile, and among what was made then or before never again.

        What goes out of use is still freed, cycles excepted: those there are, are freed before.
        Called from the process's one event loop.
        """
        if not self._count:
            gc.collect()
            gc.disable()
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            gc.freeze()
            if not self._count:
                gc.enable()


_keeping = _Keeping()
lasting = _keeping.lasting


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do something in a thread, and give what it gives; it goes on when nobody waits any more."""
    with _switching.quick():
        return await asyncio.to_thread(work, *args, **kwargs)
