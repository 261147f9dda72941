"""A connection to the broker that says it is lost in words which its clients know."""

from collections.abc import Awaitable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


class Connection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """Takes uvloop's RuntimeError for the loss of the connection that it is.

    Not expected by aiokafka (https://github.com/aio-libs/aiokafka/issues/1038), it ended the task
    that asks for metadata, and a consumer then waited for that until the process was restarted.
    """

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        """Send a request and give its answer to come.

        Raises `KafkaConnectionError` where the connection was lost in the loop's turn before.
        """
        try:
            answer: Awaitable[Any] = super().send(request, expect_response)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Lost at {self.host}:{self.port}: {error}") from error
        return answer
