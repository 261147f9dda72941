"""Ask the databases of an installation whether everything is as it is promised."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import asyncpg

from services.verifying import report
from services.verifying.asking import PATIENCE_SECONDS, verify
from services.verifying.sources import DATABASES_VARIABLE, REDIS_VARIABLE, NoSources, named

FOLDER = Path(__file__).parents[2] / "var"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what may be said on the command line."""
    parser.add_argument("--json", action="store_true", help="print all of it, for a program")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_SECONDS,
        help=f"seconds in which a late copy may catch up ({PATIENCE_SECONDS:.0f})",
    )


async def run(asked: argparse.Namespace) -> int:
    """Verify, and print the report; 0 when every promise is kept, 1 when one is not, 2: unasked."""
    try:
        findings = await verify(named(asked.data.absolute()), patience=asked.patience)
    except (NoSources, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sys.stderr.write(f"{str(error) or repr(error)}\n")
        return 2
    found = json.dumps(report.data(findings)) if asked.json else report.text(findings)
    sys.stdout.write(f"{found}\n")
    return 0 if all(finding.is_kept for finding in findings) else 1


def main() -> int:
    """Run what the command line asks for, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m services.verifying",
        description=f"{__doc__} Where: {DATABASES_VARIABLE} and {REDIS_VARIABLE}, or --data.",
    )
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (var)")
    arguments(parser)
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
