"""What callers send about places."""

from typing import Annotated

from pydantic import Field, StrictBool, model_validator

from services.registration.bodies import CAPACITY_MAX
from shared.http import Body, Moment

YEAR_SECONDS = 366 * 24 * 3600

Seconds = Annotated[int, Field(strict=True, gt=0, le=YEAR_SECONDS)]


class ItemChange(Body):
    """What changes about an item's places; a field that is left out stays as it is."""

    capacity: Annotated[int, Field(strict=True, ge=0, le=CAPACITY_MAX)] | None = None
    requires_approval: StrictBool | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    hold_seconds: Seconds | None = None
    """How long a place is held that waits for approval; null: without end."""
    offer_seconds: Seconds | None = None
    """How long a place is offered to one who waited; null: it is given at once."""

    @model_validator(mode="after")
    def _not_nothing(self) -> "ItemChange":
        for name in ("capacity", "requires_approval"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"`{name}` cannot be null.")
        return self


class AllotmentBody(Body):
    """Seats that are kept, and when those that are unused become free to all."""

    seats: Annotated[int, Field(strict=True, ge=0, le=CAPACITY_MAX)]
    releases_at: Moment | None = None
