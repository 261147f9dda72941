"""Unsubscribing: what stands in a link that says whose it is, and that we made it."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from uuid import UUID

MAC_LENGTH = 16
ID_LENGTH = 16


def token(key: bytes, person_id: UUID) -> str:
    """Write a person's id as nobody else can; mails are kept for years, so it never expires."""
    return urlsafe_b64encode(person_id.bytes + _mac(key, person_id)).rstrip(b"=").decode()


def read(key: bytes, text: str) -> UUID | None:
    """Say whose token it is; None: it is none of ours."""
    try:
        content = urlsafe_b64decode(f"{text}==")
    except (Error, ValueError):
        return None
    if len(content) != ID_LENGTH + MAC_LENGTH:
        return None
    person_id = UUID(bytes=content[:ID_LENGTH])
    return person_id if hmac.compare_digest(content[ID_LENGTH:], _mac(key, person_id)) else None


def _mac(key: bytes, person_id: UUID) -> bytes:
    return hmac.digest(key, person_id.bytes, "sha256")[:MAC_LENGTH]
