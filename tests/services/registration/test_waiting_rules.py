"""The waiting room's rules: who is called next, when it opens, and when it closes."""

import hmac
import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.registration.domain.tickets import Ticket, read_ticket
from services.registration.domain.waiting_room import (
    Load,
    Mode,
    Room,
    State,
    Terms,
    next_opening,
)

START = datetime(2023, 11, 1, 2, tzinfo=UTC)
STOP = uuid4()
BUSY = Load(wait_seconds=2.0, pace=10.0)
CALM = Load(wait_seconds=0.0, pace=10.0)
SECRET = b"a secret of the room in this test"


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ticket(name: str, came: float = 0.0) -> Ticket:
    return Ticket(name, STOP, f"key of {name}", after(came), after(came))


def opened(secret: bytes = SECRET, pace: float = 0.0) -> Room:
    """Give a room that has opened at the start, and calls `pace` people a second from then on."""
    room = Room(secret, Terms(pace_min=1e-9))
    room.turn(Load(2.0, pace), after(-1))
    room.turn(Load(2.0, pace), START)
    assert room.opened_at == START
    # Whoever finds it empty goes straight on.
    assert room.see(ticket("first", -10), START).state is State.ADMITTED
    return room


def called(room: Room, tickets: list[Ticket], *, pace: float) -> list[str]:
    """Let everybody ask, and call one at a time; give the order in which they were let in."""
    order: list[str] = []
    waiting = {one.id: one for one in tickets}
    asking = random.Random(7)  # noqa: S311  # a fixed seed
    for step in range(1, 3 * len(tickets)):
        now = after(60 + step / pace)
        room.turn(Load(2.0, pace), now)
        names = asking.sample(sorted(waiting), len(waiting))
        let_in = [n for n in names if room.see(waiting[n], now).state is State.ADMITTED]
        order += [waiting.pop(name).id for name in let_in]
        if not waiting:
            return order
    raise AssertionError(f"{len(waiting)} were never called.")


def kendall(order: list[str], wanted: list[str]) -> float:
    """Kendall's tau of two orders of the same names."""
    place = {name: number for number, name in enumerate(wanted)}
    ranks = [place[name] for name in order]
    pairs = len(ranks) * (len(ranks) - 1) / 2
    discordant = sum(
        first > second for number, first in enumerate(ranks) for second in ranks[number + 1 :]
    )
    return 1 - 2 * discordant / pairs


# ---- Order --------------------------------------------------------------------------------------


def test_who_comes_after_the_opening_hears_of_the_turn_nearly_in_the_order_of_coming() -> None:
    # 1,500 people in two minutes, 8 a second are called, and each asks every three seconds.
    room = opened(pace=8.0)
    gaps = random.Random(3)  # noqa: S311  # a fixed seed
    late = [
        ticket(f"late {number}", moment)
        for number, moment in enumerate(sorted(gaps.uniform(0.0, 120.0) for _ in range(1_500)))
    ]
    order: list[str] = []
    coming, waiting = list(late), []
    for step in range(1, 2_500):
        now = after(step / 10)
        room.turn(Load(2.0, 8.0), now)
        while coming and coming[0].came_at <= now:
            waiting.append(coming.pop(0))
        asking = [one for one in waiting if (step + int(one.id[5:])) % 30 == 0]
        let_in = {one.id for one in asking if room.see(one, now).state is State.ADMITTED}
        order += [one.id for one in waiting if one.id in let_in]
        waiting = [one for one in waiting if one.id not in let_in]

    assert len(order) == len(late)
    assert kendall(order, [one.id for one in late]) >= 0.97


def test_who_comes_after_the_opening_is_called_in_the_order_of_coming() -> None:
    room = opened()
    late = [ticket(f"late {number}", number / 100) for number in range(400)]
    for one in reversed(late):
        room.see(one, after(59))

    order = called(room, late, pace=20.0)

    assert kendall(order, [one.id for one in late]) >= 0.99


def test_who_was_there_before_the_opening_goes_before_everybody_who_came_after() -> None:
    room = opened()
    late = [ticket(f"late {number}", 0.5 + number) for number in range(30)]
    early = [ticket(f"early {number}", -60 + number) for number in range(30)]
    for one in [*late, *early]:
        room.see(one, after(59))

    order = called(room, [*late, *early], pace=2.0)

    assert set(order[:30]) == {one.id for one in early}
    assert order[:30] != [one.id for one in early]
    assert order[30:] == [one.id for one in late]


def test_every_place_in_the_lot_is_as_likely_for_everybody() -> None:
    # Where four people stand in 4,000 rooms: chi-square, and 9 of the 16 counts are free.
    chance = random.Random(11)  # noqa: S311  # a fixed seed
    places = [[0] * 4 for _ in range(4)]
    for _ in range(4_000):
        room = opened(chance.randbytes(32))
        people = [ticket(f"{person} {chance.random()}", -5 + person) for person in range(4)]
        for one in people:
            room.see(one, START)
        for person, one in enumerate(people):
            places[person][room.see(one, START).number - 1] += 1

    statistic = sum((n - 1_000) ** 2 / 1_000 for counts in places for n in counts)
    assert statistic < 27.9  # p = 0.001


def test_the_lot_does_not_depend_on_when_somebody_came_before_the_opening() -> None:
    # Kolmogorov-Smirnov: the places of the first half to come, against an even spread.
    room = opened()
    early = [ticket(f"early {number}", -1_000 + number / 10) for number in range(2_000)]
    for one in early:
        room.see(one, START)
    places = sorted(room.see(one, START).number / 2_001 for one in early[:1_000])

    distance = max(abs(place - number / 1_000) for number, place in enumerate(places, start=1))
    assert distance < 1.95 / 1_000**0.5  # p = 0.001


def test_nobody_draws_again_by_asking_again() -> None:
    room = opened()
    early = [ticket(f"early {number}", -5) for number in range(50)]
    for one in early:
        room.see(one, START)
    settled = {one.id: room.see(one, START).number for one in early}

    for _ in range(20):
        for one in early:
            assert room.see(one, START).number == settled[one.id]
    assert sorted(settled.values()) == list(range(1, 51))


def test_a_lot_is_made_with_the_secret_of_the_room() -> None:
    early = [ticket(f"early {number}", -5) for number in range(20)]

    def order(secret: bytes) -> list[int]:
        room = opened(secret)
        for one in early:
            room.see(one, START)
        return [room.see(one, START).number for one in early]

    assert order(b"one") == order(b"one") != order(b"other")


# ---- Calling ------------------------------------------------------------------------------------


def test_so_many_are_called_as_the_pace_allows() -> None:
    room = opened()
    late = [ticket(f"late {number}", 0.1) for number in range(1_000)]
    for one in late:
        room.see(one, after(0.2))
    for second in range(1, 31):
        room.turn(Load(2.0, 10.0), after(second))
        for one in late:
            room.see(one, after(second))

    assert room.waiting == pytest.approx(700, abs=10)
    assert room.called_since(after(10.5)) == pytest.approx(200, abs=10)


def test_a_pause_does_not_save_up_calls() -> None:
    room = opened()
    late = [ticket(f"late {number}", 0.1) for number in range(1_000)]
    for one in late:
        room.see(one, after(0.2))
    room.turn(Load(2.0, 10.0), after(50))

    assert room.waiting == 990


def test_who_is_away_is_passed_over_and_keeps_the_place() -> None:
    room = opened()
    away, others = ticket("away", 1), [ticket(f"other {number}", 2 + number) for number in range(9)]
    for one in [away, *others]:
        room.see(one, after(20))
    for second in range(30, 120, 10):
        for one in others:
            room.see(one, after(second))
    room.turn(Load(2.0, 1.0), after(121))

    assert room.see(others[0], after(121)).state is State.ADMITTED
    assert room.see(away, after(121)).number == 1
    room.turn(Load(2.0, 1.0), after(122))
    assert room.see(away, after(122)).state is State.ADMITTED


def test_an_admission_ends_and_the_place_in_front_stays() -> None:
    room = opened(pace=1.0)
    room.turn(BUSY, after(5))
    until = room.see(ticket("a", 1), after(5)).until
    assert until == after(5 + 15 * 60)

    room.turn(BUSY, after(5 + 15 * 60))
    again = room.see(ticket("a", 1), after(5 + 15 * 60))
    assert again.until == after(5 + 30 * 60)


def test_the_wait_that_is_shown_follows_from_the_pace() -> None:
    room = opened(pace=5.0)
    for number in range(100):
        standing = room.see(ticket(f"late {number}", number / 1_000), START)

    assert (standing.number, standing.of) == (100, 100)
    assert standing.wait_seconds == pytest.approx(20.0)


# ---- Opening and closing ------------------------------------------------------------------------


def test_one_slow_batch_opens_nothing() -> None:
    room = Room(SECRET, Terms())
    room.turn(BUSY, START)
    room.turn(CALM, after(0.9))
    room.turn(BUSY, after(1.0))
    room.turn(BUSY, after(1.9))

    assert room.opened_at is None
    assert room.see(ticket("a"), after(1.9)).state is State.FREE


def test_a_rush_that_lasts_opens_it() -> None:
    room = Room(SECRET, Terms())
    for tenth in range(11):
        room.turn(BUSY, after(tenth / 10))

    assert room.opened_at == after(1)


def test_it_closes_when_nobody_has_waited_for_a_while_and_not_before() -> None:
    room = opened()
    room.turn(BUSY, after(1))
    room.turn(CALM, after(2))
    room.turn(CALM, after(31.9))
    assert room.opened_at is not None
    room.turn(CALM, after(32))
    assert room.opened_at is None
    assert room.see(ticket("a", 33), after(33)).state is State.FREE


def test_it_does_not_flap_between_the_two_thresholds() -> None:
    room = opened()
    terms = Terms()
    between = Load(terms.open_seconds * 0.7, 10.0)
    states = set()
    for second in range(1, 600):
        room.turn(between, after(second))
        states.add(room.opened_at)

    assert states == {START}
    shut = Room(SECRET, terms)
    for second in range(600):
        shut.turn(between, after(second))
        assert shut.opened_at is None


def test_a_crowd_before_the_opening_gets_an_order_by_lot() -> None:
    gate = after(600)
    room = Room(SECRET, Terms(crowd=3))
    ahead = Load(0.0, 2.0, gate)
    room.turn(ahead, after(590))
    early = [ticket(f"early {number}", 550 + number) for number in range(40)]
    for one in early:
        assert room.see(one, after(590)).opens_at == gate
    room.turn(CALM, after(600.2))

    assert room.opened_at == gate
    assert room.waiting == 39  # One is called at once.
    waiting = [one for one in early if room.see(one, after(600.2)).state is State.WAITING]
    numbers = [room.see(one, after(600.2)).number for one in waiting]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert numbers != sorted(numbers)
    # Who comes a moment later stands behind them all.
    assert room.see(ticket("late", 600.1), after(600.2)).number == len(numbers) + 1


def test_a_few_before_the_opening_go_straight_to_the_form() -> None:
    gate = after(600)
    room = Room(SECRET, Terms(crowd=3))
    room.turn(Load(0.0, 2.0, gate), after(590))
    few = [ticket("a", 580), ticket("b", 581)]
    assert {room.see(one, after(590)).state for one in few} == {State.BEFORE}
    room.turn(CALM, gate)

    assert {room.see(one, gate).state for one in few} == {State.FREE}


def test_staff_opens_and_closes_it_whatever_the_load() -> None:
    room = Room(SECRET, Terms())
    room.mode = Mode.OPEN
    for second in range(0, 200, 10):
        room.turn(CALM, after(second))
    assert room.opened_at == START
    room.mode = Mode.CLOSED
    for second in range(200, 260):
        room.turn(BUSY, after(second))
        assert room.opened_at is None
    room.mode = Mode.AUTOMATIC
    room.turn(BUSY, after(260))
    room.turn(BUSY, after(261))
    assert room.opened_at == after(261)


def test_it_never_opens_by_itself_where_that_is_not_wanted() -> None:
    room = Room(SECRET, Terms(open_seconds=0, crowd=1))
    room.turn(Load(9.0, 2.0, after(5)), START)
    room.see(ticket("a"), START)
    for second in range(5, 60):
        room.turn(Load(9.0, 2.0), after(second))

    assert room.opened_at is None


def test_after_a_restart_everybody_stands_as_before() -> None:
    before = opened()
    people = [ticket(f"early {n}", -5) for n in range(30)]
    people += [ticket(f"late {n}", 1 + n / 10) for n in range(30)]
    for one in people:
        before.see(one, after(5))
    order = [before.see(one, after(5)).number for one in people]
    assert sorted(order) == list(range(1, 61))

    room = Room(SECRET, Terms())
    back = [*people[1::2], *people[::2]]
    kept = back[0].seen(before.opened_at, after(5))
    assert kept.opened_at is not None
    room.resume(kept.opened_at, after(20))
    for one in back:
        # Nobody is called while the others may not have come back yet.
        room.turn(CALM, after(25))
        assert room.see(one, after(25)).state is State.WAITING
    again = [room.see(one, after(25)).number for one in people]

    assert again == order


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], None),
        ([(None, None)], None),
        ([(60, None), (30, 90)], 30),
        ([(60, None), (None, None)], None),
        ([(60, None), (-60, 10)], None),
        ([(60, None), (-60, -10)], 60),
        ([(-60, -10)], None),
    ],
)
def test_a_stop_opens_with_the_first_of_its_items_unless_one_is_open(
    times: list[tuple[float | None, float | None]], expected: float | None
) -> None:
    def moment(seconds: float | None) -> datetime | None:
        return None if seconds is None else after(seconds)

    found = next_opening([(moment(opens), moment(closes)) for opens, closes in times], START)

    assert found == moment(expected)


def test_a_pace_is_a_share_of_what_is_written_and_has_a_floor() -> None:
    terms = Terms()

    assert terms.pace(100.0) == pytest.approx(80.0)
    assert terms.pace(100.0, 2) == pytest.approx(40.0)
    assert terms.pace(0.0) == terms.pace_min > 0


def sign(purpose: str, text: str) -> bytes:
    return hmac.digest(b"key", f"{purpose}\n{text}".encode(), "sha256")


def test_a_ticket_reads_as_it_was_written() -> None:
    one = ticket("a", 1.234567).seen(after(0.000001), after(2))

    assert read_ticket(one.sealed(sign), STOP, sign, after(3)) == one
