"""What can be done, and what a key may be made for."""

from collections.abc import Mapping
from typing import Literal

Action = Literal[
    "mission.write",
    "people.invite",
    "people.read",
    "list.export",
    "audit.read",
    "organization.merge",
    "registration.read",
    "registration.cancel",
    "registration.edit",
    "registration.decide",
    "check_in",
    "board.read",
    "numbers.read",
    "schedule.write",
    "meeting.run",
    "preference.write",
    "recommendation.read",
    "quota.write",
    "exclusion.write",
    "veto.write",
    "veto.read",
    "veto.lift",
    "feedback.write",
    "outcome.read",
    "outcome.write",
    "live.me",
    "live.stop",
    "day_plan.print",
    "messages.choose",
    "messages.write",
    "contacts.read",
    "mailbox.read",
    "privacy.write",
    "privacy.export",
    "privacy.consent",
    "privacy.withdraw",
    "privacy.erase",
    "application.read",
    "application.write",
    "application.review",
    "application.decide",
    "partner.read",
    "partner.write",
    "meeting.read",
    "key.read",
    "key.write",
    "event.read",
    "webhook.write",
    "import.write",
    "connector.write",
]

KeyScope = Literal[
    "registrations:read",
    "registrations:write",
    "check_in:write",
    "meetings:read",
    "preferences:write",
    "outcomes:read",
    "outcomes:write",
    "events:read",
    "webhooks:write",
    "imports:write",
    "connectors:write",
]

SCOPES: Mapping[KeyScope, frozenset[Action]] = {
    "registrations:read": frozenset(
        {
            "people.read",
            "registration.read",
            "list.export",
            "board.read",
            "numbers.read",
            "partner.read",
        }
    ),
    "registrations:write": frozenset(
        {"people.invite", "registration.edit", "registration.cancel", "registration.decide"}
    ),
    "check_in:write": frozenset({"check_in"}),
    "meetings:read": frozenset(
        {
            "board.read",
            "numbers.read",
            "live.stop",
            "recommendation.read",
            "veto.read",
            "meeting.read",
        }
    ),
    "preferences:write": frozenset({"preference.write", "veto.write"}),
    "outcomes:read": frozenset({"outcome.read"}),
    "outcomes:write": frozenset({"outcome.write", "feedback.write"}),
    "events:read": frozenset({"event.read"}),
    "webhooks:write": frozenset({"webhook.write"}),
    "imports:write": frozenset({"import.write"}),
    "connectors:write": frozenset({"connector.write"}),
}
"""What a key of each scope opens. No scope makes keys: a key that leaks must not beget others."""
