"""The interface beside its document: schemathesis asks an installation that runs for it.

Run: `make check-api` (ARGS: schemathesis's options for `run`). One stop of the example is loaded,
so that what is named in paths is there to be read, changed and refused.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from services.embedded.beside import beside
from services.embedded.running import staff_token
from services.rehearsal.client import Client, Json
from services.rehearsal.example import Example
from services.rehearsal.loading import load

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "cleantech-china-2023"
STOP = "nanjing"
LOCALS = 24
AWAY = "https://partner.example"
"""Nobody is there, by RFC 2606: to partners' systems this is an outage."""
CHECKS = "scripts.conformance_checks"
STREAMS = "/api/v1/live"
"""They do not end, and have tests of their own."""

CONFIGURATION = """
headers = {{ Authorization = "Bearer ${{TRADEWIND_TOKEN}}" }}
hooks = "{hooks}"

# Who waits for events waits half a minute at most.
request-timeout = 40

[parameters]
{parameters}

# RFC 6585: the header that is missing is a precondition.
[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "406", "415", "422", "428"]

# What a schema cannot say, rules between fields and of what is there, is answered with the field's
# name (a check of ours looks at that), and a revision that is not the latest with 412.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429", "503"]

# A path that is to be wrong is given what is there all the same.
[checks.negative_data_rejection]
expected-statuses = [
    "400", "401", "403", "404", "405", "406", "409", "412", "415", "422", "428", "429",
]

# Each of a list is answered by itself: 200 with their refusals.
[[operations]]
include-path = "/api/v1/programme-items/{{item_id}}/registrations/bulk"
checks.negative_data_rejection.enabled = false

# The id that is to be wrong is one that is there, as above; a first revision is easily guessed.
[[operations]]
include-path = "/api/v1/schedules/{{schedule_id}}/publish"
checks.negative_data_rejection.enabled = false
"""


def smaller(example: Example) -> Example:
    """Keep one stop of an example, its delegates and some of its companies."""
    staff = tuple(
        one.model_copy(update={"stops": tuple(stop for stop in one.stops if stop == STOP)})
        for one in example.plan.staff
    )
    plan = example.plan.model_copy(update={"stops": (example.stop(STOP),), "staff": staff})
    here = [one for one in example.participants if STOP in one.stops]
    delegates = [one for one in here if one.side == "delegation"]
    locals_ = [one for one in here if one.side == "local"][:LOCALS]
    people = tuple(
        one.model_copy(update={"stops": (STOP,), "items": {STOP: one.items[STOP]}})
        for one in (*delegates, *locals_)
    )
    return replace(example, plan=plan, participants=people)


async def places(client: Client, mission_id: str) -> Mapping[str, str]:
    """Find what can be named in paths and queries."""
    mission = await client.get(f"/api/v1/missions/{mission_id}")
    stop = mission["stops"][0]
    registration = await _first(client, "registrations", stop_id=stop["id"])
    partner = await _first(client, f"missions/{mission_id}/partners")
    company = await _first(client, "organizations", mission_id=mission_id)
    meeting = await _first(client, "meetings", stop_id=stop["id"])
    schedule = await _first(client, "schedules", stop_id=stop["id"])
    delivery = await _first(client, "deliveries")
    sides = {party["side"]: party["participant_id"] for party in meeting["parties"]}
    person = registration["participant_id"]
    return {
        "mission_id": mission_id,
        "stop_id": stop["id"],
        "item_id": stop["programme"][0]["id"],
        "partner_id": partner["id"],
        "registration_id": registration["id"],
        "participant_id": person,
        "person_id": person,
        "organization_id": company["id"],
        "meeting_id": meeting["meeting_id"],
        "point_id": meeting["point_id"],
        "schedule_id": schedule["id"],
        "delivery_id": str(delivery["id"]),
        "delegate_id": sides["delegation"],
        "local_id": sides["local"],
    }


async def made(client: Client, named: Mapping[str, str]) -> Mapping[str, str]:
    """Add what a loaded example has none of, and give the ids."""
    partner = f"partners/{named['partner_id']}"
    mission, stop = ({name: named[name]} for name in ("mission_id", "stop_id"))
    both = {name: named[name] for name in ("delegate_id", "local_id")}
    asked: dict[str, tuple[str, Json]] = {
        "webhook_id": ("webhooks", {"url": f"{AWAY}/told", **mission}),
        "key_id": (f"{partner}/keys", {"name": "Sample", "scopes": ["events:read"]}),
        "question_id": (
            f"missions/{named['mission_id']}/questions",
            {"code": "sample", "kind": "text", "label": {"en": "Sample", "zh": "示例"}},
        ),
        "outcome_id": ("outcomes", {"kind": "loi", **both, **stop}),
        "exclusion_id": (
            "exclusions",
            {
                **{"kind": "people", "one_id": both["delegate_id"], "reason": "Sample", **mission},
                "other_id": named["person_id"],
            },
        ),
    }
    return {
        name: str((await client.post(f"/api/v1/{path}", body, key=name))["id"])
        for name, (path, body) in asked.items()
    }


async def _first(client: Client, what: str, **narrowed: object) -> Json:
    found = await client.get(f"/api/v1/{what}", converges=False, **narrowed)
    first: Json = found["items"][0]
    return first


async def main(options: list[str]) -> int:
    """Start an installation, load it, have it asked, and give schemathesis's exit code."""
    async with beside("postgres") as one:
        token = staff_token(one.tokens)
        async with Client.connect(one.url, token) as client:
            loaded = await load(client, smaller(Example.read(EXAMPLE)))
            named = await places(client, loaded.mission_id)
            named = {**named, **await made(client, named)}
        parameters = "\n".join(f'{name} = "{value}"' for name, value in named.items())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "schemathesis.toml"
            written = CONFIGURATION.format(parameters=parameters, hooks=CHECKS)
            file.write_text(written, encoding="utf-8")
            command = [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(file)),
                *("run", str(ROOT / "docs" / "openapi.json"), "--url", one.url),
                *("--exclude-path-regex", STREAMS, "--continue-on-failure", *options),
            ]
            environment = os.environ | {"TRADEWIND_TOKEN": token, "PYTHONPATH": str(ROOT)}
            done = await asyncio.to_thread(
                subprocess.run, command, env=environment, check=False, cwd=folder
            )
            return done.returncode


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
