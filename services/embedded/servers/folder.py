"""A server's data folder: where it is, who may enter, and that only one run uses it."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.embedded.servers.account import STATE_FOLDER, Account, can_write

LOG_BYTES_MAX = 4_000_000
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.05


class StaleDataFolder(Exception):
    """A data folder cannot be used as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Claim:
    """A data folder that is ours while its lock is open, here or in a child that inherited it."""

    path: Path
    lock: int

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.path / "server.log"


@asynccontextmanager
async def claim(wanted: Path, account: Account) -> AsyncIterator[Claim]:
    """Make `wanted` a folder (mode 0700) that `account` can use, and hold it.

    Where the account cannot reach it, the folder is a fixed one under /var/lib/tradewind instead.
    Servers inherit the lock: those a dead parent left behind are waited for, up to 30 seconds.
    Raises StaleDataFolder when another run holds the folder, or its children do not end.
    """
    path = _prepare(wanted, account)
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await _take(lock, path)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        folder = Claim(path, lock)
        _turn_over(folder.log)
        yield folder
    finally:
        os.close(lock)


def _prepare(wanted: Path, account: Account) -> Path:
    """Make the folder, or its substitute where the account cannot reach it."""
    wanted = wanted.absolute()
    substitute = STATE_FOLDER / hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    _make(wanted, account)
    if can_write(account, wanted):
        return wanted
    with contextlib.suppress(OSError):
        wanted.rmdir()
    substitute.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    substitute.parent.chmod(0o755)
    _make(substitute, account)
    if can_write(account, substitute):
        return substitute
    raise StaleDataFolder(f"The data folder {wanted} cannot be written: choose one that you own.")


def _make(path: Path, account: Account) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account.uid is not None and account.gid is not None:
        os.chown(path, account.uid, account.gid)
        path.chmod(0o700)


async def _take(lock: int, path: Path) -> None:
    """Lock the folder; wait while its last owner is dead and that one's servers still stop."""
    for _ in range(round(PATIENCE_SECONDS / POLL_SECONDS)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _refuse_if_alive(os.pread(lock, 20, 0), path)
            await asyncio.sleep(POLL_SECONDS)
        else:
            return
    raise StaleDataFolder(
        f"A server of an earlier run still uses {path} and does not stop: end it, then start again."
    )


def _refuse_if_alive(owner: bytes, path: Path) -> None:
    """Raise StaleDataFolder when the process that wrote its id into the lock file still runs."""
    if owner and is_alive(int(owner)):
        raise StaleDataFolder(
            f"Process {int(owner)} already uses the data folder {path}: "
            "stop it, or choose another folder."
        )


def is_alive(pid: int) -> bool:
    """Say whether a process of this id exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give a name beside `target` to make it under, and rename it when it is complete.

    So a crash leaves no half of it. When another process was faster, what that one made is kept.
    """
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        yield unfinished
        try:
            unfinished.rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _turn_over(log: Path) -> None:
    """Keep one older log and bound both: servers append to what they find."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        shutil.move(log, log.with_suffix(".log.1"))
