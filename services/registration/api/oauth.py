"""OAuth 2.0: a token of an hour for a partner's key, by client credentials (RFC 6749, 4.4)."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from services.registration.resources import Held
from shared.access import LIFETIMES, SCOPES, Principal
from shared.errors import Unauthenticated
from shared.http import Now
from shared.keys import TOKEN_PREFIX, Keyring

FORM = "application/x-www-form-urlencoded"
FIELDS_MAX = 20
UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}

# Its errors are RFC 6749's and no problems; OpenAPI has a place of its own for such an address.
router = APIRouter(include_in_schema=False)


class Refused(Exception):
    """The token is refused (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks for a token, as it says so itself."""

    client_id: str
    client_secret: str


@router.post("/api/v1/oauth/token")
async def token(request: Request, held: Held, now: Now) -> JSONResponse:
    """Give a token for a key: `client_id` is the key's id, `client_secret` the key."""
    keys: Keyring = request.app.state.keys
    try:
        fields = await _fields(request)
        client = _client(request, fields)
        if fields.get("grant_type") != "client_credentials":
            kind = "unsupported_grant_type" if "grant_type" in fields else "invalid_request"
            raise Refused(kind, "grant_type is client_credentials.")  # noqa: TRY301
        holder = await _holder(keys, client)
        scoped = _scoped(holder, fields.get("scope", ""))
    except Refused as refused:
        return _refused(request, refused)
    content = {
        "access_token": TOKEN_PREFIX + held.tokens.sign(scoped, "system", now),
        "token_type": "Bearer",
        "expires_in": int(LIFETIMES["system"].total_seconds()),
        "scope": " ".join(scoped.scopes),
    }
    return JSONResponse(content, headers=UNCACHED)


async def _fields(request: Request) -> Mapping[str, str]:
    """Read the form; a field may be there once (RFC 6749, 3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused("invalid_request", f"Send the fields as {FORM}.")
    async with request.form(max_files=0, max_fields=FIELDS_MAX) as form:
        pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Refused("invalid_request", "A field is there more than once.")
    # What is sent without a value is taken as left out.
    return {name: value for name, value in fields.items() if value}


def _client(request: Request, fields: Mapping[str, str]) -> Client:
    """Read who asks: by HTTP Basic, or in the body, never both (RFC 6749, 2.3)."""
    scheme, _, content = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        if not {"client_id", "client_secret"} <= fields.keys():
            raise Refused("invalid_client", "Send client_id and client_secret.")
        return Client(fields["client_id"], fields["client_secret"])
    if "client_secret" in fields:
        raise Refused("invalid_request", "Say who you are in one way, not in two.")
    try:
        user, _, password = base64.b64decode(content, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("invalid_client", "The Authorization header is not HTTP Basic.") from None
    if scheme.lower() != "basic":
        raise Refused("invalid_client", "The Authorization header is not HTTP Basic.")
    return Client(unquote_plus(user), unquote_plus(password))


async def _holder(keys: Keyring, client: Client) -> Principal:
    try:
        holder = await keys.holder(client.client_secret)
    except Unauthenticated as refusal:
        raise Refused("invalid_client", refusal.detail) from None
    if client.client_id.lower() != str(holder.subject):
        raise Refused("invalid_client", "The client_id is not the id of this key.")
    return holder


def _scoped(holder: Principal, wanted: str) -> Principal:
    """Narrow a key's scopes to those that are wanted; to none that it lacks."""
    scopes = dict.fromkeys(wanted.split()) or holder.scopes
    if not set(scopes) <= set(holder.scopes):
        raise Refused("invalid_scope", "The key lacks one of these scopes.")
    return replace(holder, scopes=tuple(one for one in SCOPES if one in scopes))


def _refused(request: Request, refused: Refused) -> JSONResponse:
    is_client = refused.error == "invalid_client"
    headers: dict[str, Any] = dict(UNCACHED)
    if is_client and "authorization" in request.headers:
        headers["WWW-Authenticate"] = 'Basic realm="Tradewind"'
    content = {"error": refused.error, "error_description": refused.description}
    return JSONResponse(content, 401 if is_client else 400, headers)
