"""Which user the servers run as, and what that user can reach."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Where root's servers keep what the account below could not reach in its usual place.
STATE_FOLDER = Path("/var/lib/tradewind")

TEST_SECONDS_MAX = 10


@dataclass(frozen=True)
class Account:
    """The user and group a child process changes to; None: those of this process."""

    uid: int | None = None
    gid: int | None = None
    extra_groups: tuple[int, ...] | None = None


#: The user that runs this process.
OURS = Account()


def unprivileged() -> Account:
    """Give `nobody` when this process is root, which PostgreSQL refuses; else our own account."""
    if os.geteuid() != 0:
        return OURS
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid, extra_groups=())


def can_run(account: Account, program: Path) -> bool:
    """Say whether `account` may execute `program`: a wheel under /root is out of its reach."""
    return _test(account, "-x", program)


def can_write(account: Account, folder: Path) -> bool:
    """Say whether `account` may reach `folder` and write in it."""
    return _test(account, "-w", folder)


def _test(account: Account, flag: str, path: Path) -> bool:
    """Ask test(1) as that user: unlike mode bits read here, it knows all rules there are."""
    answer = subprocess.run(
        ["test", flag, str(path)],
        check=False,
        timeout=TEST_SECONDS_MAX,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=account.extra_groups,
    )
    return answer.returncode == 0
