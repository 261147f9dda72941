"""Limits of one client: what is counted, by whom, and for how long."""

import math
import time
from dataclasses import dataclass
from uuid import uuid4

import pytest
from fastapi import Request

from shared.access import Principal
from shared.errors import TooMany
from shared.limits import Limit, client_of


@dataclass
class Clock:
    at: float = 1_000.0

    def __call__(self) -> float:
        return self.at


def asked(host: str | None, **headers: str) -> Request:
    client = None if host is None else (host, 50_000)
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "client": client, "headers": raw})


def test_a_burst_passes_and_then_so_many_as_the_rate_allows() -> None:
    clock = Clock()
    limit = Limit(120, 60, burst=240, clock=clock)

    assert sum(limit.wait_seconds("hall") == 0 for _ in range(300)) == 240
    clock.at += 10
    assert sum(limit.wait_seconds("hall") == 0 for _ in range(300)) == 20


def test_who_asks_too_often_is_told_when_it_is_worth_another_try() -> None:
    clock = Clock()
    limit = Limit(5, 3600, clock=clock)
    for _ in range(5):
        limit.take("a")

    with pytest.raises(TooMany) as refused:
        limit.take("a")
    assert refused.value.retry_seconds == pytest.approx(720)
    clock.at += math.ceil(refused.value.retry_seconds)
    limit.take("a")


def test_what_weighs_more_counts_for_more_and_is_given_back() -> None:
    clock = Clock()
    limit = Limit(100, 60, clock=clock)
    limit.take("a", 60)
    assert limit.wait_seconds("a", 41) == pytest.approx(0.6)
    limit.take("a", 40)
    with pytest.raises(TooMany):
        limit.take("a")

    limit.give_back("a", 40)
    limit.give_back("b", 40)
    limit.take("a", 40)
    # Nobody has more than there is.
    assert limit.wait_seconds("b", 101) > 0


def test_what_is_refused_is_not_counted() -> None:
    clock = Clock()
    limit = Limit(1, 60, clock=clock)
    limit.take("a")
    for _ in range(100):
        assert limit.wait_seconds("a") == pytest.approx(60)

    clock.at += 60
    limit.take("a")


def test_one_client_takes_nothing_from_another() -> None:
    limit = Limit(1, 60, clock=Clock())
    limit.take("a")

    limit.take("b")
    with pytest.raises(TooMany):
        limit.take("a")


def test_a_limit_of_nought_is_none() -> None:
    limit = Limit(0, 60, clock=Clock())

    assert {limit.wait_seconds("a") for _ in range(1_000)} == {0.0}


def test_of_too_many_clients_the_one_that_came_least_lately_is_forgotten() -> None:
    limit = Limit(2, 3600, clients_max=3, clock=Clock())
    for client in ("a", "b", "c", "a", "d"):
        limit.take(client)

    # b was forgotten for d, and so begins anew; a was not.
    assert limit.wait_seconds("a") > 0
    limit.take("b")
    limit.take("b")
    assert limit.wait_seconds("b") > 0


def test_a_credential_is_counted_wherever_it_is_used_from() -> None:
    who = Principal("local", uuid4())

    assert client_of(asked("192.0.2.1"), who) == client_of(asked("192.0.2.2"), who)
    assert client_of(asked("192.0.2.1")) != client_of(asked("192.0.2.2"))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_a_household_is_counted_once(one: str, other: str, *, is_same: bool) -> None:
    assert (client_of(asked(one)) == client_of(asked(other))) is is_same


def test_counting_costs_a_rush_next_to_nothing() -> None:
    limit = Limit(1_000_000, 60)
    request = asked("192.0.2.1")
    best = math.inf
    for _ in range(20):
        started = time.thread_time()
        for _ in range(1_000):
            limit.wait_seconds(client_of(request))
        best = min(best, (time.thread_time() - started) / 1_000)

    assert best < 3e-6
