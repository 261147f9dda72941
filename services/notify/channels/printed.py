"""The sheet at the desk: who must be told by hand."""

from services.notify.channels.base import Letter, Reader
from services.notify.domain.mail import ChannelName
from services.notify.store import by_hand
from shared.postgres import Database


class Printed:
    """Puts people on the desk's sheet, once for each message."""

    name: ChannelName = "print"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self) -> None:
        """Do nothing: the database is open."""

    async def send(self, letter: Letter, reader: Reader) -> None:
        """Put somebody on the sheet."""
        del reader
        async with self._database.transaction() as connection:
            await by_hand.put(connection, letter.id, letter.written_at)

    async def close(self) -> None:
        """Do nothing: who opened the database closes it."""
