"""The example of a partner's program, with a client that is generated from the document."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from services.embedded.beside import beside
from services.embedded.running import staff_token

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "partner-client" / "follow.py"
TEXTS = {"en": "Sample", "zh": "样例"}
MISSION = {
    "slug": "sample",
    "title": TEXTS,
    "summary": TEXTS,
    "starts_on": "2031-03-03",
    "ends_on": "2031-03-04",
    "home_country": "US",
    "host_country": "CN",
    "sectors": {"water": TEXTS},
}


async def planned(client: httpx2.AsyncClient) -> tuple[str, str, str]:
    """Make a mission with a partner's stop; give an item there, the partner, and a key."""

    async def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": uuid4().hex}
        answer = await client.post(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    mission = (await made("missions", MISSION))["id"]
    body = {"name": TEXTS, "kind": "association"}
    partner = (await made(f"missions/{mission}/partners", body))["id"]
    stop = await made(
        f"missions/{mission}/stops",
        {
            "slug": "sample-city",
            "city": TEXTS,
            "title": TEXTS,
            "timezone": "Asia/Shanghai",
            "date": "2031-03-03",
            "roles": [{"partner_id": partner, "role": "organizer"}],
        },
    )
    item = await made(
        f"stops/{stop['id']}/programme-items",
        {
            "slug": "conference",
            "kind": "conference",
            "title": TEXTS,
            "starts_at": "2031-03-03T01:00:00Z",
            "ends_at": "2031-03-03T05:00:00Z",
            "capacity": 10,
        },
    )
    scopes = ["registrations:read", "registrations:write", "events:read"]
    key = await made(f"partners/{partner}/keys", {"name": "Sample CRM", "scopes": scopes})
    return item["id"], partner, key["key"]


def generated(folder: Path) -> None:
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
        *("--path", str(ROOT / "docs" / "openapi.json")),
        *("--output-path", str(folder / "tradewind_client")),
    ]
    # It tidies what it wrote with ruff, which is beside this Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_a_partners_program_registers_and_follows(tmp_path: Path) -> None:
    await asyncio.to_thread(generated, tmp_path)
    async with beside("postgres") as one:
        headers = {"Authorization": f"Bearer {staff_token(one.tokens)}"}
        async with httpx2.AsyncClient(base_url=one.url, headers=headers, timeout=60) as client:
            item, partner, key = await planned(client)
        environment = os.environ | {
            "API_URL": one.url,
            "PARTNER_ID": partner,
            "API_KEY": key,
            "PYTHONPATH": str(tmp_path),
        }
        for _ in range(2):  # sent again, it registers nobody twice
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, str(PROGRAM), item],
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout == (
                "registration.participant.confirmed.v1: "
                "Sample Membrane Works Co., Ltd. is confirmed\n"
            )
