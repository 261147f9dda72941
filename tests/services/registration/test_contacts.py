from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from shared.access import Principal, Role
from shared.contacts import Contacts

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

SERVICE = Principal("service", uuid4())


async def test_a_service_reads_how_to_address_people(house: "House") -> None:
    ana = await house.registered(
        "ana",
        person={"native_name": "示例安"},
        organization={"native_name": "示例公司"},
    )
    ids = f"{ana['participant_id']},{uuid4()}"

    answer = await house.get(f"/internal/contacts?ids={ids}", SERVICE)

    (contact,) = answer.json()["items"]
    path = contact.pop("sign_in_path")
    assert contact == {
        "person_id": ana["participant_id"],
        "name": "Sample ana",
        "native_name": "示例安",
        "email": "ana@example.com",
        "language": "zh",
        "role": "local",
        "organization": "Sample ana Co.",
        "native_organization": "示例公司",
        "may_cross": True,
    }
    token = path.removeprefix("/sign-in?token=")
    assert (await house.post("/api/v1/sessions", {"token": token})).status_code == 201


async def test_the_client_of_the_other_services_understands_the_answer(house: "House") -> None:
    registrations: list[dict[str, Any]] = [
        await house.registered(f"p{number}") for number in range(3)
    ]
    contacts = Contacts(house.client, house.tokens)
    ids = [house.person(registration).subject for registration in registrations]

    found = await contacts.of([*ids, uuid4()])

    assert {contact.email for contact in found.values()} == {f"p{n}@example.com" for n in range(3)}
    assert set(found) == set(ids)


@pytest.mark.parametrize(
    "role", ["mission_staff", "partner_staff", "door_staff", "delegate", "screen"]
)
async def test_nobody_but_a_service_reads_contacts(house: "House", role: Role) -> None:
    ana = await house.registered("ana")
    path = f"/internal/contacts?ids={ana['participant_id']}"
    assert (await house.get(path, house.someone(role))).status_code == 403
    assert (await house.get(path)).status_code == 401


async def test_ids_that_are_none_are_refused(house: "House") -> None:
    answer = await house.get("/internal/contacts?ids=ana", SERVICE)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/ids")
