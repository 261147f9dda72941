"""Tradewind on one machine: `python -m services`, and beside it `rehearse FOLDER` and `verify`."""

import argparse
import json
import os
import sys
from pathlib import Path

import uvloop

from services.embedded.beside import beside
from services.embedded.installation import ROOT, Wanted
from services.embedded.running import PortInUse, run, staff_token
from services.embedded.servers.child import ServerKeepsFailing
from services.embedded.servers.folder import StaleDataFolder
from services.rehearsal import report
from services.rehearsal.example import ExampleError
from services.rehearsal.rehearsing import Options, rehearse, to_stderr
from services.verifying import __main__ as verifying
from services.verifying.asking import verify
from services.verifying.report import broken, verified
from services.verifying.sources import named
from shared import logs

EXAMPLE = ROOT / "examples" / "cleantech-china-2023"
TOKEN_VARIABLE = "TRADEWIND_TOKEN"  # noqa: S105  # a name, not a token
PORT = 8000
STOPPED_BY_SIGNAL = 130

TOLD_IN_A_SENTENCE = (
    PortInUse,
    StaleDataFolder,
    ServerKeepsFailing,
    ExampleError,
    FileNotFoundError,
    ModuleNotFoundError,
    PermissionError,
)
"""What the person at the terminal can mend."""


def main() -> int:
    """Run what the command line asks for, and give the exit code."""
    asked = _arguments().parse_args()
    logs.configure("warning", human=True)
    try:
        if asked.command == "rehearse":
            return uvloop.run(_rehearse(asked))
        if asked.command == "verify":
            return uvloop.run(verifying.run(asked))
        example = None if asked.empty else asked.example
        uvloop.run(run(Wanted(asked.data.absolute(), asked.port, asked.log), example))
    except KeyboardInterrupt:
        return STOPPED_BY_SIGNAL
    except TOLD_IN_A_SENTENCE as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _rehearse(asked: argparse.Namespace) -> int:
    quietly = asked.json
    options = Options(asked.speed, asked.out, (lambda _: None) if quietly else to_stderr)
    if asked.url:
        token = os.environ.get(TOKEN_VARIABLE)
        if not token:
            sys.stderr.write(f"Set {TOKEN_VARIABLE} to a session token of mission staff.\n")
            return 1
        outcome = await rehearse(asked.folder, asked.url, token, options)
    else:
        async with beside(asked.log) as one:
            outcome = await rehearse(asked.folder, one.url, staff_token(one.tokens), options)
            findings = await verify(named(one.data))
            outcome.remarks.append(verified(findings))
            outcome.failures += broken(findings)
    found = json.dumps(report.data(outcome)) if asked.json else report.text(outcome)
    sys.stdout.write(f"{found}\n")
    if outcome.failures and asked.json:
        sys.stderr.write("\n".join(outcome.failures) + "\n")
    return 1 if outcome.failures else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    _log(parser)
    parser.add_argument("--port", type=int, default=PORT, help=f"where to listen ({PORT})")
    parser.add_argument("--data", type=Path, default=ROOT / "var", help="the data folder (var)")
    parser.add_argument("--example", type=Path, default=EXAMPLE, help="what to load at first")
    parser.add_argument("--empty", action="store_true", help="load nothing")
    commands = parser.add_subparsers(dest="command", metavar="rehearse | verify")
    rehearsal = commands.add_parser("rehearse", help="play a mission through, from its files")
    rehearsal.add_argument("folder", type=Path, help="a folder as in examples/")
    rehearsal.add_argument(
        "--url", help=f"a running installation; {TOKEN_VARIABLE} holds a token of mission staff"
    )
    _log(rehearsal)
    rehearsal.add_argument("--speed", type=float, help="times real time (as fast as possible)")
    rehearsal.add_argument("--json", action="store_true", help="print the figures alone")
    rehearsal.add_argument("--out", type=Path, help="where the summaries go")
    verifying.arguments(commands.add_parser("verify", help="ask whether what is promised is so"))
    return parser


def _log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", choices=("postgres", "kafka"), default="postgres")


if __name__ == "__main__":
    sys.exit(main())
