import os
import subprocess
from pathlib import Path

import asyncpg
import pytest

from services.embedded.servers.folder import StaleDataFolder, is_alive
from services.embedded.servers.postgres import postgres


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_has_the_extensions_and_the_sorting_the_services_use(folder: Path) -> None:
    async with postgres(folder, durable=False) as server:
        await fetch(server.url, "CREATE EXTENSION btree_gist")
        await fetch(server.url, "CREATE EXTENSION pg_trgm")
        similarity = await fetch(
            server.url, "SELECT similarity('深圳清洁能源公司', '深圳清洁技术公司')"
        )

    assert similarity == pytest.approx(0.385, abs=0.001)


async def test_data_survive_a_crash_and_the_next_run(folder: Path) -> None:
    async with postgres(folder) as server:
        url, first = server.url, server.pid
        await fetch(url, "CREATE TABLE note AS SELECT 'kept' AS words")
        server.kill()
        await server.ready()
        assert server.pid != first
        assert server.url == url
        assert await fetch(url, "SELECT words FROM note") == "kept"

    async with postgres(folder) as server:
        assert await fetch(server.url, "SELECT words FROM note") == "kept"
        assert await fetch(server.url, "SHOW fsync") == "on"


async def test_a_crash_by_another_hand_is_noticed(folder: Path) -> None:
    async with postgres(folder, durable=False) as server:
        first = server.pid
        os.kill(first, 9)
        while is_alive(first):
            await server.ready()
        await server.ready()

        assert await fetch(server.url, "SELECT 1") == 1


async def test_it_leaves_no_process_and_listens_on_loopback_only(folder: Path) -> None:
    async with postgres(folder, durable=False) as server:
        pid = server.pid
        listening = await fetch(server.url, "SHOW listen_addresses")
        sockets = await fetch(server.url, "SHOW unix_socket_directories")
        async with asyncpg.create_pool(server.url, min_size=2):
            assert is_alive(pid)

    assert not is_alive(pid)
    assert (listening, sockets) == ("127.0.0.1", "")
    assert (folder / "data").stat().st_mode & 0o777 == 0o700


async def test_a_folder_in_use_is_refused(folder: Path) -> None:
    async with postgres(folder, durable=False) as server:
        with pytest.raises(StaleDataFolder, match=f"Process {os.getpid()} already uses"):
            await postgres(folder).__aenter__()

        assert await fetch(server.url, "SELECT 1") == 1


async def test_data_under_a_server_we_did_not_start_are_refused(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("18\n")
    with subprocess.Popen(["sleep", "60"], cwd=folder / "data") as stranger:
        (folder / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n")
        try:
            with pytest.raises(StaleDataFolder, match=f"PostgreSQL process {stranger.pid} already"):
                await postgres(folder).__aenter__()
        finally:
            stranger.kill()


async def test_data_of_another_major_version_are_refused(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("15\n")

    with pytest.raises(StaleDataFolder, match=r"written by PostgreSQL 15, this is \d+: move"):
        await postgres(folder).__aenter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its servers another account")
async def test_a_folder_the_account_cannot_reach_is_replaced(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    wanted = tmp_path / "closed"
    async with postgres(wanted, durable=False) as server:
        actual = server.folder
        assert await fetch(server.url, "SELECT 1") == 1

    assert actual.parent == Path("/var/lib/tradewind")
    assert not wanted.exists()
    subprocess.run(["rm", "-r", actual], check=True)
