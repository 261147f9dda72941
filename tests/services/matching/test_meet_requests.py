"""Requests on the page about whom to meet: asked, answered, taken back, and over."""

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.matching.wish_bodies import MESSAGE_LENGTH_MAX
from shared.access import Principal
from tests.services.matching.browsing import card, followed, page, send, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Registration


def of(house: "House", name: str, part: str = "?show=requests") -> str:
    return f"meet/{house.people[name]}{part}"


async def ask(house: "House", pair: str, who: Principal | None = None, **form: Any) -> Any:
    one, other = pair.split()
    given = {"counterpart_id": house.people[other], "key": uuid4().hex, **form}
    return await send(house, who or house.person(one), of(house, one, "/requests"), **given)


async def answer(house: "House", name: str, what: str, who: Principal | None = None) -> Any:
    (row,) = await house.rows("SELECT id FROM meeting_request")
    path = of(house, name, f"/requests/{row['id']}/{what}")
    return await send(house, who or house.person(name), path)


@pytest.fixture
def known(house: "House", registration: "Registration") -> None:
    """Registration knows everybody's name."""
    registration.people |= {one: f"Name of {name}" for name, one in house.people.items()}


@pytest.mark.usefixtures("known")
async def test_a_request_is_sent_with_a_message_read_and_accepted(house: "House") -> None:
    dora, lin = house.person("dora"), house.person("lin")
    sent = await ask(house, "dora lin", message="Let us <b>talk</b>.\r\nSoon.")
    text = card(await followed(house, dora, sent), lin.subject)
    assert "You asked" in words(text)
    assert "Name of lin" not in text
    assert 'name="message"' not in text

    text = card(await page(house, lin, of(house, "lin")), dora.subject)
    assert "Let us <b>talk</b>. Soon." in words(text)
    assert "Let us <b>" not in text
    assert "Name of dora" in text
    assert "Answer by" in words(text)
    assert "(Shanghai, UTC+8)" in words(text)
    await followed(house, lin, await answer(house, "lin", "accept"))
    assert "Agreed" in words(card(await page(house, lin, of(house, "lin")), dora.subject))
    text = card(await page(house, dora, of(house, "dora")), lin.subject)
    assert "Agreed" in words(text)
    assert "Name of lin" in text


async def test_what_waits_for_an_answer_is_counted_on_the_tab(house: "House") -> None:
    for one in ("dora", "dave"):
        await ask(house, f"{one} lin")
    text = await page(house, house.person("lin"), of(house, "lin", ""))
    assert "Requests 2" in words(text)


@pytest.mark.parametrize(
    ("what", "name", "said"),
    [("decline", "lin", "Declined"), ("cancel", "dora", "Withdrawn")],
)
async def test_a_request_is_declined_or_withdrawn_and_asked_anew(
    house: "House", what: str, name: str, said: str
) -> None:
    await ask(house, "dora lin")
    await followed(house, house.person(name), await answer(house, name, what))
    for reader, other in (("dora", "lin"), ("lin", "dora")):
        text = await page(house, house.person(reader), of(house, reader))
        found = card(text, house.people[other])
        assert said in words(found)
        assert "<form" not in found
    assert 'name="message"' in await page(house, house.person("dora"), of(house, "dora", ""))


async def test_a_request_whose_time_is_up_is_shown_so_and_cannot_be_answered(
    house: "House",
) -> None:
    await ask(house, "dora lin")
    await house.rows("UPDATE meeting_request SET expires_at = now() - interval '1 second'")
    text = card(await page(house, house.person("lin"), of(house, "lin")), house.people["dora"])
    assert "Expired" in words(text)
    assert "<form" not in text
    late = await answer(house, "lin", "accept")
    assert "has expired" in words(await followed(house, house.person("lin"), late))


async def test_a_form_that_is_sent_twice_asks_once(house: "House") -> None:
    form = await page(house, house.person("dora"), of(house, "dora", ""))
    found = re.search(r'name="key" value="([^"]+)"', form)
    assert found is not None
    for _ in range(2):
        assert (await ask(house, "dora lin", key=found[1])).status_code == 303
    assert len(await house.rows("SELECT FROM meeting_request")) == 1


async def test_a_message_that_is_too_long_comes_back_with_its_text(house: "House") -> None:
    long = "long " * (MESSAGE_LENGTH_MAX // 5) + "and more"
    answered = await ask(house, "dora lin", message=long)
    text = card(answered.text, house.people["lin"])

    assert answered.status_code == 422
    assert f"Please shorten this to {MESSAGE_LENGTH_MAX} characters" in words(text)
    assert long in text
    assert await house.rows("SELECT FROM meeting_request") == []


async def test_what_contradicts_is_said_in_words(house: "House") -> None:
    dora = house.person("dora")
    no = {"counterpart_id": house.people["lin"], "kind": "no_thanks"}
    await send(house, dora, of(house, "dora", "/preferences"), **no)
    assert "that is final" in words(await followed(house, dora, await ask(house, "dora lin")))

    await ask(house, "dave luo")
    dave, luo = house.person("dave"), house.person("luo")
    await answer(house, "luo", "accept")
    again = words(await followed(house, dave, await ask(house, "dave luo")))
    assert "agreed to meet already" in again
    twice = words(await followed(house, luo, await answer(house, "luo", "decline")))
    assert "answered or withdrawn a moment ago" in twice


async def test_nobody_answers_what_is_anothers(house: "House") -> None:
    await ask(house, "dora lin")
    assert (await answer(house, "lin", "accept", house.person("luo"))).status_code == 403
    # Nor by one's own page: the request was not made to this person.
    assert (await answer(house, "luo", "accept")).status_code == 404
    assert (await answer(house, "dora", "accept")).status_code == 404
    assert (await answer(house, "lin", "cancel")).status_code == 404
    (row,) = await house.rows("SELECT status FROM meeting_request")
    assert row["status"] == "pending"


async def test_a_request_from_the_recommendations_says_so_and_staffs_is_the_organisers(
    house: "House",
) -> None:
    text = await page(house, house.person("dora"), of(house, "dora", ""))
    assert 'name="is_recommended" value="true"' in card(text, house.people["lin"])
    await ask(house, "dora lin", is_recommended="true")
    partner = house.someone("partner_staff", partner_id=house.partner)
    await ask(house, "liu dave", partner)

    origins = {one: await _origin(house, one) for one in ("dora", "liu")}
    assert origins == {"dora": "recommendation", "liu": "organizer"}
    text = await page(house, house.person("liu"), of(house, "liu"))
    assert "Stated for you by the organisers" in words(card(text, house.people["dave"]))


async def _origin(house: "House", name: str) -> str:
    path = f"/requests?stop_id={house.stop}&participant_id={house.people[name]}"
    (found,) = (await house.get(path))["items"]
    assert UUID(found["participant_id"]) == house.people[name]
    origin: str = found["origin"]
    return origin
