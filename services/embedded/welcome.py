"""The welcome: the address, and a sign-in link for each role, on the terminal."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from services.rehearsal.client import Client
from services.rehearsal.loading import Loaded

Row = Mapping[str, Any]

PARTNER_STOP = "guangzhou"
"""Where the partner staff, the participants and the screen of the welcome are."""


async def welcome(client: Client, url: str, loaded: Loaded) -> None:
    """Print where everything is."""
    mission = await client.get(f"/api/v1/missions/{loaded.mission_id}")
    stop = _shown_stop(mission["stops"])
    staff = (await client.get(f"/api/v1/missions/{loaded.mission_id}/staff"))["items"]
    meetings = (await client.get("/api/v1/meetings", stop_id=stop["id"]))["items"]
    rows = [
        ("Mission staff", _first(staff, "mission_staff", stop["id"])),
        (f"Partner staff, {stop['city']['en']}", _first(staff, "partner_staff", stop["id"])),
        ("Door staff", _first(staff, "door_staff", stop["id"])),
        *_participants(meetings),
        ("Interpreter", _interpreter(meetings) or _first(staff, "interpreter", stop["id"])),
        ("Venue screen", ("screen", None)),
    ]
    public = f"{url}/missions/{loaded.slug}"
    lines = [
        f"\nPublic page\n  {public}",
        # The sample's days are over, so its public page offers none.
        f"Registration form, {stop['city']['en']}\n  {public}/stops/{stop['slug']}/register",
    ]
    for name, found in rows:
        if found is not None:
            role, subject = found
            body = {"role": role, "mission_id": loaded.mission_id, "stop_ids": [stop["id"]]}
            if subject:
                body["subject"] = subject
            link = await client.post("/api/v1/sessions/links", body)
            lines.append(f"{name}\n  {url}{link['path']}")
    lines.append(
        f"Mailbox (sign in as mission staff first)\n  {url}/mailbox\n\n"
        "Each link signs in as that person; use private windows for several at once. "
        "Ctrl-C stops everything."
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _shown_stop(stops: Sequence[Row]) -> Row:
    return next((stop for stop in stops if stop["slug"] == PARTNER_STOP), stops[0])


def _first(staff: Sequence[Row], role: str, stop_id: str) -> tuple[str, str] | None:
    return next(
        ((role, one["id"]) for one in staff if one["role"] == role and stop_id in one["stop_ids"]),
        None,
    )


def _participants(meetings: Sequence[Row]) -> list[tuple[str, tuple[str, str]]]:
    """Choose two people who have something to see: the two of one meeting."""
    if not meetings:
        return []
    delegate, local = (party["participant_id"] for party in meetings[0]["parties"])
    return [("Delegate", ("delegate", delegate)), ("Local participant", ("local", local))]


def _interpreter(meetings: Sequence[Row]) -> tuple[str, str] | None:
    found = (one["interpreter_id"] for one in meetings if one["interpreter_id"])
    return next((("interpreter", one) for one in found), None)
