"""The guide on the terminal beside an installation that serves."""

from pathlib import Path

import pytest

from services.embedded import running
from services.rehearsal.example import Example
from services.rehearsal.scheduling import ScheduleFailedError
from shared.access import Tokens

EXAMPLE = Path(__file__).parents[2] / "examples" / "cleantech-china-2023"


async def test_whoever_waits_is_told_at_once_that_no_timetable_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def load(*_: object) -> None:
        raise ScheduleFailedError("shanghai: no timetable: The solver did not end in time.")

    monkeypatch.setattr(running, "load", load)
    await running._guide("http://127.0.0.1:9", Tokens("k" * 32), Example.read(EXAMPLE))

    said = capsys.readouterr().out
    assert "could not be loaded: shanghai: no timetable" in said
    assert "start again" in said
