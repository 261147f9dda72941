"""Examining: all checks at once, each within its time. What a check raises is a finding."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.doctor.findings import Finding, wrong
from shared.logs import scrub

CONNECT_SECONDS_MAX = 4
SECONDS_MAX = 12
"""For all that is asked of one server."""
WORDS_MAX = 200

E = TypeVar("E", bound=BaseException)

Look = Callable[[], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at; `trouble` is the advice when it raises or does not end."""

    about: str
    look: Look
    trouble: str
    seconds_max: float = SECONDS_MAX


async def examined(checks: Sequence[Check]) -> list[Finding]:
    """Look at everything beside one another, and give the findings in the order of the checks."""
    found = await asyncio.gather(*(_looked(check) for check in checks))
    return [finding for findings in found for finding in findings]


async def in_turn(
    questions: Sequence[tuple[str, Coroutine[Any, Any, Finding]]], trouble: str
) -> list[Finding]:
    """Ask one after the other over what they share; what one raises leaves the others alone."""
    findings = []
    for about, question in questions:
        try:
            findings.append(await question)
        except Exception as error:  # noqa: BLE001  # whatever it raises is the finding
            findings.append(raised(about, error, trouble))
    return findings


async def _looked(check: Check) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(check.seconds_max):
            return await check.look()
    except asyncio.CancelledError:
        # Libraries raise it too, when what they wait for was cancelled by themselves.
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        return [wrong(check.about, "broken off", check.trouble)]
    except Exception as error:  # noqa: BLE001  # whatever it raises is the finding
        return [raised(check.about, error, check.trouble)]


def raised(about: str, error: Exception, trouble: str) -> Finding:
    """Turn what a check raised into a finding."""
    if isinstance(error, TimeoutError):
        return wrong(about, "no answer in time", trouble)
    return wrong(about, said(error), trouble)


def underlying(error: BaseException, kind: type[E]) -> E | None:
    """Give what of a kind is behind an exception, or it itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kind):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def said(error: BaseException) -> str:
    """Give an exception in one short line, without addresses of people."""
    words = " ".join(scrub(str(error)).split())[:WORDS_MAX]
    return words or type(error).__name__
