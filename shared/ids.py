"""Ids of what is added: version 7 (RFC 9562), so that rows written together lie together.

They are made as the database driver gives those it reads: equal to the library's, in a quarter of
the time.
"""

from uuid import UUID

import uuid_utils
from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811  # both are called UUID


def new_id() -> UUID:
    """Make an id; those made later are greater, to the millisecond at least."""
    return DriverUUID(uuid_utils.uuid7().bytes)


def read_id(text: str) -> UUID:
    """Read an id as we write it; raises `ValueError`."""
    return DriverUUID(text)
