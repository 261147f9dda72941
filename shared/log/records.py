"""What a log hands out.

A record, its CloudEvents headers, and the port that both logs implement.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from shared.postgres import Database

Headers = tuple[tuple[str, bytes], ...]


class Unreadable(Exception):
    """A record that is not one of our CloudEvents, and why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a topic, as it lies in the log."""

    topic: str
    key: bytes | None
    headers: Headers
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """The facts about an event's delivery.

    CloudEvents 1.0 attributes, Kafka binary content mode.
    """

    event_id: UUID
    type: str
    source: str
    subject: str
    occurred_at: datetime
    sequence: int
    correlation_id: str

    def headers(self) -> Headers:
        """Write the attributes as headers (CloudEvents Kafka protocol binding 1.0.2, 3.2)."""
        pairs = {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": str(self.event_id),
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_subject": self.subject,
            "ce_time": self.occurred_at.isoformat(),
            "ce_sequence": str(self.sequence),
            "ce_partitionkey": self.subject,
            "ce_correlationid": self.correlation_id,
        }
        return tuple((name, value.encode()) for name, value in pairs.items())

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record's headers; raises `Unreadable` and names what is missing or wrong."""
        found = {name: value.decode(errors="replace") for name, value in record.headers}
        try:
            return cls(
                event_id=UUID(found["ce_id"]),
                type=found["ce_type"],
                source=found["ce_source"],
                subject=found["ce_subject"],
                occurred_at=datetime.fromisoformat(found["ce_time"]),
                sequence=int(found["ce_sequence"]),
                correlation_id=found.get("ce_correlationid", ""),
            )
        except KeyError as missing:
            msg = f"The header {missing.args[0]} is missing."
            raise Unreadable(msg) from None
        except ValueError as wrong:
            msg = f"A CloudEvents header is wrong: {wrong}."
            raise Unreadable(msg) from None


class Reader(Protocol):
    """A place in some topics. Order is kept per key; a record may come more than once."""

    async def poll(self) -> Sequence[Record]:
        """Hand out the next records; empty when none came for a while."""

    async def commit(self) -> None:
        """Remember that everything handed out is done."""

    async def rewind(self) -> None:
        """Hand out again everything since the last commit."""


class Log(Protocol):
    """Where events go. `publish` runs beside the sequencer; `reader` feeds one consumer."""

    async def publish(self, outbox: Database) -> None:
        """Carry positioned outbox rows to the log, for ever; an outage of the log is waited out."""

    def reader(
        self, consumer: str, topics: Sequence[str], own: Database
    ) -> AbstractAsyncContextManager[Reader]:
        """Read `topics` as `consumer`; `own` is the consumer's database."""
