"""Uploads: a list that comes as a body or in a form is put on disk, never into memory."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from fastapi import Request
from starlette.datastructures import UploadFile

from shared.access import Principal
from shared.errors import Fault, Invalid
from shared.idempotency import Key, key_of

BLOCK_BYTES = 262_144
NAME_LENGTH_MAX = 120


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on disk that is gone at the end of the request; `digest` is of its bytes."""

    file: IO[bytes]
    name: str
    digest: bytes

    def key(self, who: Principal, request: Request, value: str) -> Key:
        """Make the key of the request that brought it."""
        query = request.url.query.encode()
        return key_of(who, request.method, request.url.path, value, self.digest + query)


@asynccontextmanager
async def uploaded(request: Request) -> AsyncIterator[Upload]:
    """Take the body, or the part `file` of a form; raises `Invalid` where there is neither."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        # Starlette puts what is longer than a megabyte on disk.
        async with request.form(max_files=1, max_fields=20) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise Invalid("There is no file.", faults=[Fault("/file", "Send a file.")])
            digest = await asyncio.to_thread(digest_of, part.file)
            yield Upload(part.file, named(part.filename or ""), digest)
        return
    with tempfile.TemporaryFile() as file:
        digest_of_all = hashlib.sha256()
        async for block in request.stream():
            digest_of_all.update(block)
            await asyncio.to_thread(file.write, block)
        yield Upload(file, "", digest_of_all.digest())


def digest_of(file: IO[bytes]) -> bytes:
    """Give the digest of a file."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # any that reads


def named(name: str) -> str:
    """Give a file's name without folders, and no longer than is shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[-NAME_LENGTH_MAX:]
