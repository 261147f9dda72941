"""Many small lists made without Python's search for circles of references."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the search for circles rest: it went through all clauses again and again.

    That took half of the time in which they are made. What is in no circle is freed as ever.
    """
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()
