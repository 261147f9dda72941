"""Web push, and how many pages can be open at once."""

import resource
from functools import partial

from services.notify.channels.web_push import read_key
from services.notify.settings import NotifySettings
from shared.doctor.examining import Check
from shared.doctor.findings import Finding, ok, warning, wrong

STREAMS = 10_000
"""So many pages are to be open at once; each is a file."""
KEY_DIGITS = 64
MAKE_ONE = "Set TRADEWIND_PUSH_KEY to what openssl rand -hex 32 writes, or leave it empty."
OTHER_FILES = 500
"""Connections to servers and of other requests."""


def check(settings: NotifySettings) -> Check:
    """Make the check of web push and of open files."""
    return Check("web push", partial(_look, settings), "See TRADEWIND_PUSH_KEY.")


async def _look(settings: NotifySettings) -> list[Finding]:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [push(settings.push_key.get_secret_value()), open_files(files)]


def push(key: str) -> Finding:
    """Say whether browsers can be told something."""
    about = "web push"
    if not key:
        return ok(about, "not used")
    try:
        read_key(key)
    except ValueError:
        return wrong(about, "the key is none", f"notify does not start. {MAKE_ONE}")
    if len(key) != KEY_DIGITS:
        seen = f"the key has {len(key)} digits, not {KEY_DIGITS}"
        return wrong(about, seen, f"Others may guess it, and speak in our name. {MAKE_ONE}")
    return ok(about, "the key is valid")


def open_files(most: int) -> Finding:
    """Say how many pages can be open at once, of so many files."""
    about = "open pages"
    if most == resource.RLIM_INFINITY or most >= STREAMS + OTHER_FILES:
        return ok(about, f"{STREAMS:,} and more")
    return warning(
        about,
        f"{max(0, most - OTHER_FILES):,} at once",
        f"Each open page is a file, and this process may open {most:,}. Raise that limit before "
        f"more come: OPEN_FILES with Compose, ulimit -n elsewhere.",
    )
