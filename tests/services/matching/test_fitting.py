"""What is not possible in a version, against its definitions."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.barring import Barred
from services.matching.domain.editing import (
    Destination,
    DoesNotFit,
    Version,
    placed,
    spots,
    with_entry,
)
from services.matching.domain.explaining import Names, sentence
from services.matching.domain.fitting import misfits, misfits_of
from services.matching.domain.ground import Code, Ground, Misfit, Room, Site
from services.matching.domain.options import Point
from services.matching.domain.problem import Quota, Rest
from services.matching.domain.slots import slots_of
from services.matching.domain.versions import Entry
from services.matching.domain.wishes import Wish, Wishes
from shared.events.base import Bilingual

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
DELEGATES = [UUID(int=n) for n in range(1, 4)]
LOCALS = [UUID(int=n) for n in range(11, 15)]
T1, T2, T3 = POINTS = [UUID(int=n) for n in range(21, 24)]
IVY, IAN = (UUID(int=31), UUID(int=32))
SESSION = UUID(int=41)
SLOTS = slots_of(START, 25, 6, [])
ROOM = Room(
    SESSION,
    SLOTS,
    {point: Point(point, None) for point in POINTS},
    frozenset([*DELEGATES, *LOCALS]),
)


def entry(
    delegate: int, local: int, slot: int, point: UUID = T1, helper: UUID | None = None
) -> Entry:
    at = SLOTS[slot - 1]
    return Entry(
        session_id=SESSION,
        delegate_id=DELEGATES[delegate],
        local_id=LOCALS[local],
        starts_at=at.starts_at,
        ends_at=at.ends_at,
        point_id=point,
        interpreter_id=helper,
        interpreter_needed=helper is not None,
    )


def ground(**facts: Any) -> Ground:
    given_: dict[str, Any] = {
        "current": [],
        "wishes": Wishes([]),
        "barred": Barred(),
        "elsewhere": frozenset(),
        "quotas": {local: Quota() for local in LOCALS},
        "rooms": {SESSION: ROOM},
        **facts,
    }
    return Ground(**given_)


def codes(entries: list[Entry], **facts: Any) -> list[str]:
    return [one.code for one in misfits(entries, ground(**facts))]


entries = st.lists(
    st.builds(
        entry,
        st.integers(0, 2),
        st.integers(0, 3),
        st.integers(1, 4),
        st.sampled_from(POINTS),
        st.sampled_from([None, IVY, IAN]),
    ),
    max_size=8,
    unique_by=lambda one: one.people,
)


@given(entries)
def test_whatever_would_be_in_two_places_is_found_and_nothing_else(found: list[Entry]) -> None:
    expected = {
        frozenset((one.people, other.people))
        for one, other in combinations(found, 2)
        if one.starts_at == other.starts_at and set(one.resources) & set(other.resources)
    }
    told = misfits(found, ground())

    assert {one.code for one in told} <= {"taken"}
    assert [one for one in told if one.other is None] == []
    named = [frozenset((one.entry.people, one.other.people)) for one in told if one.other]
    assert set(named) == expected
    assert len(named) == len(expected)


@given(entries, st.integers(0, 7))
def test_a_meeting_alone_has_the_misfits_that_it_has_among_all(
    found: list[Entry], place: int
) -> None:
    if not found:
        return
    one = found[place % len(found)]
    others = [entry for entry in found if entry is not one]
    alone = {m.other.people for m in misfits_of(one, others, ground()) if m.other}
    among = {
        (m.other if m.entry is one else m.entry).people
        for m in misfits(found, ground())
        if m.other and one in (m.entry, m.other)
    }

    assert alone == among


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 3),
            st.integers(0, 5),
            st.sampled_from(POINTS),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_no_edits_in_whatever_order_put_anything_in_two_places(
    wanted: list[tuple[int, int, int, UUID, bool]],
) -> None:
    languages = {one: frozenset({"en"}) for one in DELEGATES}
    languages |= {one: frozenset({"zh"} if one == LOCALS[0] else {"en", "zh"}) for one in LOCALS}
    around = ground(quotas={one: Quota(maximum=2) for one in LOCALS})
    names = Names({}, {}, ZoneInfo("UTC"))
    held: list[Entry] = []
    for delegate, local, slot, point, is_out in wanted:
        version = Version(tuple(held), around, languages, {IVY: frozenset({"en", "zh"})})
        pair = (DELEGATES[delegate], LOCALS[local])
        to = Destination(SLOTS[slot].starts_at, point)
        try:
            held = (
                version.others(pair)
                if is_out
                else with_entry(held, placed(version, pair, to, names))
            )
        except DoesNotFit:
            # Whatever is offered can be taken.
            assert (to.starts_at, point) not in {
                (spot.starts_at, spot.point_id) for spot in spots(version, pair)
            } or len([one for one in held if LOCALS[local] in one.people]) == 2
        assert misfits(held, around) == []
        for one, other in combinations(held, 2):
            is_at_once = one.starts_at == other.starts_at
            assert not (is_at_once and set(one.resources) & set(other.resources))
        assert all(one.interpreter_id == IVY for one in held if LOCALS[0] in one.people)


def test_the_way_between_two_venues_takes_its_time() -> None:
    site = Site(venues={(SESSION, T3): "hall"}, ways={"": {"hall": 20}})
    near, far = entry(0, 0, 1), entry(0, 1, 2, T3)
    assert misfits([far], ground(site=site)) == []
    told = misfits_of(far, [near], ground(site=site))
    assert [(m.code, m.resource_id, m.other) for m in told] == [("too_far", DELEGATES[0], near)]
    assert misfits_of(entry(0, 1, 3, T3), [near], ground(site=site)) == []
    assert misfits_of(entry(0, 1, 2, T2), [near], ground(site=site)) == []


def test_an_interpreter_goes_the_way_too() -> None:
    site = Site(venues={(SESSION, T3): "hall"}, ways={"hall": {"": 20}})
    told = misfits_of(entry(1, 1, 2, T3, IVY), [entry(0, 0, 1, T1, IVY)], ground(site=site))

    assert [(m.code, m.resource_id) for m in told] == [("too_far", IVY)]


def test_a_booth_is_its_companys() -> None:
    site = Site(owners={T3: UUID(int=51)})
    barred = Barred(company_of={DELEGATES[0]: UUID(int=51)})

    assert misfits_of(entry(0, 0, 1, T3), [], ground(site=site, barred=barred)) == []
    (told,) = misfits_of(entry(1, 0, 1, T3), [], ground(site=site, barred=barred))
    assert (told.code, told.resource_id) == ("not_owner", T3)


def test_the_first_of_two_meetings_is_over_when_the_second_begins() -> None:
    first, second = entry(0, 0, 2), entry(1, 1, 1)
    site = Site(precedences=[(first.people, second.people)])
    told = misfits_of(second, [first], ground(site=site))

    assert [(m.code, m.other) for m in told] == [("out_of_order", first)]
    assert misfits_of(entry(1, 1, 3), [first], ground(site=site)) == []


def test_an_interpreter_rests() -> None:
    site = Site(rest=Rest(run_minutes_max=50, rest_minutes=20))
    run = [entry(n % 3, n, n + 1, T1, IVY) for n in range(3)]

    assert "no_rest" in [m.code for m in misfits_of(run[2], run[:2], ground(site=site))]
    after = entry(2, 2, 4, T1, IVY)
    assert misfits_of(after, run[:2], ground(site=site)) == []


def test_of_a_version_only_what_it_would_change_is_looked_at_but_for_who_is_kept_apart() -> None:
    stays, new = entry(0, 0, 1), entry(1, 1, 1, T2)
    refused = Wishes([Wish(DELEGATES[0], LOCALS[0], "no_thanks")])
    apart = Barred(people=frozenset([frozenset(stays.people)]))
    assert codes([stays, new], wishes=refused) == ["refused"]
    assert codes([stays, new], barred=apart) == ["excluded"]
    assert codes([new], elsewhere=frozenset([frozenset(new.people)])) == ["met_elsewhere"]
    assert codes([new], taken={T2: [(START, START + timedelta(minutes=5))]}) == ["not_free"]
    assert codes([new], quotas={LOCALS[1]: Quota(maximum=0)}) == ["too_many"]


async def test_rules_of_the_stop_are_kept_by_edits_too(house: "House") -> None:
    await house.rows("UPDATE meeting_point SET venue = 'hall' WHERE id = $1", house.points["T2"])
    await house.rows("INSERT INTO way VALUES ($1, '', 'hall', 20)", house.stop)
    schedule = await house.proposed(house.entry("dave luo", 1, "T1"))

    async def add(slot: int) -> Any:
        body = {
            "delegate_id": str(house.people["dave"]),
            "local_id": str(house.people["liu"]),
            "starts_at": house.slot(slot).isoformat(),
            "point_id": str(house.points["T2"]),
        }
        path = f"/api/v1/schedules/{schedule}/add"
        return await house.ask("POST", path, body=body, If_Match='"1"')

    refused = await add(2)
    assert refused.status_code == 409
    (fault,) = refused.json()["errors"]
    assert "no time for the way from or to Sample Dave Co. – Sample Luo Co." in fault["detail"]
    # Behind it lies the session's break.
    assert (await add(3)).status_code == 200


@pytest.mark.parametrize("code", get_args(Code))
def test_every_reason_is_said_in_both_languages(code: Code) -> None:
    names = Names({DELEGATES[0]: Bilingual(en="Sample Co.", zh="示例公司")}, {}, ZoneInfo("UTC"))
    misfit = Misfit(entry(0, 0, 1), code, DELEGATES[0], entry(0, 1, 1))
    said = sentence(misfit, names)

    assert "Sample Co." in said.en
    assert "示例公司" in said.zh
