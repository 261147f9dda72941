"""No log says who somebody is, whatever went wrong with that somebody's data."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import asyncpg
import pydantic
import pytest

from shared import logs

NAME = "Canary Zhang 金丝雀"
ADDRESS = "canary.zhang@example.com"

Lines = Callable[[str], list[dict[str, Any]]]


class Form(pydantic.BaseModel):
    full_name: int


def fail_with(error: Exception) -> str:
    with pytest.raises(type(error)) as raised:
        fail(error)
    return logs.safe_traceback((raised.type, raised.value, raised.tb))


def fail(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def broken_constraint() -> asyncpg.PostgresError:
    error = asyncpg.UniqueViolationError(
        'duplicate key value violates unique constraint "person_mission_id_email_key"'
    )
    error.detail = f"Key (mission_id, email)=(1, {ADDRESS}) already exists."
    error.constraint_name = "person_mission_id_email_key"
    return error


def of_pydantic() -> Exception:
    with pytest.raises(pydantic.ValidationError) as raised:
        Form.model_validate({"full_name": NAME})
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        broken_constraint(),
        asyncpg.DataError(f"invalid input for query argument $3: '{NAME}' (expected str)"),
        asyncpg.InvalidTextRepresentationError(f'invalid input syntax for type uuid: "{NAME}"'),
        of_pydantic(),
        KeyError(NAME),
        ValueError(f"{NAME} <{ADDRESS}> is not expected here"),
        ExceptionGroup("several", [ValueError(NAME), broken_constraint()]),
        OSError(f"550 no such user {ADDRESS}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_traceback_says_where_and_not_about_whom(error: Exception) -> None:
    written = fail_with(error)

    assert "test_logs.py" in written
    assert type(error).__name__ in written
    assert NAME not in written
    assert ADDRESS not in written


def test_a_traceback_of_the_database_names_the_constraint() -> None:
    assert "[23505] constraint_name=person_mission_id_email_key" in fail_with(broken_constraint())


def test_the_cause_of_an_exception_is_told_as_carefully() -> None:
    with pytest.raises(RuntimeError) as raised:
        fail(RuntimeError("It failed."), KeyError(NAME))
    written = logs.safe_traceback((raised.type, raised.value, raised.tb))

    assert "KeyError" in written
    assert NAME not in written


def test_what_is_said_of_machines_stays() -> None:
    assert "Connection refused" in fail_with(ConnectionRefusedError("Connection refused"))
    assert 'relation "person" does not exist' in fail_with(
        asyncpg.UndefinedTableError('relation "person" does not exist')
    )


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"sent to <{ADDRESS}>", "sent to <<address>>"),
        (
            f"UniqueViolationError: duplicate key\nDETAIL:  Key (email)=({ADDRESS}) exists.",
            "UniqueViolationError: duplicate key\nDETAIL: …",
        ),
        (f"Key (full_name)=({NAME}) already exists.", "Key (full_name)=(…) already exists."),
        (f"Failing row contains (7, {NAME}).", "Failing row …"),
        (
            f"1 error [type=int, input_value='{NAME}', input_type=str]",
            "1 error [type=int, input_value=…, input_type=str]",
        ),
        ("stop 7 is at revision 3", "stop 7 is at revision 3"),
    ],
)
def test_a_line_is_scrubbed_of_what_it_repeats(text: str, kept: str) -> None:
    assert logs.scrub(text) == kept


@pytest.mark.parametrize("level", ["debug", "info"])
def test_a_process_writes_nothing_of_a_row_that_failed(level: str) -> None:
    program = f"""
import asyncpg, asyncio, logging, structlog
from shared import logs
logs.configure({level!r})
log = structlog.get_logger()
error = asyncpg.UniqueViolationError("duplicate key")
error.detail = "Key (email)=({ADDRESS}) already exists."
try:
    raise error
except Exception as caught:
    log.exception("request failed", error=repr(caught), of=caught, more={{"to": ["{ADDRESS}"]}})
    logging.getLogger("asyncio").exception("Task exception was never retrieved: %s", caught)
log.debug("a line", reason="550 <{ADDRESS}> unknown")
raise error
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    first = json.loads(run.stdout.splitlines()[0])
    assert first["event"] == "request failed"
    assert "[23505]" in first["exception"]
    assert run.returncode == 1
    assert "UniqueViolationError" in run.stderr
    assert ADDRESS not in run.stdout + run.stderr


def test_the_formatter_of_libraries_is_proven_by_one_that_leaks() -> None:
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "to %s", (ADDRESS,), None)

    assert ADDRESS in logging.Formatter("%(message)s").format(record)
    assert ADDRESS not in logs._SafeFormatter("%(message)s").format(record)
