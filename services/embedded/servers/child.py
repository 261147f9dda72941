"""A supervised child process: started, asked, started again when it dies, stopped."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.embedded.servers.account import OURS, Account
from services.embedded.servers.folder import Claim

FAILURES_MAX = 5
FAILURE_WINDOW_SECONDS = 30.0
#: After a crash PostgreSQL first goes through its log, and where much else runs a JVM takes half a
#: minute: who is ended meanwhile begins again.
START_SECONDS_MAX = 180.0
POLL_SECONDS = 0.05
LOG_TAIL_BYTES = 1500

# Below the range from which the kernel takes the ports of outgoing connections: a client that keeps
# trying to reach a server which is down can otherwise connect to itself, and then holds the port.
PORTS = range(20_000, 32_000)
PORT_TRIES_MAX = 100

#: All that a server sees of the environment. PostgreSQL takes its sorting from it: characters by
#: their numbers, and letters known as such in every language.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


class ServerKeepsFailing(Exception):
    """A server failed too often in a short time; the message holds the end of its log."""


@dataclass(frozen=True)
class Program:
    """How one server is started, asked whether it answers, and told to stop."""

    name: str
    command: list[str]
    url: str
    #: Returns once the server answers, raises OSError (or TimeoutError) while it does not.
    ask: Callable[[], Awaitable[None]]
    stop_signal: signal.Signals
    account: Account = OURS
    stop_seconds: float = 15.0
    #: The pause before the first new start; it doubles with each failure of the last 30 seconds.
    backoff_seconds: float = 0.1


class Server:
    """A running server: its process may be replaced, its address and data stay."""

    def __init__(self, program: Program, claim: Claim) -> None:
        self._program = program
        self._claim = claim
        self._answers = asyncio.Event()
        self._deliberate = False
        self._process = self._start()

    @property
    def url(self) -> str:
        """The address clients connect to."""
        return self._program.url

    @property
    def folder(self) -> Path:
        """Where its data and log are: not the wanted folder when its account cannot reach that."""
        return self._claim.path

    @property
    def pid(self) -> int:
        """The id of the current process."""
        return self._process.pid

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the process by a signal, as a crash would. It starts again; no failure is counted."""
        self._deliberate = True
        self._answers.clear()
        self._process.send_signal(how)

    async def ready(self) -> None:
        """Wait until the current process answers. Raises TimeoutError after three minutes."""
        async with asyncio.timeout(START_SECONDS_MAX):
            if self._process.poll() is not None:
                self._answers.clear()
            await self._answers.wait()

    async def keep(self) -> None:
        """Start the process again each time it dies.

        Raises ServerKeepsFailing at the fifth failure within 30 seconds.
        """
        clock = asyncio.get_running_loop().time
        failures: deque[float] = deque(maxlen=FAILURES_MAX)
        while True:
            await self._watch()
            if self._deliberate:
                self._deliberate = False
            else:
                failures.append(clock())
            recent = sum(clock() - moment < FAILURE_WINDOW_SECONDS for moment in failures)
            if recent == FAILURES_MAX:
                raise ServerKeepsFailing(self._complaint())
            await asyncio.sleep(self._program.backoff_seconds * 2**recent)
            self._process = self._start()

    async def stop(self) -> None:
        """Ask the process to stop, and end it by SIGKILL when it takes too long."""
        self._answers.clear()
        if self._process.poll() is None:
            self._process.send_signal(self._program.stop_signal)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._program.stop_seconds):
                    await self._death()
        self._process.kill()
        await self._death()

    async def _watch(self) -> None:
        """Return when the process has died, or was ended because it did not answer in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS_MAX):
                await self._until_it_answers()
        if self._answers.is_set():
            await self._death()
        self._answers.clear()
        self._process.kill()
        await self._death()

    async def _until_it_answers(self) -> None:
        while self._process.poll() is None:
            # The last is what uvloop raises where a connection is lost as soon as it is made.
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                await self._program.ask()
                self._answers.set()
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _death(self) -> None:
        # Polled: asyncio's own subprocesses change no user under uvloop.
        while self._process.poll() is None:  # noqa: ASYNC110 - a plain child sends no event
            await asyncio.sleep(POLL_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        account = self._program.account
        with self._claim.log.open("ab") as log:
            return subprocess.Popen(
                [*_ended_with_this_thread(self._program.stop_signal), *self._program.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                user=account.uid,
                group=account.gid,
                extra_groups=account.extra_groups,
                # Ctrl-C in a terminal must not reach it: this process stops it, in order.
                start_new_session=True,
                pass_fds=(self._claim.lock,),
            )

    def _complaint(self) -> str:
        path = self._claim.log
        end = path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return f"{self._program.name} failed {FAILURES_MAX} times; the end of {path}:\n{end}"


@asynccontextmanager
async def supervised(program: Program, claim: Claim) -> AsyncIterator[Server]:
    """Run a server, answering when yielded, until the end of the context.

    Raises ServerKeepsFailing, wherever the body is waiting, when the server cannot be kept alive.
    A crash of this process ends the server too: the kernel sends it its stop signal when the
    thread that started it is gone (on Linux).
    """
    server = Server(program, claim)
    body = asyncio.current_task()
    assert body is not None  # A coroutine always runs in one; this tells the type checker.
    cancelled_before = body.cancelling()
    keeper = asyncio.create_task(server.keep())
    keeper.add_done_callback(lambda ended: ended.cancelled() or body.cancel())
    try:
        try:
            await server.ready()
            yield server
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
            await server.stop()
    except asyncio.CancelledError:
        failure = None if keeper.cancelled() else keeper.exception()
        if failure is None or body.uncancel() > cancelled_before:
            raise
        raise failure from None


def free_port() -> int:
    """Pick a port of 127.0.0.1 on which nothing listens. Raises OSError when none is found."""
    for _ in range(PORT_TRIES_MAX):
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("No free port was found on 127.0.0.1.")


def _ended_with_this_thread(stop_signal: signal.Signals) -> list[str]:
    """Give the prefix that has the kernel signal the child when the thread that starts it ends.

    A program and not a function to run after the fork: no Python code is safe there while other
    threads run. It comes after the change of user, which would take the request back.
    """
    if sys.platform != "linux":
        return []
    return ["setpriv", "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"]
