"""The internal API: mail that came back, from the mail server that takes it."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Header, Request

from services.notify.commands import bouncing
from services.notify.resources import Held
from shared.errors import Malformed, Unauthenticated
from shared.http import Now

BYTES_MAX = 512 * 1024

router = APIRouter(include_in_schema=False)


@router.post("/internal/notify/bounces")
async def bounced(
    request: Request, held: Held, now: Now, x_bounce_key: Annotated[str, Header()] = ""
) -> dict[str, bool]:
    """Take one mail as it came (RFC 5322), and say whether it told of a mail of ours."""
    if not held.bounce_key or not hmac.compare_digest(
        x_bounce_key.encode(), held.bounce_key.encode()
    ):
        raise Unauthenticated("Send the key that the settings have as X-Bounce-Key.")
    content = await request.body()
    if len(content) > BYTES_MAX:
        raise Malformed(f"A report has {BYTES_MAX} bytes at most: leave out the returned content.")
    known = (held.hygiene, held.reach)
    found = await bouncing.take(held.database, held.contacts, known, content, now)
    return {"is_ours": found is not None}
