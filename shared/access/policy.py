"""Who may do what. The one place where rights are decided."""

from collections.abc import Callable

from shared.access.actions import SCOPES, Action
from shared.access.who import Principal, Role, Scope
from shared.errors import Forbidden

Rule = Callable[[Principal, Scope], bool]


def _own_mission(who: Principal, scope: Scope) -> bool:
    return who.mission_id is None or who.mission_id == scope.mission_id


def _own_stop(who: Principal, scope: Scope) -> bool:
    return _own_mission(who, scope) and scope.stop_id in who.stop_ids


def _own_invitee(who: Principal, scope: Scope) -> bool:
    return (
        _own_stop(who, scope) and who.partner_id is not None and who.partner_id == scope.partner_id
    )


def _hosted_stop(who: Principal, scope: Scope) -> bool:
    return _own_stop(who, scope) and who.partner_id in scope.hosts


def _hosts_invitee(who: Principal, scope: Scope) -> bool:
    return _own_invitee(who, scope) and who.partner_id in scope.hosts


def _own_partner(who: Principal, scope: Scope) -> bool:
    return (
        _own_mission(who, scope)
        and who.partner_id is not None
        and who.partner_id == scope.partner_id
    )


def _self(who: Principal, scope: Scope) -> bool:
    return who.subject in scope.person_ids


def _own_mission_or_self(who: Principal, scope: Scope) -> bool:
    return _own_mission(who, scope) or _self(who, scope)


def _always(who: Principal, scope: Scope) -> bool:
    del who, scope
    return True


_STAFF: dict[Role, Rule] = {"mission_staff": _own_mission}
_STOP_STAFF: dict[Role, Rule] = _STAFF | {"partner_staff": _own_stop, "door_staff": _own_stop}
_OWN_PARTNER: dict[Role, Rule] = {"partner_staff": _own_partner}
_PEOPLE: dict[Role, Rule] = {"delegate": _self, "local": _self}
_EVERYBODY: dict[Role, Rule] = _PEOPLE | {
    "interpreter": _self,
    "partner_staff": _self,
    "door_staff": _self,
    "mission_staff": _self,
    "applicant": _self,
}
# The contact of a company that was selected has become a delegate.
_APPLYING: dict[Role, Rule] = {"applicant": _self, "delegate": _self}

POLICY: dict[Action, dict[Role, Rule]] = {
    "mission.write": _STAFF,
    "people.invite": _STAFF | {"partner_staff": _own_invitee},
    "people.read": _STAFF | {"partner_staff": _own_stop},
    "list.export": _STAFF | {"partner_staff": _hosted_stop},
    "audit.read": _STAFF,
    "organization.merge": _STAFF,
    "registration.read": _STOP_STAFF | _PEOPLE,
    "registration.cancel": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "registration.edit": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "registration.decide": _STAFF | {"partner_staff": _hosts_invitee},
    "check_in": _STAFF | {"partner_staff": _own_invitee, "door_staff": _own_stop},
    # Of a stop: to whom this is allowed and the next is not, of its own people alone.
    "board.read": _STOP_STAFF,
    "numbers.read": _STOP_STAFF | {"partner_staff": _hosted_stop},
    "schedule.write": _STAFF,
    "meeting.run": _STAFF | {"door_staff": _own_stop},
    "preference.write": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "recommendation.read": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "quota.write": _STAFF,
    "exclusion.write": _STAFF,
    # The partner of the scope is one that hosts the stop.
    "veto.write": {"partner_staff": _own_invitee},
    "veto.read": _STAFF | {"partner_staff": _own_invitee},
    "veto.lift": _STAFF,
    # The person of the scope is the one for whom somebody speaks.
    "feedback.write": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    # The persons are those who represent the two companies.
    "outcome.read": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "outcome.write": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "live.me": _PEOPLE | {"interpreter": _self},
    "live.stop": _STOP_STAFF | {"screen": _own_stop},
    # Of everybody at a stop, with whom they meet: of people alone, no key opens it.
    "day_plan.print": _STAFF | {"partner_staff": _hosted_stop},
    "messages.choose": _EVERYBODY,
    "messages.write": _STAFF,
    "contacts.read": {"service": _always},
    "mailbox.read": {"mission_staff": _always},
    "privacy.write": _STAFF,
    "privacy.export": _EVERYBODY | {"mission_staff": _own_mission_or_self},
    "privacy.consent": _EVERYBODY,
    "privacy.withdraw": _EVERYBODY | {"mission_staff": _own_mission_or_self},
    "privacy.erase": _EVERYBODY | {"mission_staff": _own_mission_or_self},
    "application.read": _STAFF | _APPLYING,
    "application.write": _APPLYING,
    "application.review": _STAFF,
    "application.decide": _STAFF,
    # The partner of the scope is the one whose key, feed, webhook, list or connection it is, or
    # whose people meet.
    "partner.read": _STAFF | _OWN_PARTNER,
    "partner.write": _STAFF | _OWN_PARTNER,
    "meeting.read": _STAFF | _OWN_PARTNER,
    "key.read": {"service": _always},
    "key.write": _STAFF | _OWN_PARTNER,
    "event.read": _STAFF | _OWN_PARTNER,
    "webhook.write": _STAFF | _OWN_PARTNER,
    "import.write": _STAFF | {"partner_staff": _own_invitee},
    "connector.write": _STAFF | {"partner_staff": _own_invitee},
}
"""Action, role, rule. What is not listed is forbidden.

A partner's system may do what its staff may, of that what the scopes of its key open. Of partners
those that lead a stop or host it with others see all its numbers, take lists out, and decide who of
their own invitees comes; organisers, supporters and venue hosts see and invite their own alone.
"""


def may(who: Principal, action: Action, scope: Scope) -> bool:
    """Say whether `who` may do `action` within `scope`."""
    role = who.role
    if role == "partner_system":
        if not any(action in SCOPES[one] for one in who.scopes):
            return False
        role = "partner_staff"
    rule = POLICY[action].get(role)
    return rule is not None and rule(who, scope)


def require(who: Principal, action: Action, scope: Scope) -> None:
    """Raise `Forbidden` unless `who` may do `action` within `scope`."""
    if not may(who, action, scope):
        hint = _missing(who, action)
        raise Forbidden(f"The role {who.role} may not do this ({action}) here.{hint}")


def _missing(who: Principal, action: Action) -> str:
    """Tell the owner of a key which scope it lacks."""
    if who.role != "partner_system":
        return ""
    wanted = [scope for scope, actions in SCOPES.items() if action in actions]
    if not wanted or any(scope in who.scopes for scope in wanted):
        return ""
    return f" The key lacks the scope {' or '.join(wanted)}."
