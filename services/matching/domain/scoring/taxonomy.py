"""The taxonomy: what companies deal in, in both languages, from general to particular."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.events.base import Bilingual

LEXICON = Path(__file__).with_name("lexicon")


@dataclass(frozen=True, slots=True)
class Concept:
    """Something companies deal in: its name, and the terms they write for it."""

    code: str
    name: Bilingual
    parent: str | None
    en: tuple[str, ...]
    zh: tuple[str, ...]
    related: tuple[str, ...] = ()
    """What buyers of the one often ask for too, elsewhere in the hierarchy."""
    telling: float = 1.0
    """How much it says of what a company deals in: a trader of anything says little by that."""
    hs: tuple[str, ...] = ()
    """Codes of the Harmonized System, 2022."""
    nace: tuple[str, ...] = ()
    """Codes of NACE, revision 2."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Give all terms in both languages, the names first."""
        return (self.name.en, self.name.zh, *self.en, *self.zh)


@dataclass(frozen=True)
class Taxonomy:
    """All concepts by code, in the order of the files."""

    concepts: Mapping[str, Concept]

    def parents(self, code: str) -> list[str]:
        """Give what a concept belongs to, the nearest first; raises `ValueError` for a circle."""
        found: list[str] = []
        parent = self.concepts[code].parent
        while parent is not None:
            if parent in found:
                raise ValueError(f"{code} belongs to itself by way of {parent}.")
            found.append(parent)
            parent = self.concepts[parent].parent
        return found

    def terms(self) -> list[tuple[str, str]]:
        """List every term with its concept's code."""
        return [(code, term) for code, one in self.concepts.items() for term in one.terms]


@cache
def taxonomy() -> Taxonomy:
    """Read the taxonomy that ships with the product."""
    return parsed(path.read_text() for path in sorted(LEXICON.glob("*.toml")))


def parsed(files: Iterable[str]) -> Taxonomy:
    """Read files of concepts; raises `ValueError` when two have one code."""
    concepts: dict[str, Concept] = {}
    for file in files:
        for code, facts in tomllib.loads(file).items():
            if code in concepts:
                raise ValueError(f"Two concepts are called {code}.")
            concepts[code] = _concept(code, facts)
    return Taxonomy(concepts)


def _concept(code: str, facts: dict[str, Any]) -> Concept:
    lists = {name: tuple(facts.get(name, ())) for name in ("en", "zh", "related", "hs", "nace")}
    return Concept(
        code=code,
        name=Bilingual(**facts["name"]),
        parent=facts.get("parent"),
        telling=facts.get("telling", 1.0),
        **lists,
    )
