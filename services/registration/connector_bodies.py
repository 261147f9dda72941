"""What callers send about connectors."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator

from services.registration.domain.connecting import ANSWER, Push, Target
from shared.http import Body

MAPPED_MAX = 200
TARGETS = frozenset(Target)

Key = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Value = Annotated[str, StringConstraints(max_length=500)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")]
KindName = Literal["pretix", "indico"]
Mapped = Annotated[dict[Key, Value], Field(max_length=MAPPED_MAX)]


class FieldMapBody(Body):
    """How a system's words become ours: products, fields by target, fixed values, values."""

    items: Annotated[dict[Key, UUID], Field(max_length=MAPPED_MAX)] = Field(default_factory=dict)
    fields: Mapped = Field(default_factory=dict)
    fixed: Mapped = Field(default_factory=dict)
    values: Annotated[dict[Key, Mapped], Field(max_length=MAPPED_MAX)] = Field(default_factory=dict)

    @field_validator("fields", "fixed", "values")
    @classmethod
    def _are_targets(cls, given: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in given if name not in TARGETS and not name.startswith(ANSWER)]
        if unknown:
            raise ValueError(f"There is no such target: {unknown[0]}.")
        return given

    def written(self) -> dict[str, Any]:
        """Give it as it is kept."""
        written: dict[str, Any] = self.model_dump(mode="json")
        return written


class ConnectorBody(Body):
    """A system to be connected; `place` is what its kind asks for."""

    kind: KindName
    stop_id: UUID
    place: dict[Key, str | int | None] = Field(max_length=10)
    token: Token
    pushes: list[Push] = Field(default_factory=lambda: [Push.CHECK_IN], max_length=len(Push))
    field_map: FieldMapBody | None = None


class ConnectorChange(Body):
    """What is changed of a connector; a part that is not given stays as it is."""

    token: Token | None = None
    pushes: list[Push] | None = Field(default=None, max_length=len(Push))
    field_map: FieldMapBody | None = None

    def changes(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {
            "token": self.token,
            "pushes": self.pushes,
            "field_map": self.field_map.written() if self.field_map else None,
        }


class ResolutionBody(Body):
    """What is to become of a conflict: theirs is taken over, ours kept, or it is tried again."""

    decision: Literal["take_theirs", "keep_ours", "try_again"]
