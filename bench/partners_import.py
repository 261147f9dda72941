"""A partner's list of 100 000 people, beside a bare COPY of the same rows.

Both in one run, into one durable PostgreSQL: the ratio says what checking every row and registering
everybody in the order of the list costs over merely storing the file.
"""

import asyncio
import csv
import io
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg

from bench.house import NAMES, SECRET, House, house
from services.registration.domain.people import CREDIT_CODE_ALPHABET, CREDIT_CODE_WEIGHTS
from shared.access import Principal, Tokens

ROWS = 100_000
PEOPLE_OF_A_COMPANY = 5
LOOK_SECONDS = 0.5
COPIES = 5
HEADER = ("姓名", "公司名称", "统一社会信用代码", "邮箱", "职务", "行业", "主营产品")
FAMILY, GIVEN = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗",
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华",
)
TRADES = ("新能源科技", "智能装备", "环保工程", "电子材料", "储能技术")


def rows(count: int) -> Iterator[tuple[str, ...]]:
    """Give invented people, several to a company."""
    for number in range(count):
        company = number // PEOPLE_OF_A_COMPANY
        name = FAMILY[number % 20] + GIVEN[number // 20 % 24] + GIVEN[number // 480 % 24]
        yield (
            name,
            f"苏州{GIVEN[company % 24]}{company}{TRADES[company % 5]}有限公司",
            _credit_code(company),
            f"guest{number}@example.com",
            "经理",
            "Benchmark",
            "锂离子电池及储能系统",
        )


def _credit_code(number: int) -> str:
    body = f"91320594{number:09d}"
    total = sum(
        weight * CREDIT_CODE_ALPHABET.index(letter)
        for weight, letter in zip(CREDIT_CODE_WEIGHTS, body, strict=True)
    )
    return body + CREDIT_CODE_ALPHABET[(31 - total % 31) % 31]


async def measure(*, count: int = ROWS) -> dict[str, dict[str, float]]:
    """Import and copy the same rows; gives the ratio of their times, and figures."""
    table = list(rows(count))
    async with house() as home:
        idle, before = home.memory_mib(), _processor_seconds(home.pid)
        seconds, most = await _imported(home, table)
        used = _processor_seconds(home.pid) - before
        copied = await _copied(home, table)
    print(f"{count} rows: {seconds:.1f} s, COPY {copied:.2f} s, {most:.0f} MiB at most")
    return {
        "ratios": {"import_vs_copy": round(seconds / copied, 1)},
        "figures": {
            "import_rows": count,
            "import_seconds": round(seconds, 1),
            "import_processor_seconds": round(used, 1),
            "import_copy_seconds": round(copied, 2),
            "import_memory_mib": round(most, 1),
            "import_memory_idle_mib": round(idle, 1),
        },
    }


def _processor_seconds(pid: int) -> float:
    """Give how long a process has had a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _imported(home: House, table: list[tuple[str, ...]]) -> tuple[float, float]:
    """Send the rows as CSV and wait until everybody is registered; also gives the memory."""
    item_id = await home.item()
    partner_id = await _partner(home, item_id)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(table)
    asked = {"programme_item_id": item_id, "partner_id": partner_id, "consent": "true"}
    started, most = time.perf_counter(), 0.0
    sending = asyncio.create_task(
        _asked(home, f"/imports?{urlencode(asked)}", text.getvalue().encode())
    )
    while not sending.done():
        most = max(most, home.memory_mib())
        await asyncio.sleep(LOOK_SECONDS)
    path = f"/imports/{(await sending)['id']}"
    while (found := await _asked(home, path))["state"] != "finished":
        most = max(most, home.memory_mib())
        await asyncio.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - started
    assert found["counts"]["statuses"] == {"confirmed": len(table)}, found["counts"]
    return seconds, most


async def _partner(home: House, item_id: str) -> str:
    connection = await asyncpg.connect(home.database_url)
    try:
        mission_id = await connection.fetchval(
            "SELECT mission_id FROM programme_item AS item JOIN stop ON stop.id = item.stop_id "
            "WHERE item.id = $1",
            item_id,
        )
    finally:
        await connection.close()
    body = {"name": NAMES, "kind": "government"}
    return str((await home.post(f"/missions/{mission_id}/partners", body))["id"])


async def _asked(home: House, path: str, content: bytes | None = None) -> dict[str, Any]:
    token = Tokens(SECRET).sign(Principal("mission_staff", uuid4()), "session", datetime.now(UTC))
    request = urllib.request.Request(  # an address of ours
        f"http://127.0.0.1:{home.port}/api/v1{path}",
        content,
        {
            "Authorization": f"Bearer {token}",
            "Content-Type": "text/csv",
            "Idempotency-Key": uuid4().hex,
        },
    )

    def read() -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310  # of ours
            answer: dict[str, Any] = json.load(response)
            return answer

    return await asyncio.to_thread(read)


async def _copied(home: House, table: list[tuple[str, ...]]) -> float:
    """Copy the rows into a table without anything, several times, and give the median."""
    connection = await asyncpg.connect(home.database_url)
    times = []
    try:
        for number in range(COPIES):
            columns = ", ".join(f"c{place} text" for place in range(len(HEADER)))
            await connection.execute(f"CREATE TABLE copied_{number} ({columns})")
            started = time.perf_counter()
            await connection.copy_records_to_table(f"copied_{number}", records=table)
            times.append(time.perf_counter() - started)
    finally:
        await connection.close()
    return sorted(times)[COPIES // 2]
