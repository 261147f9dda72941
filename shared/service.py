"""What one service brings to a process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from shared.express import Express
from shared.keys import Keyring

Loop = Callable[[], Awaitable[None]]
Check = Callable[[], Awaitable[object]]
Gate = Callable[[Any], None]
"""Gets a `shared.threshold.Knock`."""


@dataclass(frozen=True, slots=True)
class Service:
    """Its routes, its loops, and what they hold open."""

    name: str
    routers: Sequence[APIRouter]
    loops: Mapping[str, Loop]
    express: Sequence[Express] = ()
    """Routes of the routers that are answered before the framework's machinery."""
    gates: Mapping[str, Gate] = field(default_factory=dict)
    """By path of a route: who may answer a connection's first request, or has it go on."""
    bodies: Mapping[str, int] = field(default_factory=dict)
    """By path, as a regular expression: how many bytes a body may have where more than usual are
    read, which is then done without holding them in memory."""
    checks: Mapping[str, Check] = field(default_factory=dict)
    """A check raises when what it looks at cannot be used; names are unique in a process."""
    advisory_checks: Mapping[str, Check] = field(default_factory=dict)
    """The same, of what the process can do without: a failure is told, and it stays ready."""
    keys: Keyring | None = None
    """What knows the keys of partners' systems; one of a process's services brings it."""
    resources: object = None
    """What routes reach as `request.app.state.<name>`."""
    static: Path | None = None
    """The folder served under `/static/<name>`."""
    closing: Callable[[], None] = lambda: None
    """Called when the process is told to stop, before open streams are waited for."""
