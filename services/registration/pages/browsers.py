"""What a browser is given to keep: who is signed in, and whose links it opens without a question.

A link can be put before anybody, and would sign a stranger's browser in as somebody else, whose
account then holds what the stranger writes. So a browser that does not know the reader of a link
asks first. It knows whoever asked for a link on our own page, or was signed in on it before.
"""

import hmac

from fastapi import Request
from fastapi.responses import Response

from services.registration.commands.signing_in import Opened
from services.registration.domain.people import same_address
from services.registration.resources import Resources
from shared.access import Principal
from shared.http import SESSION_COOKIE

WEEK_SECONDS = 7 * 24 * 3600
KNOWN_COOKIE = "tradewind_known"
KNOWN_SECONDS = 180 * 24 * 3600
WAY_COOKIE = "tradewind_way"
WAY_SECONDS = 3600
WAY_LENGTH_MAX = 1_000


def keep_session(held: Resources, response: Response, session: str) -> None:
    """Sign a browser in."""
    _keep(held, response, SESSION_COOKIE, session, WEEK_SECONDS)


def know(held: Resources, response: Response, reader: str) -> None:
    """Let a browser open the links of an address, or of an id, without a question from now on."""
    _keep(held, response, KNOWN_COOKIE, _mark(held, reader), KNOWN_SECONDS)


def forget(response: Response) -> None:
    """Sign a browser out."""
    response.delete_cookie(SESSION_COOKIE)
    response.delete_cookie(KNOWN_COOKIE)


def keep_way(held: Resources, response: Response, to: str) -> None:
    """Let a browser remember for a while where the link that it waits for is to lead."""
    if to and to.isascii() and to.isprintable():
        _keep(held, response, WAY_COOKIE, to, WAY_SECONDS)


def way(request: Request) -> str:
    """Say where a browser was going when it asked for a link."""
    return ours(request.cookies.get(WAY_COOKIE, ""))


def lose_way(request: Request, response: Response) -> None:
    """Forget where a browser was going: it is there."""
    if WAY_COOKIE in request.cookies:
        response.delete_cookie(WAY_COOKIE)


def ours(path: str) -> str:
    """Give a path of our own pages as it is, and nothing for any other address."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and len(path) <= WAY_LENGTH_MAX else ""


def reader_of(link: Opened) -> str:
    """Say by what the reader of a link is known: one address may have a part in many missions."""
    return str(link.person["email"] if link.person is not None else link.who.subject)


def knows(request: Request, held: Resources, link: Opened, who: Principal | None) -> bool:
    """Say whether a browser on which `who` is signed in opens a link without a question."""
    kept = request.cookies.get(KNOWN_COOKIE, "")
    if hmac.compare_digest(kept.encode(), _mark(held, reader_of(link)).encode()):
        return True
    if who is not None:
        return who.subject == link.who.subject
    # A screen in a hall has no keyboard, and its role can do nothing but look.
    return link.who.role == "screen"


def _mark(held: Resources, reader: str) -> str:
    return held.tokens.digest("known browser", same_address(reader)).hex()


def _keep(held: Resources, response: Response, name: str, content: str, seconds: int) -> None:
    response.set_cookie(
        name, content, max_age=seconds, httponly=True, secure=held.is_secure, samesite="lax"
    )
