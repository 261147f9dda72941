"""The staff's page for writing to many people of a stop at once."""

from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.notify.commands import announcing
from services.notify.commands.looking import existing_stop
from services.notify.message_bodies import AnnouncementBody
from services.notify.pages.rendering import pages
from services.notify.resources import Held
from services.notify.store import announcements
from shared.access import Principal, Scope, require
from shared.errors import Invalid
from shared.http import TEXT_LENGTH_MAX, Caller, Now

LISTED_MAX = 20

Text = Annotated[str, Form(max_length=TEXT_LENGTH_MAX)]

router = APIRouter(include_in_schema=False)


@router.get("/desk/stops/{stop_id}/messages")
async def announcement(
    stop_id: UUID, request: Request, held: Held, who: Caller, sent: int | None = None
) -> Response:
    """Show a form, and what was written before."""
    stop = await _stop(held, who, stop_id)
    return await _page(request, held, stop, {"id": str(uuid4())}, sent=sent)


@router.post("/desk/stops/{stop_id}/messages")
async def announce(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    id: UUID = Form(),  # noqa: A002, B008  # the field's name
    do: Annotated[Literal["preview", "test", "send"], Form()],
    subject_en: Text = "",
    subject_zh: Text = "",
    body_en: Text = "",
    body_zh: Text = "",
    side: Text = "",
    organization: Text = "",
    to_group: Annotated[bool, Form()] = False,
) -> Response:
    """Show how an announcement reads, send it to who writes it, or to everybody it is for."""
    stop = await _stop(held, who, stop_id)
    form = {
        "id": str(id),
        "subject_en": subject_en,
        "subject_zh": subject_zh,
        "body_en": body_en,
        "body_zh": body_zh,
        "side": side,
        "organization": organization,
        "to_group": to_group,
    }
    try:
        body = AnnouncementBody.model_validate(
            {
                "stop_id": stop_id,
                "subject": {"en": subject_en, "zh": subject_zh},
                "body": {"en": body_en, "zh": body_zh},
                "side": side or None,
                "organization": organization.strip() or None,
                "to_group": to_group,
            }
        )
        one = body.announcement(id, stop["mission_id"])
        by = (who, now)
        if do == "send":
            count = await announcing.announce(
                held.database, held.reach, one, by, to_group=body.to_group
            )
            return RedirectResponse(f"/desk/stops/{stop_id}/messages?sent={count}", 303)
        if do == "test":
            await announcing.try_out(held.database, held.reach, one, by)
        people = await announcing.heard_by(held.database, one)
    except ValidationError:
        return await _page(request, held, stop, form, wrong="text")
    except Invalid as refusal:
        return await _page(request, held, stop, form, wrong=refusal.code)
    return await _page(request, held, stop, form, people=len(people), tried=do == "test")


async def _page(
    request: Request, held: Held, stop: dict[str, Any], form: dict[str, Any], **said: Any
) -> Response:
    async with held.database.reading() as connection:
        before = await announcements.of_stop(connection, stop["id"], LISTED_MAX)
    return pages.render(
        request,
        "announcements.html",
        status=422 if said.get("wrong") else 200,
        stop=stop,
        form=form,
        before=before,
        has_group="wecom" in held.reach.available,
        said={"sent": None, "wrong": None, "tried": False, "people": None} | said,
    )


async def _stop(held: Held, who: Principal, stop_id: UUID) -> dict[str, Any]:
    stop = await existing_stop(held.database, stop_id)
    require(who, "messages.write", Scope(stop["mission_id"], stop_id))
    return stop
