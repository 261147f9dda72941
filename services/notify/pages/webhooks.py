"""A partner's webhooks: what is told where, how it fares, and sending again."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationError

from services.notify.commands import webhook_log, webhooks
from services.notify.commands.webhook_sending import try_out
from services.notify.commands.webhooks import Owner, owner_of
from services.notify.pages.rendering import pages
from services.notify.resources import Held
from services.notify.store import feed
from services.notify.store.webhook_deliveries import Shown
from services.notify.webhook_bodies import GROUPS, WebhookBody, WebhookEdit, types_of
from shared.access import Principal
from shared.addresses import URL_LENGTH_MAX
from shared.errors import NotFound, Refusal
from shared.http import Caller, Now
from shared.web.pages import language_of, on_day

PAGE = 30
ID_MAX = 2**63 - 1
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

Id = Annotated[int, Path(ge=1, le=ID_MAX)]
Text = Annotated[str, Field(max_length=URL_LENGTH_MAX)]

router = APIRouter(include_in_schema=False, prefix="/partner/{partner_id}/webhooks")


class Given(BaseModel):
    """The form of a webhook, as it was sent; `id` is made with the form."""

    id: UUID = Field(default_factory=uuid4)
    url: Text = ""
    name: Text = ""
    groups: list[str] = Field(default_factory=lambda: list(GROUPS), max_length=len(GROUPS))

    def facts(self) -> dict[str, Any]:
        """Give what is written of it."""
        return {"url": self.url.strip(), "name": self.name, "types": types_of(self.groups)}


@router.get("")
async def all_webhooks(partner_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show a partner's webhooks, and the form for another."""
    return await _page(request, held, who, partner_id)


@router.post("")
async def add(  # each is given by the framework
    *,
    partner_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    given: Annotated[Given, Form()],
) -> Response:
    """Add a webhook and show its secret, this once."""
    owner, _ = await _owner(held, who, partner_id)
    try:
        body = WebhookBody.model_validate(given.facts())
        facts = body.facts() | {"id": given.id}
        _, secret = await webhooks.add(held.database, held.hooks, owner, facts, (who, now))
    except ValidationError:
        return await _page(request, held, who, partner_id, given=given, wrong="not_an_address")
    except Refusal as refusal:
        if refusal.code == "webhook_exists":
            return RedirectResponse(request.url.path, 303)
        return await _page(request, held, who, partner_id, given=given, wrong=refusal.code)
    return await _page(request, held, who, partner_id, secret=secret)


@router.get("/{webhook_id}")
async def webhook(  # noqa: PLR0913  # each is given by the framework
    *,
    partner_id: UUID,
    webhook_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    shown: Shown = "all",
    after: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
    queued: Annotated[int | None, Query(ge=0, le=ID_MAX)] = None,
    skipped: Literal["", "yes"] = "",
) -> Response:
    """Show what was told to a webhook, and what came of it."""
    place, said = (partner_id, webhook_id), {"queued": queued, "skipped": skipped}
    return await _log(request, held, who, place, (shown, after), **said)


@router.post("/{webhook_id}/{do}")
async def act(  # noqa: PLR0913  # each is given by the framework
    *,
    partner_id: UUID,
    webhook_id: UUID,
    do: Literal["pause", "resume", "rotate", "test", "remove"],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Pause a webhook, let it go on, make a new secret, test it, or remove it."""
    await _existing(held, who, partner_id, webhook_id)
    place = (partner_id, webhook_id)
    if do == "test":
        tried = await try_out(held.database, held.hooks, who, webhook_id, now)
        return await _log(request, held, who, place, ("all", 0), tried=tried)
    if do == "rotate":
        secret, until = await webhooks.rotate(held.database, held.hooks, who, webhook_id, now)
        return await _log(request, held, who, place, ("all", 0), secret=secret, until=until)
    if do == "remove":
        await webhooks.remove(held.database, who, webhook_id)
        return RedirectResponse(f"/partner/{partner_id}/webhooks", 303)
    body = WebhookEdit(state="paused" if do == "pause" else "active")
    await webhooks.edit(held.database, held.hooks, who, webhook_id, (body.facts(), None))
    return RedirectResponse(f"/partner/{partner_id}/webhooks/{webhook_id}", 303)


@router.post("/{webhook_id}/replay/{what}")
async def replay(  # each is given by the framework
    *,
    partner_id: UUID,
    webhook_id: UUID,
    what: Literal["failed", "hour", "day", "week"],
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Send again what was given up, or all of the last hour, day or week."""
    await _existing(held, who, partner_id, webhook_id)
    if what == "failed":
        count = await webhook_log.replay_failed(held.hooks, who, webhook_id, now)
    else:
        span = (now - SPANS[what], now)
        count = await webhook_log.replay(held.hooks, who, webhook_id, span, now)
    return RedirectResponse(f"/partner/{partner_id}/webhooks/{webhook_id}?queued={count}", 303)


@router.post("/{webhook_id}/deliveries/{delivery_id}/{do}")
async def one_delivery(  # noqa: PLR0913  # each is given by the framework
    *,
    partner_id: UUID,
    webhook_id: UUID,
    delivery_id: Id,
    do: Literal["replay", "skip"],
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Send one delivery again, or give it up."""
    await _existing(held, who, partner_id, webhook_id)
    page = f"/partner/{partner_id}/webhooks/{webhook_id}"
    if do == "replay":
        await webhook_log.replay_one(held.hooks, who, webhook_id, delivery_id, now)
        return RedirectResponse(f"{page}?queued=1", 303)
    # Sent or given up meanwhile, or a second press: there is nothing to skip any more.
    with suppress(NotFound):
        await webhook_log.skip(held.hooks, who, webhook_id, delivery_id, now)
    return RedirectResponse(f"{page}?skipped=yes", 303)


async def _owner(held: Held, who: Principal, partner_id: UUID) -> tuple[Owner, str]:
    """Say whose webhooks a page has, and by which zone its times are written."""
    async with held.database.reading() as connection:
        place = await feed.place_of(connection, partner_id)
    if place is None and who.mission_id is None:
        raise NotFound("This partner has no stop yet.")
    mission_id = place["mission_id"] if place else None
    zone = place["timezone"] if place else None
    return owner_of(who, mission_id, partner_id), zone or "UTC"


async def _existing(held: Held, who: Principal, partner_id: UUID, webhook_id: UUID) -> Any:
    row = await webhooks.read(held.database, who, webhook_id)
    if row["partner_id"] != partner_id:
        raise NotFound("There is no such webhook.")
    return row


async def _page(
    request: Request, held: Held, who: Principal, partner_id: UUID, **said: Any
) -> Response:
    owner, zone = await _owner(held, who, partner_id)
    rows = await webhooks.list_of(held.database, who, owner)
    return _rendered(
        request,
        "webhooks.html",
        zone,
        {"given": Given(), "wrong": "", "secret": "", "until": None} | said,
        partner_id=partner_id,
        rows=rows,
        groups=GROUPS,
    )


async def _log(  # what is shown, and what is said of what was done
    request: Request,
    held: Held,
    who: Principal,
    place: tuple[UUID, UUID],
    view: tuple[Shown, int],
    **said: Any,
) -> Response:
    partner_id, webhook_id = place
    row = await _existing(held, who, partner_id, webhook_id)
    _, zone = await _owner(held, who, partner_id)
    items = await webhook_log.log_of(held.database, who, webhook_id, (*view, PAGE))
    return _rendered(
        request,
        "webhook.html",
        zone,
        {"secret": "", "until": None, "tried": None, "queued": None, "skipped": ""} | said,
        partner_id=partner_id,
        row=row,
        items=items,
        shown=view[0],
        following=items[-1]["id"] if len(items) == PAGE else None,
    )


def _rendered(
    request: Request, template: str, zone: str, said: dict[str, Any], **context: Any
) -> Response:
    language = language_of(request)

    def moment(at: datetime) -> str:
        return on_day(at, zone, language)

    response = pages.render(
        request,
        template,
        status=422 if said.get("wrong") else 200,
        said=said,
        moment=moment,
        **context,
    )
    if said["secret"]:
        response.headers["Cache-Control"] = "no-store"
    return response
