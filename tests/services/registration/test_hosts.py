"""Which partners have a say in who meets at their stop: its lead and its co-hosts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from shared.events.registration import StopPlanned

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines

MIGRATION = Path(__file__).parents[3] / "services/registration/migrations/0010_hosts.sql"


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


async def test_a_stop_told_without_hosts_is_told_once_more_with_them(
    house: "House", lines: "Lines"
) -> None:
    path = f"/missions/{house.mission}/partners"
    partners = [
        await house.made(path, {"name": {"en": f"Sample {n}", "zh": "示例"}, "kind": "company"})
        for n in range(3)
    ]
    kinds = ("co_host", "supporter", "lead")
    roles = [
        {"partner_id": str(partner), "role": kind}
        for partner, kind in zip(partners, kinds, strict=True)
    ]
    stop = await house.made(f"/missions/{house.mission}/stops", lines.stop | {"roles": roles})
    told = "SELECT sequence, type, payload FROM outbox WHERE key = $1 ORDER BY sequence"
    # As it was before the field was there; the other stop was told with it.
    async with house.database.transaction() as connection:
        (row,) = await connection.fetch(told, stop)
        before = StopPlanned.model_validate_json(row["payload"])
        payload = before.model_dump_json(exclude={"hosts"}).encode()
        await connection.execute("UPDATE outbox SET payload = $2 WHERE key = $1", stop, payload)
        for _ in range(2):
            await connection.execute(MIGRATION.read_text())

    first, again = await house.rows(told, stop)
    assert StopPlanned.model_validate_json(first["payload"]).hosts == ()
    assert StopPlanned.model_validate_json(again["payload"]) == before.model_copy(
        update={"partners": ()}
    )
    assert before.hosts == (partners[0], partners[2])
    assert before.partners == tuple(partners)
    assert (again["sequence"], again["type"]) == (2, StopPlanned.TYPE)
    assert len(await house.rows(told, house.stop)) == 1
