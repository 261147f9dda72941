"""The whole policy as one table: every role, every action, and what a key's scopes open of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import get_args
from uuid import uuid4

import pytest

from shared.access import SCOPES, Action, KeyScope, Principal, Role, Scope, may, require
from shared.errors import Forbidden

TABLE = """
action               mission_staff partner_staff door_staff applicant delegate local interpreter screen service keys
mission.write        M             .             .          .         .        .     .           .      .       -
people.invite        M             I             .          .         .        .     .           .      .       registrations:write
people.read          M             S             .          .         .        .     .           .      .       registrations:read
list.export          M             H             .          .         .        .     .           .      .       registrations:read
audit.read           M             .             .          .         .        .     .           .      .       -
organization.merge   M             .             .          .         .        .     .           .      .       -
registration.read    M             S             S          .         =        =     .           .      .       registrations:read
registration.cancel  M             I             .          .         =        =     .           .      .       registrations:write
registration.edit    M             I             .          .         =        =     .           .      .       registrations:write
registration.decide  M             IH            .          .         .        .     .           .      .       registrations:write
check_in             M             I             S          .         .        .     .           .      .       check_in:write
board.read           M             S             S          .         .        .     .           .      .       registrations:read,meetings:read
numbers.read         M             H             S          .         .        .     .           .      .       registrations:read,meetings:read
schedule.write       M             .             .          .         .        .     .           .      .       -
meeting.run          M             .             S          .         .        .     .           .      .       -
preference.write     M             I             .          .         =        =     .           .      .       preferences:write
recommendation.read  M             I             .          .         =        =     .           .      .       meetings:read
quota.write          M             .             .          .         .        .     .           .      .       -
exclusion.write      M             .             .          .         .        .     .           .      .       -
veto.write           .             I             .          .         .        .     .           .      .       preferences:write
veto.read            M             I             .          .         .        .     .           .      .       meetings:read
veto.lift            M             .             .          .         .        .     .           .      .       -
feedback.write       M             I             .          .         =        =     .           .      .       outcomes:write
outcome.read         M             I             .          .         =        =     .           .      .       outcomes:read
outcome.write        M             I             .          .         =        =     .           .      .       outcomes:write
live.me              .             .             .          .         =        =     =           .      .       -
live.stop            M             S             S          .         .        .     .           S      .       meetings:read
day_plan.print       M             H             .          .         .        .     .           .      .       -
messages.choose      =             =             =          =         =        =     =           .      .       -
messages.write       M             .             .          .         .        .     .           .      .       -
contacts.read        .             .             .          .         .        .     .           .      *       -
mailbox.read         *             .             .          .         .        .     .           .      .       -
privacy.write        M             .             .          .         .        .     .           .      .       -
privacy.export       M=            =             =          =         =        =     =           .      .       -
privacy.consent      =             =             =          =         =        =     =           .      .       -
privacy.withdraw     M=            =             =          =         =        =     =           .      .       -
privacy.erase        M=            =             =          =         =        =     =           .      .       -
application.read     M             .             .          =         =        .     .           .      .       -
application.write    .             .             .          =         =        .     .           .      .       -
application.review   M             .             .          .         .        .     .           .      .       -
application.decide   M             .             .          .         .        .     .           .      .       -
partner.read         M             P             .          .         .        .     .           .      .       registrations:read
partner.write        M             P             .          .         .        .     .           .      .       -
meeting.read         M             P             .          .         .        .     .           .      .       meetings:read
key.read             .             .             .          .         .        .     .           .      *       -
key.write            M             P             .          .         .        .     .           .      .       -
event.read           M             P             .          .         .        .     .           .      .       events:read
webhook.write        M             P             .          .         .        .     .           .      .       webhooks:write
import.write         M             I             .          .         .        .     .           .      .       imports:write
connector.write      M             I             .          .         .        .     .           .      .       connectors:write
"""  # noqa: E501  # a table is read across
"""M own mission; S own stop of it; H the same as its host; I own invitee there; IH both; P own
partner of it; = oneself, also beside another (M=); * anything; . nothing. Keys: what partner staff
may, with one of these scopes."""

HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
EXPECTED = {
    (row[0], role): right for row in ROWS for role, right in zip(HEAD[1:-1], row[1:-1], strict=True)
}
OPENED_BY: dict[str, set[str]] = {
    row[0]: set() if row[-1] == "-" else set(row[-1].split(",")) for row in ROWS
}

MISSION, STOP, PARTNER, SUBJECT = (uuid4() for _ in range(4))
ELSE = uuid4()


@dataclass(frozen=True)
class Case:
    """What an action touches, as seen by who asks; None: it is not narrowed to one."""

    mission: bool
    stop: bool | None
    partner: bool | None
    is_self: bool
    is_host: bool

    @property
    def scope(self) -> Scope:
        given = {True: STOP, False: ELSE, None: None}[self.stop]
        brought = {True: PARTNER, False: ELSE, None: None}[self.partner]
        return Scope(
            mission_id=MISSION if self.mission else ELSE,
            stop_id=given,
            person_ids=(ELSE, SUBJECT) if self.is_self else (ELSE,),
            partner_id=brought,
            hosts=(ELSE, PARTNER) if self.is_host else (ELSE,),
        )

    def allows(self, right: str) -> bool:
        """Read the table: what a letter of it says of this case."""
        at_stop = self.mission and self.stop is True
        return {
            ".": False,
            "*": True,
            "=": self.is_self,
            "M": self.mission,
            "M=": self.mission or self.is_self,
            "S": at_stop,
            "H": at_stop and self.is_host,
            "I": at_stop and self.partner is True,
            "IH": at_stop and self.partner is True and self.is_host,
            "P": self.mission and self.partner is True,
        }[right]


CASES = [
    Case(*facts)
    for facts in product(
        (True, False), (True, False, None), (True, False, None), (True, False), (True, False)
    )
]


def somebody(role: Role, *scopes: KeyScope) -> Principal:
    return Principal(role, SUBJECT, MISSION, (uuid4(), STOP), PARTNER, scopes)


def wrong(who: Principal, action: Action, right: str) -> Iterator[Case]:
    for case in CASES:
        if may(who, action, case.scope) != case.allows(right):
            yield case


def test_the_table_has_every_action_and_role() -> None:
    assert [row[0] for row in ROWS] == list(get_args(Action))
    assert {*HEAD[1:-1], "partner_system"} == set(get_args(Role))
    assert set(SCOPES) == set(get_args(KeyScope)) == set.union(*OPENED_BY.values())


@pytest.mark.parametrize("role", HEAD[1:-1])
def test_each_role_may_what_the_table_says(role: Role) -> None:
    for action in get_args(Action):
        assert list(wrong(somebody(role), action, EXPECTED[action, role])) == [], action
        # Scopes are a key's: they give a person nothing.
        all_scopes = somebody(role, *SCOPES)
        assert list(wrong(all_scopes, action, EXPECTED[action, role])) == [], action


@pytest.mark.parametrize("scope", [None, *SCOPES])
def test_a_key_opens_with_each_scope_what_the_table_says(scope: KeyScope | None) -> None:
    who = somebody("partner_system", *([scope] if scope else []))
    for action in get_args(Action):
        is_opened = scope in OPENED_BY[action]
        right = EXPECTED[action, "partner_staff"] if is_opened else "."
        assert list(wrong(who, action, right)) == [], action


def test_a_key_with_all_scopes_opens_no_more_than_each_of_them() -> None:
    who = somebody("partner_system", *SCOPES)
    for action in get_args(Action):
        right = EXPECTED[action, "partner_staff"] if OPENED_BY[action] else "."
        assert list(wrong(who, action, right)) == [], action


def test_the_operator_is_mission_staff_of_every_mission() -> None:
    operator = Principal("mission_staff", SUBJECT)
    for action in get_args(Action):
        right = EXPECTED[action, "mission_staff"]
        for case in CASES:
            assert may(operator, action, case.scope) == replace(case, mission=True).allows(right)


def test_who_works_for_no_partner_has_no_partners_rights() -> None:
    who = replace(somebody("partner_staff"), partner_id=None)
    for action in get_args(Action):
        if EXPECTED[action, "partner_staff"] in ("I", "IH", "H", "P"):
            nobodys = [replace(case, partner=None).scope for case in CASES]
            assert not any(may(who, action, scope) for scope in nobodys), action


def test_a_key_that_lacks_a_scope_is_told_which() -> None:
    here = Scope(MISSION, STOP, (), PARTNER)
    with pytest.raises(Forbidden, match="lacks the scope registrations:write"):
        require(somebody("partner_system", "events:read"), "people.invite", here)
    with pytest.raises(Forbidden) as refused:
        require(somebody("partner_system", *SCOPES), "key.write", here)
    assert "scope" not in refused.value.detail
