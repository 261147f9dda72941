"""The mission summary: what was held, by whom, and what was repaired; English and Chinese.

The same outcome gives the same text. Delays, which differ from run to run, are in its last section.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.rehearsal.example import Example
from services.rehearsal.files import Participant, Stop
from services.rehearsal.meetings import Meeting
from services.rehearsal.outcome import Outcome, StopOutcome
from services.rehearsal.updates import percentile
from shared.web.pages import day
from shared.web.words import LANGUAGES, load

TEMPLATES = Path(__file__).parent / "templates"
CJK_FONT = "Noto Sans CJK SC"
MARKDOWN_SIGNS = "\\`*_[]<>|#"
NUMBERS = ("registered", "waitlisted", "checked_in", "scheduled", "held", "missed", "moved")

Json = dict[str, Any]


def write(example: Example, outcome: Outcome, folder: Path) -> None:
    """Write Markdown and PDF in both languages; what cannot be written becomes a remark."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        content = Content(example, outcome, language).all()
        markdown = folder / f"summary.{language}.md"
        markdown.write_text(render(content), encoding="utf-8")
        pdf = folder / f"summary.{language}.pdf"
        if language == "zh" and CJK_FONT not in families():
            pdf.unlink(missing_ok=True)
            outcome.remarks.append(
                f"There is no Chinese PDF: the font {CJK_FONT} is not installed here."
            )
        else:
            pdf.write_bytes(printed(content))


@cache
def families() -> frozenset[str]:
    """List the families of fonts that are installed."""
    return frozenset(typst.Fonts(include_system_fonts=True).families())


def render(content: Json) -> str:
    """Write the content as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701  # Markdown has signs of its own: `md` escapes those
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = escaped
    return environment.get_template("summary.md.j2").render(content)


def printed(content: Json) -> bytes:
    """Set the content as a PDF."""
    pdf: bytes = typst.compile(
        str(TEMPLATES / "summary.typ"), sys_inputs={"content": json.dumps(content)}
    )
    return pdf


def escaped(text: object) -> str:
    """Escape what Markdown would read as its own."""
    return "".join(f"\\{sign}" if sign in MARKDOWN_SIGNS else sign for sign in str(text))


@dataclass(frozen=True)
class Content:
    """What the summary says in one language: texts and numbers, ready to be set."""

    example: Example
    outcome: Outcome
    language: str

    def all(self) -> Json:
        """Give the whole."""
        mission = self.example.plan.mission
        sectors = ", " if self.language == "en" else "、"
        return {
            "language": self.language,
            "title": mission.title.in_(self.language),
            "kind": self._t("kind"),
            "dates": f"{self._day(mission.starts)} – {self._day(mission.ends)}",
            "about": mission.summary.in_(self.language),
            "facts": [
                [self._t("organizer"), self._partner(mission.organizer)],
                [self._t("sectors"), sectors.join(map(self._sector, mission.sectors))],
            ],
            "overview": {"title": self._t("overview"), **self._overview()},
            "stops": [
                self._stop(self.example.stop(stop.slug), stop) for stop in self.outcome.stops
            ],
            "failures": {
                "title": self._t("failures"),
                "items": [str(failure) for failure in self.outcome.failures],
            },
            "live": self._live(),
        }

    def _t(self, key: str, **values: object) -> str:
        return words()[key][self.language].format(**values)

    def _day(self, on: Any) -> str:  # a date, as the shared pages write it
        return day(on, self.language)

    def _sector(self, code: str) -> str:
        return self.example.plan.sectors[code].in_(self.language)

    def _partner(self, ref: str) -> str:
        found = next(one for one in self.example.plan.partners if one.ref == ref)
        return found.name.in_(self.language)

    def _overview(self) -> Json:
        rows = [
            [stop.city.in_(self.language), *(str(n) for n in _numbers(stop).values())]
            for stop in self.outcome.stops
        ]
        totals = [str(sum(_numbers(stop)[name] for stop in self.outcome.stops)) for name in NUMBERS]
        return {
            "head": [self._t("stop"), *map(self._t, NUMBERS)],
            "rows": [*rows, [self._t("total"), *totals]],
        }

    def _stop(self, planned: Stop, stop: StopOutcome) -> Json:
        companies = self._companies(stop)
        roles = [
            [self._t(f"role_{role.role}"), self._partner(role.partner)] for role in planned.roles
        ]
        venue = [[self._t("venue"), planned.venue.in_(self.language)]] if planned.venue else []
        return {
            "city": planned.city.in_(self.language),
            "title": planned.title.in_(self.language),
            "facts": [[self._t("date"), self._day(planned.date)], *venue, *roles],
            "sectors": {
                "title": self._t("held_by_sector"),
                "head": [self._t("sector"), self._t("held")],
                "rows": self._sectors(stop),
            },
            "companies": {
                "title": self._t("companies_met", count=len(companies)),
                "items": companies,
            },
            "incidents": {"title": self._t("incidents"), "items": self._incidents(stop)},
        }

    def _sectors(self, stop: StopOutcome) -> list[list[str]]:
        """Count meetings by the sector that both share, or else the local company's first."""
        counts = Counter(self._sector_of(stop, meeting) for meeting in stop.held)
        order = self.example.plan.mission.sectors
        return [[self._sector(code), str(counts[code])] for code in order if counts[code]]

    def _sector_of(self, stop: StopOutcome, meeting: Meeting) -> str:
        theirs = self._participant(stop, meeting, "local").organization.sectors
        ours = self._participant(stop, meeting, "delegation").organization.sectors
        return next((code for code in ours if code in theirs), theirs[0])

    def _participant(self, stop: StopOutcome, meeting: Meeting, side: Any) -> Participant:
        return self.example.by_ref[stop.refs[meeting.party(side).participant_id]]

    def _companies(self, stop: StopOutcome) -> list[str]:
        parties = [meeting.party("local") for meeting in stop.held]
        return sorted(
            {
                (p.native_organization if self.language == "zh" else None) or p.organization
                for p in parties
            }
        )

    def _incidents(self, stop: StopOutcome) -> list[str]:
        found = stop.incidents
        pairs: list[tuple[int, str]] = [
            (found.pressed_twice, "pressed_twice"),
            (found.cancelled, "cancelled"),
            (found.walk_ins, "walk_ins"),
            (found.absent, "absent"),
            (found.late, "late_bus"),
            (found.table_moved + found.table_cancelled, "lost_table"),
            (found.overruns, "overruns"),
        ]
        return [self._t(f"incident_{name}", **vars(found)) for count, name in pairs if count]

    def _live(self) -> Json:
        updates = self.outcome.updates
        delays = [percentile(updates.live_ms, share) for share in (0.5, 0.99)]
        p50, p99 = ("–" if delay is None else f"{delay:.0f} ms" for delay in delays)
        return {
            "title": self._t("live"),
            "note": self._t("live_note"),
            "rows": [
                [self._t("live_expected"), str(updates.expected)],
                [self._t("live_received"), str(updates.received)],
                [self._t("live_by_snapshot"), str(updates.by_snapshot)],
                [self._t("live_p50"), p50],
                [self._t("live_p99"), p99],
            ],
        }


def _numbers(stop: StopOutcome) -> Mapping[str, int]:
    special: dict[str, Callable[[], int]] = {
        "held": lambda: stop.count("completed"),
        "missed": lambda: stop.count("no_show"),
    }
    return {
        name: special[name]() if name in special else int(getattr(stop, name)) for name in NUMBERS
    }


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Read the words of the summary."""
    return load([TEMPLATES / "words.toml"])
