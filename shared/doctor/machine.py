"""The machine, or the container: processors, memory, files, zones, fonts, and room for files."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.doctor.examining import Check
from shared.doctor.findings import Finding, ok, warning, wrong
from shared.printing import CJK_FONT, families

MIB = 1 << 20
TEMP_BYTES_MIN = 256 * MIB
"""As the largest list that a partner may send, which is read from a file there."""
ZONE = "Asia/Shanghai"
GROUPS = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60
"""Linux writes a number as large as that where there is no limit (cgroup 1)."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a process of a service takes, with what it starts beside itself.

    At rest they hold 110 to 170 MiB (VmRSS); sheets are set in 170 (decision 32), and a search for
    a schedule of 300 people takes 210.
    """

    memory_mib: int
    cores: float = 1


def check(needs: Needs, *, prints: bool = False) -> Check:
    """Make the check of the machine, with the font where the service prints."""
    looks: list[Callable[[], Finding]] = [
        partial(cores, needs),
        partial(memory, needs),
        zones,
        temporary,
    ]
    if prints:
        looks.append(font)
    return Check("machine", partial(_look, looks), "Tell whoever looks after this machine.")


async def _look(looks: Sequence[Callable[[], Finding]]) -> list[Finding]:
    return await asyncio.to_thread(lambda: [look() for look in looks])


def cores(needs: Needs, groups: Path = GROUPS) -> Finding:
    """Say how many processors there are for us, and whether that is enough."""
    about = "machine: processors"
    found = min(float(len(os.sched_getaffinity(0))), _quota(groups))
    if found < needs.cores:
        return warning(
            about,
            f"{found:g}",
            f"{needs.cores:g} are wanted: answers are late when many come at once. Give the "
            "container or the machine more.",
        )
    return ok(about, f"{found:g}")


def memory(needs: Needs, groups: Path = GROUPS) -> Finding:
    """Say how much memory there may be for us, and whether that is enough."""
    about = "machine: memory"
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = min(physical, _limit(groups))
    seen = f"{found // MIB:,} MiB at most"
    if found < needs.memory_mib * MIB:
        return warning(
            about,
            seen,
            f"{needs.memory_mib} MiB are wanted: the system may end the service when it is busy. "
            "Raise the limit.",
        )
    return ok(about, seen)


def _quota(groups: Path) -> float:
    if whole := _words(groups / "cpu.max"):
        return float("inf") if whole[0] == "max" else int(whole[0]) / int(whole[1])
    quota = _words(groups / "cpu" / "cpu.cfs_quota_us")
    period = _words(groups / "cpu" / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) <= 0:
        return float("inf")
    return int(quota[0]) / int(period[0])


def _limit(groups: Path) -> int:
    words = _words(groups / "memory.max") or _words(groups / "memory" / "memory.limit_in_bytes")
    return UNLIMITED if not words or words[0] == "max" else int(words[0])


def _words(file: Path) -> list[str]:
    """Read a file of the control groups (cgroup 2, or 1), empty where there is none."""
    try:
        return file.read_text().split()
    except OSError:
        return []


def zones() -> Finding:
    """Say whether times of a stop can be told in its zone."""
    about = "machine: time zones"
    try:
        ZoneInfo(ZONE)
    except ZoneInfoNotFoundError:
        return wrong(
            about,
            f"{ZONE} is unknown",
            "No page or mail with a local time can be made. Install the package tzdata.",
        )
    return ok(about, f"{ZONE} is known")


def temporary() -> Finding:
    """Say whether large files can be kept for a moment."""
    about = "machine: temporary files"
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    seen = f"{free // MIB:,} MiB free in {folder}"
    if free < TEMP_BYTES_MIN:
        return warning(
            about,
            seen,
            f"Long lists and exports are written there: give it {TEMP_BYTES_MIN // MIB} MiB.",
        )
    return ok(about, seen)


def font(known: Callable[[], frozenset[str]] = families) -> Finding:
    """Say whether Chinese can be printed."""
    about = "machine: font"
    if CJK_FONT in known():
        return ok(about, CJK_FONT)
    return warning(
        about,
        f"{CJK_FONT} is not installed",
        "What has Chinese in it cannot be printed: badges, letters, plans of the day. Install "
        "fonts-noto-cjk where the service runs; the image has it unless FONTS is empty.",
    )
