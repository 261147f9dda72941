"""What requests about webhooks bring."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, model_validator

from services.notify.domain.webhooks import Scheme
from shared.addresses import URL_LENGTH_MAX
from shared.events import EVENTS
from shared.http import Body, Moment

NAME_LENGTH_MAX = 100
GROUPS: dict[str, tuple[str, ...]] = {
    "participants": ("registration.participant.",),
    "meetings": ("matching.meeting.",),
    "requests": ("matching.request.",),
    "outcomes": ("matching.outcome.", "matching.meeting_report."),
    "programme": (
        *("registration.mission.", "registration.stop.", "registration.programme_item."),
        "matching.schedule.",
    ),
    "privacy": ("registration.consent.", "registration.person."),
}
"""What people choose from: the beginnings of types."""

_KNOWN = frozenset(event.TYPE for event in EVENTS)


def _known(type_: str) -> str:
    if type_ not in _KNOWN:
        raise ValueError(f"There is no event {type_}.")
    return type_


def types_of(groups: Sequence[str]) -> tuple[str, ...]:
    """Give the types of some groups; of all of them, or of none, it is every type."""
    if not set(GROUPS) - set(groups):
        return ()
    wanted = tuple(one for name in groups for one in GROUPS.get(name, ()))
    return tuple(event.TYPE for event in EVENTS if event.TYPE.startswith(wanted or ("",)))


Url = Annotated[str, Field(min_length=1, max_length=URL_LENGTH_MAX)]
Name = Annotated[str, Field(max_length=NAME_LENGTH_MAX)]
Types = Annotated[tuple[Annotated[str, AfterValidator(_known)], ...], Field(max_length=len(_KNOWN))]


class WebhookBody(Body):
    """A new webhook: where to, and which events; none named are all."""

    url: Url
    name: Name = ""
    types: Types = ()
    scheme: Scheme = Field(
        "v1",
        description="`v1` signs with a secret that both know, `v1a` with a key of ours alone.",
    )
    partner_id: UUID | None = Field(None, description="Null: your own, or the mission's.")
    mission_id: UUID | None = None

    def facts(self) -> dict[str, Any]:
        """Give what is written of it."""
        return self.model_dump(include={"url", "name", "types", "scheme"})


class WebhookEdit(Body):
    """What changes of a webhook; what is not named stays."""

    url: Url | None = None
    name: Name | None = None
    types: Types | None = None
    state: Literal["active", "paused"] | None = None

    def facts(self) -> dict[str, Any]:
        """Give what changes."""
        return self.model_dump(exclude_none=True)


class ReplayBody(Body):
    """What is sent again: all since a time, or what was given up."""

    since: Moment | None = None
    until: Moment | None = None
    failed: StrictBool = Field(default=False, description="What was given up, whenever that was.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "ReplayBody":
        if self.failed == (self.since is not None):
            raise ValueError("Give either `since`, or `failed`.")
        return self

    def span(self, now: datetime) -> tuple[datetime, datetime] | None:
        """Give from when and until when, or None for what was given up."""
        return None if self.since is None else (self.since, self.until or now)
