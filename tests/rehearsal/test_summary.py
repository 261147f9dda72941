"""The summary and the report of an outcome."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services.rehearsal import report, summary
from services.rehearsal.example import Example
from services.rehearsal.meetings import Meeting
from services.rehearsal.outcome import Incidents, Outcome, StopOutcome
from services.rehearsal.updates import Updates

Make = Callable[..., Meeting]

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def outcome(sample: Example, meeting: Make) -> Outcome:
    stop = StopOutcome(
        "shenzhen",
        sample.stop("shenzhen").city,
        registered=216,
        waitlisted=12,
        checked_in=208,
        scheduled=3,
        moved=1,
        meetings=[
            meeting("m1", state="completed"),
            meeting("m2", state="no_show", at=20),
            meeting("m3", state="cancelled", at=40),
        ],
        incidents=Incidents(walk_ins=5, walk_ins_waiting=5, absent=8, absent_missed=1),
        refs={"d1": "us-01", "l1": "sz-001"},
    )
    updates = Updates(expected=9, received=9, live_ms=[10.0, 20.0, 30.0])
    return Outcome(stops=[stop], updates=updates, seconds=12.34)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_summary_says_it_in_the_readers_language(
    sample: Example, outcome: Outcome, language: str
) -> None:
    text = summary.render(summary.Content(sample, outcome, language).all())

    assert sample.plan.mission.title.in_(language) in text
    assert sample.stop("shenzhen").title.in_(language) in text
    assert ("示例二" if language == "zh" else r"Sample \| Two") in text
    assert bool(HAN.search(text)) == (language == "zh")


def test_organisers_are_in_the_order_of_protocol(sample: Example, outcome: Outcome) -> None:
    text = summary.render(summary.Content(sample, outcome, "en").all())

    names = ["Shenzhen Municipal Bureau of Commerce", "Invest in Hong Kong"]
    assert text.index(names[0]) < text.index(names[1])


def test_only_meetings_that_took_place_count_as_held(sample: Example, outcome: Outcome) -> None:
    content = summary.Content(sample, outcome, "en").all()

    (stop,) = content["stops"]
    assert [count for _, count in stop["sectors"]["rows"]] == ["1"]
    assert stop["companies"]["items"] == ["Sample | Two"]
    assert content["overview"]["rows"][0] == ["Shenzhen", "216", "12", "208", "3", "1", "1", "1"]
    assert content["overview"]["rows"][1][0] == "All"


def test_two_runs_differ_in_the_last_section_alone(sample: Example, outcome: Outcome) -> None:
    def parts() -> list[str]:
        return summary.render(summary.Content(sample, outcome, "en").all()).split("\n---\n")

    before = parts()
    outcome.updates.live_ms.append(5_000.0)
    outcome.seconds = 99.0

    after = parts()
    assert len(before) == len(after) == 2
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_what_did_not_come_true_is_in_the_summary(sample: Example, outcome: Outcome) -> None:
    outcome.failures.append("3 expected live updates did not arrive.")

    text = summary.render(summary.Content(sample, outcome, "en").all())

    assert "3 expected live updates did not arrive." in text
    assert outcome.exit_code == 1


def test_both_languages_are_written_and_set(
    sample: Example, outcome: Outcome, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    summary.write(sample, outcome, out)

    assert (out / "summary.en.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "summary.zh.md").read_text("utf-8").startswith("# 2023年美国清洁技术")
    has_font = summary.CJK_FONT in summary.families()
    assert (out / "summary.zh.pdf").exists() == has_font
    assert bool(outcome.remarks) != has_font


def test_the_pdf_holds_the_chinese_text(sample: Example, outcome: Outcome, tmp_path: Path) -> None:
    if summary.CJK_FONT not in summary.families():
        pytest.skip(f"the font {summary.CJK_FONT} is not installed")
    pdf = tmp_path / "summary.pdf"
    pdf.write_bytes(summary.printed(summary.Content(sample, outcome, "zh").all()))

    try:
        text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("pdftotext is not installed")

    assert "深圳市商务局" in text.decode()


def test_the_data_have_the_fields_that_programs_read(outcome: Outcome) -> None:
    assert report.data(outcome) == {
        "stops": [
            {
                "city": "Shenzhen",
                "registered": 216,
                "waitlisted": 12,
                "checked_in": 208,
                "scheduled": 3,
                "held": 1,
                "missed": 1,
                "moved": 1,
                "clashes": 0,
            }
        ],
        "updates": {"expected": 9, "received": 9, "p50_ms": 20.0, "p99_ms": 30.0},
        "seconds": 12.3,
    }


def test_the_table_is_aligned_and_names_failures(outcome: Outcome) -> None:
    outcome.failures.append("A table is in two places.")

    lines = report.text(outcome).splitlines()

    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[-1] == "FAILED: A table is in two places."
