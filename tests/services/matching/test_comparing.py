"""A version's differences, person by person: made to today's meetings, they give the version."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.comparing import applied, by_person, changes
from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.versions import Entry, is_fixed

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
DELEGATES = [UUID(int=n) for n in range(1, 4)]
LOCALS = [UUID(int=n) for n in range(11, 15)]
POINTS = [UUID(int=n) for n in range(21, 24)]
HELPERS = [None, UUID(int=31), UUID(int=32)]

spots = st.builds(
    lambda slot, point, helper: Spot(
        START + timedelta(minutes=25 * slot),
        START + timedelta(minutes=25 * (slot + 1)),
        point,
        helper,
    ),
    st.integers(0, 5),
    st.sampled_from(POINTS),
    st.sampled_from(HELPERS),
)
pairs = st.tuples(st.sampled_from(DELEGATES), st.sampled_from(LOCALS))
plans = st.dictionaries(pairs, spots, max_size=8)


@st.composite
def days(draw: st.DrawFn) -> list[Meeting]:
    """Meetings of a day: some fixed, some cancelled; a pair has one that is not cancelled."""
    found = []
    for number, (pair, spot) in enumerate(draw(plans).items()):
        state = draw(st.sampled_from(["scheduled", "called", "completed", "cancelled"]))
        found.append(
            Meeting(
                id=UUID(int=100 + number),
                stop_id=UUID(int=9),
                mission_id=UUID(int=9),
                session_id=UUID(int=9),
                delegate_id=pair[0],
                local_id=pair[1],
                spot=spot,
                interpreter_needed=False,
                state=state,  # type: ignore[arg-type]  # these are states
                revision=1,
                delay_minutes=0,
                delegate_attendance="unknown",
                local_attendance="unknown",
                locked=draw(st.booleans()),
                schedule_number=1,
                started_at=None,
                finished_at=None,
            )
        )
    return found


def entry(pair: tuple[UUID, UUID], spot: Spot) -> Entry:
    return Entry(
        session_id=UUID(int=9),
        delegate_id=pair[0],
        local_id=pair[1],
        starts_at=spot.starts_at,
        ends_at=spot.ends_at,
        point_id=spot.point_id,
        interpreter_id=spot.interpreter_id,
        interpreter_needed=False,
    )


def agendas(
    plan: dict[tuple[UUID, UUID], Spot],
) -> dict[UUID, set[tuple[tuple[UUID, ...], Spot]]]:
    """Whom each person meets when and where; an interpreter is there for both sides."""
    found: dict[UUID, set[tuple[tuple[UUID, ...], Spot]]] = {}
    for (delegate, local), spot in plan.items():
        found.setdefault(delegate, set()).add(((local,), spot))
        found.setdefault(local, set()).add(((delegate,), spot))
        if spot.interpreter_id:
            found.setdefault(spot.interpreter_id, set()).add(((delegate, local), spot))
    return found


@given(days(), plans)
def test_differences_applied_to_each_persons_day_give_the_version(
    current: list[Meeting], wanted: dict[tuple[UUID, UUID], Spot]
) -> None:
    today = {m.people: m.spot for m in current if m.state != "cancelled"}
    fixed = {m.people: m.spot for m in current if m.state != "cancelled" and is_fixed(m)}
    version = wanted | fixed
    found = by_person(changes(current, [entry(*one) for one in wanted.items()]))

    before, after = agendas(today), agendas(version)
    for person in before.keys() | after.keys() | found.keys():
        spots_now = {spot for _, spot in before.get(person, set())}
        told = found.get(person, [])
        wanted_spots = {spot for _, spot in after.get(person, set())}
        # Two meetings of one person may share a spot here: the walls are not part of this.
        stays = before.get(person, set()) & after.get(person, set())
        assert applied(spots_now, told) | {s for _, s in stays} == wanted_spots
        gone = {c.before for c in told} - {None}
        assert gone <= spots_now


@given(days(), plans)
def test_who_is_told_nothing_has_the_same_day(
    current: list[Meeting], wanted: dict[tuple[UUID, UUID], Spot]
) -> None:
    today = {m.people: m.spot for m in current if m.state != "cancelled"}
    fixed = {m.people: m.spot for m in current if m.state != "cancelled" and is_fixed(m)}
    found = by_person(changes(current, [entry(*one) for one in wanted.items()]))
    before, after = agendas(today), agendas(wanted | fixed)

    people = before.keys() | after.keys()
    assert {one for one in people if before.get(one) != after.get(one)} == found.keys()


@given(days())
def test_todays_meetings_as_a_version_change_nothing(current: list[Meeting]) -> None:
    same = [entry(m.people, m.spot) for m in current if m.state != "cancelled"]

    assert changes(current, same) == []
