"""Which partners have a say in who meets at their stop: its lead and its co-hosts."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines


async def test_a_stop_is_told_with_its_lead_and_co_hosts_alone(
    house: "House", lines: "Lines"
) -> None:
    path = f"/missions/{house.mission}/partners"
    kinds = ("supporter", "lead", "venue_host", "co_host", "organizer")
    partners = {
        kind: await house.made(
            path, {"name": {"en": f"Sample {kind}", "zh": "示例"}, "kind": "company"}
        )
        for kind in kinds
    }
    roles = [{"partner_id": str(partners[kind]), "role": kind} for kind in kinds]
    stop = await house.made(f"/missions/{house.mission}/stops", lines.stop | {"roles": roles})

    (row,) = await house.rows("SELECT payload FROM outbox WHERE key = $1", stop)
    hosts = {UUID(one) for one in json.loads(row["payload"])["hosts"]}
    assert hosts == {partners["lead"], partners["co_host"]}
