import gc
from collections.abc import Iterator

import pytest

from services.matching.commands.aside import lasting


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


class Circle:
    def __init__(self) -> None:
        self.itself = self


def test_what_lasts_is_looked_through_neither_meanwhile_nor_later() -> None:
    with lasting():
        assert not gc.isenabled()
        with lasting():
            made = [Circle() for _ in range(100)]
        assert not gc.isenabled()

    assert gc.isenabled()
    looked_through = {id(one) for one in gc.get_objects()}
    assert not {id(one) for one in made} & looked_through


def test_circles_are_freed_before_and_looked_for_again_after_a_failure() -> None:
    def circles() -> int:
        # By its type: to ask a weak reference for its class is to ask what it refers to.
        return sum(type(one) is Circle for one in gc.get_objects())

    def fail() -> None:
        assert not circles()
        raise ZeroDivisionError

    gc.disable()
    Circle()
    gc.enable()
    assert circles()
    before = gc.get_freeze_count()
    with pytest.raises(ZeroDivisionError), lasting():
        fail()

    assert gc.isenabled()
    assert gc.get_freeze_count() > before
