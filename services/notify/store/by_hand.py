"""The desk's sheet: whom somebody has to tell by hand."""

from datetime import datetime

from shared.postgres import Connection


async def put(connection: Connection, message: int, now: datetime) -> None:
    """Put a message on the sheet; again it changes nothing."""
    await connection.execute(
        "INSERT INTO by_hand (message, listed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        message,
        now,
    )
