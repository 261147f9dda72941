"""What is imported and collected lasts: no search for garbage goes through it.

A plugin, so that it is there before the first `conftest.py`, which imports all services.
"""

import gc
from collections.abc import Generator

import pytest

gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Search again from now on, and only through what the tests make."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
