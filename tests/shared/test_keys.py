"""Keys as they are written, read and asked about."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st

from shared.access import Principal, Tokens
from shared.errors import Busy, Unauthenticated
from shared.http import Caller, create_app
from shared.keys import (
    PREFIX,
    SECRET_BYTES,
    TOKEN_PREFIX,
    Holder,
    Keyring,
    Shown,
    Standing,
    digest_of,
    shown,
    written,
)
from shared.service import Service

HOLDER = Holder(
    mission_id=uuid4(),
    partner_id=uuid4(),
    stop_ids=(uuid4(),),
    scopes=("registrations:read", "events:read"),
)
TOKENS = Tokens("a key that only these tests know, and that is long enough for all")
secret_bytes = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


class Registration:
    """What the keyring asks; counts how often."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.asked: list[Shown] = []

    async def __call__(self, key: Shown) -> Standing:
        self.asked.append(key)
        return self.standing


@given(st.uuids(), secret_bytes)
def test_what_is_written_is_read(key_id: UUID, secret: bytes) -> None:
    key = written(key_id, secret)
    assert key.startswith(PREFIX)
    assert len(key) == 79
    assert key.isalnum() or key.replace("_", "").isalnum()
    assert shown(key) == Shown(key_id, digest_of(secret))


@given(st.uuids(), secret_bytes, st.data())
def test_one_mistyped_character_is_refused(key_id: UUID, secret: bytes, data: Any) -> None:
    key = written(key_id, secret)
    place = data.draw(st.integers(0, len(key) - 1))
    typed = data.draw(st.sampled_from("0aZ_-é ").filter(lambda one: one != key[place]))
    with pytest.raises(Unauthenticated) as refused:
        shown(key[:place] + typed + key[place + 1 :])
    assert refused.value.code == "key_malformed"


@given(st.text(max_size=100))
def test_no_text_is_more_than_refused(text: str) -> None:
    for given_ in (text, PREFIX + text, written(uuid4(), secrets.token_bytes(32)) + text[:1]):
        if len(given_) != 79:
            with pytest.raises(Unauthenticated):
                shown(given_)


def test_a_number_too_large_with_a_true_checksum_is_refused() -> None:
    digits = "z" * 65
    with pytest.raises(Unauthenticated):
        shown(PREFIX + digits + "0" * 6)
    import zlib

    from shared.keys import _in_base62

    with pytest.raises(Unauthenticated) as refused:
        shown(PREFIX + digits + _in_base62(zlib.crc32((PREFIX + digits).encode()), 6))
    assert refused.value.code == "key_malformed"


async def test_an_answer_is_remembered_and_asked_for_again_later() -> None:
    registration = Registration(Standing(state="valid", holder=HOLDER))
    key = written(uuid4(), secrets.token_bytes(32))
    remembering, forgetful = Keyring(registration), Keyring(registration, seconds=0)

    who = await remembering.holder(key)
    assert who == await remembering.holder(key)
    assert len(registration.asked) == 1
    assert (who.role, who.partner_id, who.stop_ids) == (
        "partner_system",
        HOLDER.partner_id,
        HOLDER.stop_ids,
    )

    registration.standing = Standing(state="revoked")
    assert await remembering.holder(key) == who
    with pytest.raises(Unauthenticated) as refused:
        await forgetful.holder(key)
    assert refused.value.code == "key_revoked"


async def test_a_remembered_key_expires_at_its_moment() -> None:
    past = datetime.now(UTC) - timedelta(milliseconds=1)
    holder = HOLDER.model_copy(update={"expires_at": past})
    keyring = Keyring(Registration(Standing(state="valid", holder=holder)))
    with pytest.raises(Unauthenticated) as refused:
        await keyring.holder(written(uuid4(), secrets.token_bytes(32)))
    assert refused.value.code == "key_expired"


async def test_a_wrong_secret_never_finds_what_is_remembered_of_the_right_one() -> None:
    right = secrets.token_bytes(32)
    key_id = uuid4()

    async def ask(key: Shown) -> Standing:
        is_right = key.digest == digest_of(right)
        return Standing(state="valid", holder=HOLDER) if is_right else Standing(state="unknown")

    keyring = Keyring(ask)
    await keyring.holder(written(key_id, right))
    with pytest.raises(Unauthenticated) as refused:
        await keyring.holder(written(key_id, secrets.token_bytes(32)))
    assert refused.value.code == "key_unknown"


async def test_a_token_opens_no_more_than_its_key_does_now() -> None:
    signed = Principal("partner_system", uuid4(), scopes=("events:read", "webhooks:write"))
    registration = Registration(Standing(state="valid", holder=HOLDER))
    who = await Keyring(registration).still(signed)
    assert who.scopes == ("events:read",)
    assert (who.subject, who.mission_id) == (signed.subject, HOLDER.mission_id)
    assert registration.asked == [Shown(signed.subject, None)]


async def test_while_registration_is_away_callers_are_told_to_come_again() -> None:
    async with Keyring.connect("http://127.0.0.1:1", TOKENS) as keyring:
        with pytest.raises(Busy):
            await keyring.holder(written(uuid4(), secrets.token_bytes(32)))


async def test_every_kind_of_token_is_read_as_what_it_is() -> None:
    router = APIRouter()

    @router.get("/who")
    async def who(caller: Caller) -> dict[str, Any]:
        return {"role": caller.role, "scopes": caller.scopes}

    keys = Keyring(Registration(Standing(state="valid", holder=HOLDER)))
    app = create_app([Service("any", [router], loops={}, keys=keys)], TOKENS)
    now = datetime.now(UTC)
    system = Principal("partner_system", uuid4(), scopes=("events:read",))
    signed = TOKENS.sign(system, "system", now)
    staff = TOKENS.sign(Principal("mission_staff", uuid4()), "session", now)
    expected = {
        written(uuid4(), secrets.token_bytes(32)): ("partner_system", list(HOLDER.scopes)),
        TOKEN_PREFIX + signed: ("partner_system", ["events:read"]),
        staff: ("mission_staff", []),
        signed: None,
        TOKEN_PREFIX + staff: None,
        TOKEN_PREFIX: None,
        PREFIX: None,
    }
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://keys"
    ) as client:
        for token, wanted in expected.items():
            answer = await client.get("/who", headers={"Authorization": f"Bearer {token}"})
            found = answer.json()
            if wanted is None:
                assert answer.status_code == 401, token
            else:
                assert (found["role"], found["scopes"]) == wanted
