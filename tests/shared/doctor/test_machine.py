"""Machines that are too small, told by files as Linux writes them."""

from pathlib import Path

import pytest

from shared.doctor import machine
from shared.doctor.machine import Needs
from shared.printing import CJK_FONT


@pytest.mark.parametrize(
    ("files", "memory", "cores"),
    [
        ({}, "ok", "ok"),
        ({"memory.max": "max\n", "cpu.max": "max 100000\n"}, "ok", "ok"),
        ({"memory.max": "104857600\n", "cpu.max": "50000 100000\n"}, "warning", "warning"),
        (
            {
                "memory/memory.limit_in_bytes": "104857600\n",
                "cpu/cpu.cfs_quota_us": "50000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            "warning",
            "warning",
        ),
        (
            {
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            "ok",
            "ok",
        ),
    ],
)
def test_limits_of_a_container_count(
    tmp_path: Path, files: dict[str, str], memory: str, cores: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    needs = Needs(memory_mib=128)

    assert machine.memory(needs, tmp_path).level == memory
    assert machine.cores(needs, tmp_path).level == cores


def test_a_machine_without_the_font_cannot_print() -> None:
    assert machine.font(frozenset).level == "warning"
    assert machine.font(lambda: frozenset({CJK_FONT})).level == "ok"


def test_a_machine_without_zones_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.zones().level == "ok"
    monkeypatch.setattr(machine, "ZONE", "Asia/Nowhere")
    assert machine.zones().level == "wrong"


def test_a_full_folder_of_temporary_files_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "TEMP_BYTES_MIN", 1)
    assert machine.temporary().level == "ok"
    monkeypatch.setattr(machine, "TEMP_BYTES_MIN", 1 << 60)
    assert machine.temporary().level == "warning"
