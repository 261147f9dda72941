"""The command `doctor` of a service: exit code 0 when nothing is wrong, else 1."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from shared import logs
from shared.doctor import report
from shared.doctor.examining import Check, examined
from shared.doctor.settings import read, secrets_of
from shared.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)


def run(
    service: str,
    settings_type: type[S],
    checks_of: Callable[[S], Sequence[Check]],
    arguments: Sequence[str],
) -> int:
    """Look at everything around a service, print what was found, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service} doctor",
        description="Look whether everything around this service is as it must be. "
        "Changes nothing, sends nothing.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings for programs")
    asked = parser.parse_args(arguments)
    # On standard error: what is printed is the report alone.
    logs.configure("error", human=True)
    settings, findings = read(settings_type)
    if settings is not None:
        findings += asyncio.run(examined(checks_of(settings)))
    findings = [report.without(secrets_of(settings), finding) for finding in findings]
    written = (
        json.dumps(report.data(service, findings), indent=1)
        if asked.json
        else report.text(service, findings)
    )
    sys.stdout.write(f"{written}\n")
    return 0 if report.is_well(findings) else 1
