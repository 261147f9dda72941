"""Tokens as the library reads and writes them (PyJWT)."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access import LIFETIMES, Principal, Purpose, Role, Tokens
from shared.errors import Unauthenticated

KEY = "a key that only these tests know, and that is long enough for all"
TOKENS = Tokens(KEY)
ROLES: tuple[Role, ...] = ("mission_staff", "delegate", "local", "screen", "service")
people = st.builds(
    Principal,
    role=st.sampled_from(ROLES),
    subject=st.uuids(),
    mission_id=st.none() | st.uuids(),
    stop_ids=st.lists(st.uuids(), max_size=3).map(tuple),
    partner_id=st.none() | st.uuids(),
)
purposes: st.SearchStrategy[Purpose] = st.sampled_from(("session", "link"))


def claims_of(who: Principal, **others: object) -> dict[str, object]:
    claims = {
        "aud": "session",
        "exp": int(time.time()) + 600,
        "sub": str(who.subject),
        "role": who.role,
        "stops": [],
    }
    return claims | others


@given(people, purposes)
def test_what_is_signed_is_read_by_us_and_by_the_library(who: Principal, purpose: Purpose) -> None:
    token = TOKENS.sign(who, purpose, datetime.now(UTC))
    assert TOKENS.read(token, purpose) == who
    claims = jwt.decode(token, KEY, algorithms=["HS256"], audience=purpose)
    assert UUID(claims["sub"]) == who.subject
    assert claims["exp"] - claims["iat"] == LIFETIMES[purpose].total_seconds()


@given(people)
def test_what_the_library_signs_is_read(who: Principal) -> None:
    token = jwt.encode(claims_of(who), KEY, algorithm="HS256")
    assert TOKENS.read(token, "session").subject == who.subject


@given(people, purposes, st.data())
def test_a_token_that_was_changed_is_refused(
    who: Principal, purpose: Purpose, data: st.DataObject
) -> None:
    token = TOKENS.sign(who, purpose, datetime.now(UTC))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda c: c != token[place]))
    with pytest.raises(Unauthenticated):
        TOKENS.read(token[:place] + other + token[place + 1 :], purpose)


@given(st.text(), purposes)
def test_what_is_no_token_is_refused(text: str, purpose: Purpose) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(text, purpose)


@pytest.mark.parametrize(
    "token",
    [
        jwt.encode(claims_of(Principal("local", UUID(int=1))), "another key " * 4, "HS256"),
        jwt.encode(claims_of(Principal("local", UUID(int=1))), KEY, "HS384"),
        jwt.encode(claims_of(Principal("local", UUID(int=1))), "", "none"),
        jwt.encode(claims_of(Principal("local", UUID(int=1)), aud="link"), KEY, "HS256"),
        jwt.encode(claims_of(Principal("local", UUID(int=1)), exp=1), KEY, "HS256"),
    ],
    ids=["another key", "another algorithm", "no signature", "another purpose", "expired"],
)
def test_a_token_that_is_not_for_this_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(token, "session")


def test_a_token_ends_with_its_lifetime() -> None:
    who = Principal("local", UUID(int=1))
    now, lifetime = datetime.now(UTC), LIFETIMES["session"]
    last = TOKENS.sign(who, "session", now - lifetime + timedelta(minutes=1))
    assert TOKENS.read(last, "session") == who
    with pytest.raises(Unauthenticated):
        TOKENS.read(TOKENS.sign(who, "session", now - lifetime), "session")
