"""A partner's system: it registers a company, and follows what becomes of it."""

import os
import sys
from typing import Any
from uuid import UUID

from tradewind_client import AuthenticatedClient
from tradewind_client.api.events import events_events
from tradewind_client.api.registration import (
    programme_items_add_registration,
    registrations_read_registration,
)
from tradewind_client.models import Registered, RegistrationBody
from tradewind_client.types import UNSET, Unset

MINE = "2031-0007"
"""The registration's number in the partner's own system. It makes the key of the request: sent
again after a lost answer, it registers nobody twice."""

COMPANY = {
    "side": "local",
    "source": "partner_api",
    "consent": True,
    "organization": {
        "name": "Sample Membrane Works Co., Ltd.",
        "native_name": "样例膜技术有限公司",
        "country": "CN",
        "sectors": ["water"],
    },
    "person": {
        "full_name": "Sample Person",
        "email": "sample.person@example.com",
        "language": "zh",
        "languages": ["zh"],
    },
}


def register(client: AuthenticatedClient, item_id: UUID) -> str:
    """Register the company and give the registration's id."""
    answer = programme_items_add_registration.sync_detailed(
        item_id,
        client=client,
        body=RegistrationBody.from_dict(COMPANY | {"partner_id": os.environ["PARTNER_ID"]}),
        idempotency_key=MINE,
    )
    if not isinstance(answer.parsed, Registered):
        sys.exit(f"Refused: {answer.content.decode()}")
    return str(answer.parsed.id)


def follow(client: AuthenticatedClient, wanted: str) -> dict[str, Any]:
    """Read events until one is about the registration; keep `after` to go on another day."""
    after: str | Unset = UNSET
    while True:
        page = events_events.sync(client=client, after=after, wait=20)
        for event in page["items"]:
            if event["data"].get("registration_id") == wanted:
                return event
        after = page["position"]


def main() -> None:
    """Register, follow, and read."""
    client = AuthenticatedClient(
        base_url=os.environ["API_URL"], token=os.environ["API_KEY"], timeout=60
    )
    registration_id = register(client, UUID(sys.argv[1]))
    event = follow(client, registration_id)
    shown = registrations_read_registration.sync(UUID(registration_id), client=client)
    sys.stdout.write(f"{event['type']}: {shown['organization']['name']} is {shown['status']}\n")


if __name__ == "__main__":
    main()
