"""What callers send to change a provisional version."""

from uuid import UUID

from pydantic import StrictBool

from shared.http import Body, Moment


class PairBody(Body):
    """The two whose meeting is meant."""

    delegate_id: UUID
    local_id: UUID

    @property
    def pair(self) -> tuple[UUID, UUID]:
        """The two, the delegate first."""
        return self.delegate_id, self.local_id


class PlaceBody(PairBody):
    """Where the two are to meet; an interpreter is chosen where one is needed and none is named."""

    starts_at: Moment
    point_id: UUID
    interpreter_id: UUID | None = None


class LockBody(PairBody):
    """Whether their meeting stays where it is in later versions."""

    locked: StrictBool
