"""A log as a consumer meets it, without one."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.log.records import Record


@dataclass
class Line:
    """Records as a log hands them out: one batch."""

    records: Sequence[Record]

    async def poll(self) -> Sequence[Record]:
        return self.records

    async def commit(self) -> None:
        self.records = ()

    async def rewind(self) -> None:
        raise AssertionError("nothing here is handed out twice")
